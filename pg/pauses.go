package pg

import (
	"math/rand/v2"
	"time"
)

const (
	firstBackoff = 20 * time.Millisecond
	maxBackoff   = time.Second
)

// pauses put off attempts to connect. They grow with the failures in a row.
type pauses struct {
	length    time.Duration
	notBefore time.Time
	why       error // the last failure; nil after a success
}

// failed puts off the next attempt.
func (p *pauses) failed(why error) {
	p.length = min(max(2*p.length, firstBackoff), maxBackoff)
	p.notBefore = time.Now().Add(p.length/2 + rand.N(p.length/2+1))
	p.why = why
}

// ended notes a success.
func (p *pauses) ended() { *p = pauses{} }

// wait returns how long the next attempt must wait. It returns 0 or less if the attempt needn't
// wait.
func (p *pauses) wait() time.Duration {
	if p.notBefore.IsZero() {
		return 0
	}
	return time.Until(p.notBefore)
}

// connectAfter opens a connection after a pause.
func (db *DB) connectAfter(wait time.Duration, what purpose, to *node) (*wire, error) {
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-db.ctx.Done():
		}
	}
	return db.connect(db.ctx, what, to)
}
