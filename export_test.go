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
