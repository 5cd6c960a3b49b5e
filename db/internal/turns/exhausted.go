package turns

import (
	"context"

	"github.com/seed1239206e/repaint/loop"
)

// Exhausted describes a Pool that has no connection for a caller.
type Exhausted struct {
	InUse, Max int
	Waiting    int // other callers
	Taken      []*Taking
}

// exhausted describes the pool. The lock is held.
func (p *Pool) exhausted() Exhausted {
	x := Exhausted{InUse: p.places - len(p.idle), Max: p.Max, Waiting: p.length}
	for c := range p.all {
		if t := c.Taken.Load(); t != nil {
			x.Taken = append(x.Taken, t)
		}
	}
	return x
}

// inVain returns the error of a caller that has waited for a connection. If the caller's context
// has ended, the error says what the caller waited for.
func (p *Pool) inVain(ctx context.Context, err error) error {
	if why := loop.ContextError(ctx); why == nil || p.GaveUp == nil || p.Closed() != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.places < p.Max {
		return err
	}
	return p.GaveUp(p.exhausted(), err)
}
