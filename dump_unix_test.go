//go:build unix

package repaint_test

import "syscall"

const dumpSignal = syscall.SIGUSR1
