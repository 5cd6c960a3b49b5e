package loop

import (
	"testing"
	"time"
)

// SetHoldPatience sets, for a test, how long a loop may be held without debug mode.
func SetHoldPatience(t testing.TB, d time.Duration) {
	overseer.mu.Lock()
	defer overseer.mu.Unlock()
	patience, every := holdPatience, overseeEvery
	holdPatience, overseeEvery = d, d/4
	t.Cleanup(func() {
		overseer.mu.Lock()
		defer overseer.mu.Unlock()
		holdPatience, overseeEvery = patience, every
	})
}

// IsAttended reports whether the overseer's timer is set.
func IsAttended() bool {
	overseer.mu.Lock()
	defer overseer.mu.Unlock()
	return overseer.armed
}
