package turns

import (
	"context"
	"slices"
	"time"
)

// StartUpkeep starts the pool's upkeep: a goroutine that closes connections at the end of their
// lifetime or after a long time idle, opens missing ones, and pings idle ones. If no option asks
// for any of that, there is no goroutine. Close ends it.
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

// upkeepPeriod returns how often the upkeep looks at the connections: often enough to miss a short
// time limit by little.
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

// Reset replaces every connection: those in use when they come back, the others now.
func (p *Pool) Reset() {
	p.Invalidate()
	go p.keepUp()
}

// keepUp closes the idle connections that are too old, and makes missing ones.
func (p *Pool) keepUp() {
	p.mu.Lock()
	var outworn []*Conn
	kept := p.idle[:0]
	for i, c := range p.idle {
		left := p.places - len(outworn)
		idle := len(kept) + len(p.idle) - i // how many are idle if c stays
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

// fill starts to make connections, up to the minimums. The lock is held.
func (p *Pool) fill() {
	for p.closed == nil && p.places < p.Max && (p.places < p.Min || len(p.idle)+p.orphans < p.MinIdle) {
		p.places++
		p.last++
		d := &dialing{p: p, c: &Conn{generation: p.generation, ID: p.last, raw: p.SetUp != nil}}
		d.ctx, d.cancel = context.WithCancelCause(context.Background())
		d.orphan()
		go func() {
			defer func() { _ = recover() }() // a panic of the driver counts as a failure; there is no caller to tell
			_, _ = d.run()                   // the same holds for an error
		}()
	}
}

// askIdle pings the idle connections, one at a time, so that callers can use the others meanwhile.
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

// borrow takes a connection if it is still idle.
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

// ask pings a connection. If the connection answers, its idle time goes on; otherwise ask closes
// it, and the pool replaces the other open connections before their next use.
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
