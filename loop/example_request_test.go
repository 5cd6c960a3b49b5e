package loop_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed1239206e/repaint/loop"
)

// A database that knows that one of its answers has to wait for the loop's own next step.
type waitsForUs struct{}

// StuckRequests implements loop.Prober.
func (waitsForUs) StuckRequests() int { return 1 }

// A virtual clock stands still for an answer, unless a Prober knows that the answer won't come
// before the clock goes on.
func ExampleProber() {
	l := loop.New(loop.VirtualClock(time.Unix(0, 0).UTC()))
	defer l.Close()
	defer l.Bridge().Probe(waitsForUs{})()

	answer := loop.NewPromise[string](nil)
	answer.AskedBy(l)
	answer.UnderWay(true)
	l.CallLater(time.Hour, func() { answer.Resolve("after the lock was released") })
	if err := l.Drive(answer.Future().Done); err != nil {
		fmt.Println(err)
	}
	text, _ := answer.Future().Result()
	fmt.Println(text, l.Now().Format(time.TimeOnly))
	// Output: after the lock was released 01:00:00
}

// A program that knows what may still happen outside.
type waitsForSignal struct{ patience time.Duration }

// LoopExpects implements loop.Expecter.
func (w *waitsForSignal) LoopExpects() time.Duration {
	next := w.patience
	w.patience = 0 // then it is a deadlock
	return next
}

func ExampleExpecter() {
	l := loop.New()
	defer l.Close()
	l.Bridge().Expect(&waitsForSignal{time.Millisecond})
	err := l.Drive(func() bool { return false })
	fmt.Println(errors.Is(err, loop.ErrDeadlock))
	// Output: true
}

// ReportTo gets a StoppedClockError when a virtual clock has stood still for 5 seconds.
func ExampleStoppedClockError() {
	report := func(err error) {
		var stopped *loop.StoppedClockError
		if errors.As(err, &stopped) {
			fmt.Println(stopped.For, "without an answer; next timer in", stopped.Next.Sub(stopped.At), stopped.Waiting)
		}
	}
	l := loop.New(loop.VirtualClock(time.Unix(0, 0)), loop.ReportTo(report))
	defer l.Close()
	l.Report(&loop.StoppedClockError{
		For: 5 * time.Second, At: l.Now(), Next: l.Now().Add(time.Hour),
		Waiting: []string{"task 1 waits for a row"},
	})
	// Output: 5s without an answer; next timer in 1h0m0s [task 1 waits for a row]
}
