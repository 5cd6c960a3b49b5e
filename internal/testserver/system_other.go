//go:build !unix

package testserver

import "syscall"

// This file has only enough to build, because the servers are started and supervised in the Unix
// way.
const supported = false

func (p *process) signalGroup(syscall.Signal) {}

func (a *account) attributes(syscall.Signal) *syscall.SysProcAttr { return nil }

func watchdogAttributes() *syscall.SysProcAttr { return nil }

func memory() []string { return nil }

const (
	sigStop     = syscall.Signal(19)
	sigContinue = syscall.Signal(18)
)

func signalProcess(int, syscall.Signal) {}

func childrenOf(int) []int { return nil }
