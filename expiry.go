package repaint

import (
	"context"
	"sync"
	"time"
)

// An expiry says when a scope ends by itself.
type expiry struct {
	of     *scope
	runner *runner
	at     time.Time
	real   bool   // at is a moment of the real clock
	unset  func() // gives up the loop's timer; may be called by any goroutine
	// above is another expiry of the scopes above that may come first: it is on another clock. Set
	// before use.
	above *expiry

	mu      sync.Mutex  // held for moments
	backup  *time.Timer // for code that waits for the channel, if the loop is busy at that time
	stopped bool
}

func (s *scope) expire() { s.cancel(context.DeadlineExceeded, nil) }

// expires reports whether the scope's own expiry ends it, and not that of a scope above.
func (s *scope) expires() bool { return s.expiry != nil && s.expiry.of == s }

// sameClock reports whether the expiry uses the clock of a runner's loop.
func (e *expiry) sameClock(h *runner) bool { return e.runner == h || e.real && !h.loop.Virtual() }

// overdue reports whether the moment has passed, even if the loop hasn't noticed.
func (e *expiry) overdue() bool { return e.real && !time.Now().Before(e.at) }

// back makes the scope end in time even if its loop is busy or stands still.
func (e *expiry) back() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.real && !e.stopped && e.backup == nil {
		e.backup = time.AfterFunc(time.Until(e.at), e.of.expire)
	}
}

func (e *expiry) stop() {
	e.mu.Lock()
	stopped := e.stopped
	e.stopped = true
	if e.backup != nil {
		e.backup.Stop()
	}
	e.mu.Unlock()
	if !stopped {
		e.unset()
	}
}
