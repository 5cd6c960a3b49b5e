package turns

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstPause   = 20 * time.Millisecond
	longestPause = time.Second
)

// pauses put off attempts to connect, the longer the more have failed one after the other.
type pauses struct {
	length    time.Duration
	notBefore time.Time
	why       error // the last failure; nil after a success
}

// failed puts off the next attempt. Attempts that were made at the same time count once.
func (p *pauses) failed(began time.Time, why error) {
	p.why = why
	if p.length > 0 && began.Before(p.notBefore) {
		return
	}
	p.length = min(max(2*p.length, firstPause), longestPause)
	p.notBefore = time.Now().Add(p.length/2 + rand.N(p.length/2+1))
}

// ended notes a success.
func (p *pauses) ended() { *p = pauses{} }

// wait is how long the next attempt has to wait; it isn't above 0 if it needn't.
func (p *pauses) wait() time.Duration {
	if p.notBefore.IsZero() {
		return 0
	}
	return time.Until(p.notBefore)
}

// pause waits, and returns why if ctx ends before.
func pause(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
