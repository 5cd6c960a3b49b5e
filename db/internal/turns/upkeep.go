package turns

import (
	"context"
	"slices"
	"time"
)

// StartUpkeep starts the goroutine that closes connections at the end of their lifetime, and those
// that were idle for long, makes up for missing ones, and asks for signs of life. Without an option
// that asks for any of that there is none. Close ends it.
func (p *Pool) StartUpkeep() {
	if p.Lifetime+p.IdleTime+p.Health > 0 || p.Min+p.MinIdle > 0 {
		go p.upkeep()
	}
}

func (p *Pool) upkeep() {
	p.keepUp()
	looks := time.NewTicker(p.upkeepPeriod())
	defer looks.Stop()
	asked := time.Now()
	for {
		select {
		case <-looks.C:
		case <-p.dials.Done():
			return
		}
		if p.Health > 0 && time.Since(asked) >= p.Health {
			asked = time.Now()
			p.askIdle()
		}
		p.keepUp()
	}
}

// upkeepPeriod is how often connections are looked at: often enough that a short time isn't missed
// by much.
func (p *Pool) upkeepPeriod() time.Duration {
	period := time.Minute
	if p.Health > 0 {
		period = p.Health
	}
	for _, limit := range []time.Duration{p.Lifetime, p.IdleTime} {
		if limit > 0 {
			period = min(period, limit/4)
		}
	}
	return max(period, 10*time.Millisecond)
}

// Reset has every connection replaced: those in use when they come back, the others now.
func (p *Pool) Reset() {
	p.Invalidate()
	go p.keepUp()
}

// keepUp closes the idle connections that are outworn, and makes missing ones.
func (p *Pool) keepUp() {
	p.mu.Lock()
	var outworn []*Conn
	kept := p.idle[:0]
	for i, c := range p.idle {
		left := p.places - len(outworn)
		idle := len(kept) + len(p.idle) - i // if it stays
		switch {
		case p.isStale(c):
			outworn = append(outworn, c)
		case p.IdleTime > 0 && time.Since(c.used) >= p.IdleTime && left > p.Min && idle > p.MinIdle:
			p.unused++
			outworn = append(outworn, c)
		default:
			kept = append(kept, c)
		}
	}
	clear(p.idle[len(kept):])
	p.idle = kept
	p.mu.Unlock()
	p.endAll(p.dials, outworn)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fill()
}

// fill has connections made up to the minimums. The lock is held.
func (p *Pool) fill() {
	for p.closed == nil && p.places < p.Max && (p.places < p.Min || len(p.idle)+p.orphans < p.MinIdle) {
		p.places++
		p.last++
		d := &dialing{p: p, c: &Conn{generation: p.generation, ID: p.last, raw: p.SetUp != nil}}
		d.ctx, d.cancel = context.WithCancelCause(context.Background())
		d.orphan()
		go func() {
			defer func() { _ = recover() }() // of the driver: it counts as a failure, and there is no caller to tell
			_, _ = d.run()                   // likewise
		}()
	}
}

// askIdle asks the idle connections whether they are well, one at a time, so that callers have the
// others meanwhile.
func (p *Pool) askIdle() {
	p.mu.Lock()
	all := slices.Clone(p.idle)
	p.mu.Unlock()
	for _, c := range all {
		if p.dials.Err() != nil {
			return
		}
		if p.borrow(c) {
			p.ask(c)
		}
	}
}

// borrow takes a connection that is idle still.
func (p *Pool) borrow(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.idle, c)
	if i < 0 || time.Since(c.used) < p.Health {
		return false
	}
	p.idle = slices.Delete(p.idle, i, i+1)
	return true
}

// ask asks a connection. One that is well stays idle since when it was; one that isn't is closed, and
// those that are as old are replaced before their next use.
func (p *Pool) ask(c *Conn) {
	if !p.answers(p.dials, c) {
		p.mu.Lock()
		p.discarded++
		if p.closed == nil {
			p.generation++
		}
		p.mu.Unlock()
		defer p.vacate(false)
		p.end(p.dials, c)
		return
	}
	p.mu.Lock()
	if p.head == nil && p.closed == nil {
		p.idle = slices.Insert(p.idle, 0, c)
		p.mu.Unlock()
		return
	}
	p.handOn(c)
}
