package repainttest

import (
	"io"
	"time"
)

// ReportHeld makes the watch over a loop that is held report soon, and to w.
func ReportHeld(w io.Writer) (restore func()) {
	after, to := heldTime, heldReport
	heldTime, heldReport = 10*time.Millisecond, w
	return func() { heldTime, heldReport = after, to }
}
