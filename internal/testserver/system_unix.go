//go:build unix

package testserver

import "syscall"

const supported = true

// signalGroup also signals the children of the process that have stayed in its group.
func (p *process) signalGroup(sig syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, sig) }

// attributes returns the attributes of a new process: a group of its own, so that an interrupt at
// the terminal leaves it to us; the account's rights, unless it is the user of the tests; and death
// with its parent, where the system can do that.
func (a *account) attributes(deathSignal syscall.Signal) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	dieWithParent(attr, deathSignal)
	return attr
}

// The watchdog must outlive anything that ends the tests, so it isn't in their session.
func watchdogAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
