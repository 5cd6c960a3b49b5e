package repaint

import (
	"testing"
	"time"
)

// SetJoinPatience sets, for a test, how long cancelled tasks may take.
func SetJoinPatience(t *testing.T, d time.Duration) {
	before := joinPatience
	joinPatience = d
	t.Cleanup(func() { joinPatience = before })
}

// SetRunPatience sets, for a test, how long a loop waits for the end of the context that Run was
// given.
func SetRunPatience(t *testing.T, d time.Duration) {
	before := runPatience
	runPatience = d
	t.Cleanup(func() { runPatience = before })
}

// SetSuspicion sets, for a test, after how long a standstill is reported.
func SetSuspicion(t *testing.T, d time.Duration) {
	before := suspicion
	suspicion = d
	t.Cleanup(func() { suspicion = before })
}

// HolderIn is what a report outside of debug mode says of the code that holds a loop.
var HolderIn = holderIn
