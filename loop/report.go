package loop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// ReportTo sets the function that gets errors which no code receives otherwise:
//
//   - an [*UnobservedError]: a future failed, and no code has looked at its error or still can;
//   - a [*HeldError], in debug mode: code holds up the loop, so that nothing else can run;
//   - reports of the layers above, such as repaint's [*repaint.StubbornError].
//
// Any goroutines may call fn, several at a time, even after the loop has been closed. fn must not
// wait for the loop. Without it reports go to slog.Default.
func ReportTo(fn func(err error)) Option { return func(l *Loop) { l.report = fn } }

// Report passes an error to the function that [ReportTo] has set. Any goroutine may call it.
func (l *Loop) Report(err error) {
	if l.report != nil {
		l.report(err)
		return
	}
	LogReport(err)
}

// LogReport handles a report as a loop without [ReportTo] does: it logs the error by
// slog.Default.
func LogReport(err error) { slog.Error(err.Error()) }

// An UnobservedError reports that a future has failed and that no code has looked at its error. Now
// it is too late: nothing refers to the future any more, or its loop has been closed. It is
// asyncio's "exception was never retrieved".
//
// It is reported once for each function that runs on its own: a task, or an [Offload]. For other
// futures a panic is always reported, and other errors are in debug mode ([Debug]). A cancel,
// or the end of the loop, isn't reported.
type UnobservedError struct {
	What string // names the future that failed
	Err  error

	observed atomic.Bool
	reported atomic.Bool
}

// Error says what has failed, and how.
func (e *UnobservedError) Error() string {
	return fmt.Sprintf("loop: %s failed, and nothing has looked at its error: %v", e.What, e.Err)
}

// Unwrap returns the failure.
func (e *UnobservedError) Unwrap() error { return e.Err }

// unobserved returns the report of a failure that no code looks at, or nil if it needs none. The
// loop may be nil.
func (l *Loop) unobserved(err error, matters bool) *UnobservedError {
	if _, panicked := err.(*PanicError); !panicked && !matters && (l == nil || l.watchdog == nil) {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, ErrClosed) {
		return nil
	}
	return &UnobservedError{Err: err}
}

// unattended is how long a failure of a future without a loop waits before it is reported. Other
// failures are reported at the latest when their loop ends.
const unattended = time.Second

// keep remembers a failure until the loop is closed or code has looked at it, and makes sure that
// it is reported as soon as no code can look any more. Any goroutine may call it, and the loop may
// be nil.
func (l *Loop) keep(c *Latch, e *UnobservedError) {
	report := LogReport
	if l != nil && l.report != nil {
		report = l.report
	}
	// The argument of the clean-up must not lead to the future.
	runtime.AddCleanup(c, func(e *UnobservedError) { e.send(report) }, e)
	if l == nil {
		time.AfterFunc(unattended, func() { e.send(report) })
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.failures) == cap(l.failures) {
		l.failures = slices.DeleteFunc(l.failures, func(e *UnobservedError) bool { return e.observed.Load() })
	}
	l.failures = append(l.failures, e)
}

func (e *UnobservedError) send(report func(error)) {
	if !e.observed.Load() && e.reported.CompareAndSwap(false, true) {
		report(e)
	}
}

// UnobservedPanic returns the first panic of a task or callback of the loop that no code has looked
// at, or nil if there is none. The caller must raise it again, because it won't be reported when
// the loop is closed. Any goroutine may call it.
func (b *Bridge) UnobservedPanic() *PanicError {
	l := b.loop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.failures {
		if p, ok := e.Err.(*PanicError); ok && !e.observed.Load() {
			e.reported.Store(true)
			return p
		}
	}
	return nil
}
