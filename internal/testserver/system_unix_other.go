//go:build unix && !linux

package testserver

import "syscall"

// Left to the watchdog.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

func memory() []string { return nil }
