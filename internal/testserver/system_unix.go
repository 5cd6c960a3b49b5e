//go:build unix

package testserver

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

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

const (
	sigStop     = syscall.SIGSTOP
	sigContinue = syscall.SIGCONT
)

func signalProcess(pid int, sig syscall.Signal) { _ = syscall.Kill(pid, sig) } // it may have ended

// childrenOf returns the processes that a process has made.
func childrenOf(pid int) (all []int) {
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		panic("testserver: listing processes: " + err.Error())
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) == 2 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(fields[0])
			all = append(all, child)
		}
	}
	return all
}
