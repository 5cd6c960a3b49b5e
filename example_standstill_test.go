package repaint_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// A standstill is reported after 5 seconds. The loop goes on waiting.
func ExampleStandstillError() {
	report := func(err error) { // for loop.ReportTo
		var still *repaint.StandstillError
		if errors.As(err, &still) {
			fmt.Println(still.For, still.Waiting, errors.Is(err, loop.ErrDeadlock))
		}
	}
	report(&repaint.StandstillError{For: 5 * time.Second, Waiting: []string{"task 1 (worker) waits for an Event"}})
	// Output: 5s [task 1 (worker) waits for an Event] true
}
