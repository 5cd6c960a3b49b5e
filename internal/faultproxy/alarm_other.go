//go:build !linux

package faultproxy

import "time"

// An alarm is as precise as the runtime's timers. Outside Linux the runtime's poller counts in less
// than milliseconds.
type alarm struct{}

func (alarm) sleep(d time.Duration) { time.Sleep(d) }

func (alarm) close() {}
