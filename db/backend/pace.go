package backend

import (
	"sync/atomic"
	"time"
)

// fewestRuns is how many short runs make a call known to be short. One or two say little, because
// the first runs also depend on what is cached.
const fewestRuns = 8

// Pace is what the latest runs of a call say about how long it takes. A call is known to be short
// if all its latest runs were. After a run that wasn't, as many short ones must follow as would
// have fit into it, and at least 8. So a call that runs inline while it is known to be short holds
// a loop for no more than twice the limit on average, however its runs vary.
//
// The zero value is a call about which nothing is known. Its runs aren't timed before the first
// call of [Pace.Short], so a program without a loop doesn't read the clock. All methods may be
// called from any goroutine.
type Pace struct {
	// state is unasked, or isShort, or how many more short runs are needed.
	state atomic.Int32
}

const (
	unasked = 0
	isShort = -1
	mostDue = 1 << 16 // short runs; at 50 µs each they take 3 s
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

// Begin returns the time at which a run begins, for [Pace.End]; zero if runs aren't timed.
func (p *Pace) Begin() time.Time {
	if p.state.Load() == unasked {
		return time.Time{}
	}
	return time.Now()
}

// End notes and returns how long a run took that began at the given time; 0 if that is zero. A run
// is short if it took less than limit.
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
	p.state.CompareAndSwap(due, next) // fails if another run ended meanwhile; then this one doesn't count
}
