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

// pauses put off attempts to connect. Each further failure in a row makes the pause longer, up to
// longestPause.
type pauses struct {
	length    time.Duration
	notBefore time.Time
	why       error // the last failure; nil after a success
}

// failed puts off the next attempt. Attempts that overlap count as one.
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

// wait returns how long the next attempt has to wait. If that is 0 or less, it needn't wait.
func (p *pauses) wait() time.Duration {
	if p.notBefore.IsZero() {
		return 0
	}
	return time.Until(p.notBefore)
}

// pause waits. If ctx ends before, it returns the cause.
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
