package backend

import (
	"sync/atomic"
	"time"
)

// fewestRuns is how many short runs it takes until a call is known to be short. One or two say little: the
// first ones are also about what is cached and what is not.
const fewestRuns = 8

// Pace is what the last runs of a call say about how long it takes. A call is known to be short when all its
// last runs were. After a run that wasn't, as many short ones must follow as would have fit into it, 8 at
// least. So a call that is made on the spot while it is known to be short holds a loop for no more than twice
// the limit in the mean, however its runs vary.
//
// The zero value is a call of which nothing is known. Its runs aren't timed until [Pace.Short] is asked for the
// first time, so programs without a loop don't look at the clock. Any goroutine may call the methods.
type Pace struct {
	// state is unasked, or isShort, or how many more short runs it takes.
	state atomic.Int32
}

const (
	unasked = 0
	isShort = -1
	mostDue = 1 << 16 // short runs; of 50 µs, these are 3 s
)

// Short reports whether the call is known to be short.
func (p *Pace) Short() bool {
	switch p.state.Load() {
	case isShort:
		return true
	case unasked:
		p.state.CompareAndSwap(unasked, fewestRuns)
	}
	return false
}

// Begin returns the time at which a run begins, for [Pace.End]; zero if it isn't to be timed.
func (p *Pace) Begin() time.Time {
	if p.state.Load() == unasked {
		return time.Time{}
	}
	return time.Now()
}

// End notes how long a run took that began at the given time, unless that is zero, and returns it. limit is for
// short runs.
func (p *Pace) End(began time.Time, limit time.Duration) time.Duration {
	if began.IsZero() {
		return 0
	}
	d := time.Since(began)
	p.took(d, limit)
	return d
}

func (p *Pace) took(d, limit time.Duration) {
	if d >= limit {
		p.state.Store(int32(min(max(int64(d/limit), fewestRuns), mostDue)))
		return
	}
	due := p.state.Load()
	if due <= 0 {
		return
	}
	next := due - 1
	if next == 0 {
		next = isShort
	}
	p.state.CompareAndSwap(due, next) // or else another run ended meanwhile, and this one doesn't count
}
