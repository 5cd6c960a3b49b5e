//go:build !linux

package faultproxy

import "time"

// alarm sleeps as precisely as the runtime's timers are on systems whose poller counts in less than milliseconds.
type alarm struct{}

func (alarm) sleep(d time.Duration) { time.Sleep(d) }

func (alarm) close() {}
