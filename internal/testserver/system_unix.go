//go:build unix

package testserver

import "syscall"

const supported = true

// signalGroup reaches the children of a process too, as far as they stayed in its group.
func (p *process) signalGroup(sig syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, sig) }

// attributes of a new process: a group of its own, so that an interrupt at the terminal leaves it to us; the account's
// rights, if it isn't the one of the tests; death with its parent, where the system can do that.
func (a *account) attributes(deathSignal syscall.Signal) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	dieWithParent(attr, deathSignal)
	return attr
}

// The watchdog must outlive whatever ends the tests, so it isn't in their session.
func watchdogAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
