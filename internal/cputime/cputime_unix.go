//go:build unix

// Package cputime tells benchmarks how much CPU time they used.
package cputime

import (
	"syscall"
	"time"
)

// Process returns the CPU time that this process has used so far, in user and system mode together.
// Where the system doesn't report it, Process returns 0.
func Process() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
