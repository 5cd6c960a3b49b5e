package backend

import (
	"sync/atomic"
	"time"
)

// fewestRuns is how many short runs make a call known to be short. One or two say little, because
// the first runs also depend on what is cached.
const fewestRuns = 8

// mostCredit is how many short runs of a call that is known to be short count when a run isn't. At
// 50 µs each they make up for 6 ms.
const mostCredit = 128

// Pace is what the latest runs of a call say about how long it takes. A call is known to be short
// after 8 short runs. A run that isn't short has a price in short runs: as many as would have fit
// into it, and at least 8 if the call was known to be short. Up to 128 short runs since then have
// paid for that one in advance. The others must follow, at least one, before the call is known to
// be short again; of several prices the highest counts. So a call that runs inline while it is
// known to be short holds a loop for no more than twice the limit on average, however its runs
// vary. And a call that is almost always short, but is interrupted now and then because the
// machine is busy, is soon known to be short again.
//
// The zero value is a call about which nothing is known. Its runs aren't timed before the first
// call of [Pace.Short], so a program without a loop doesn't read the clock. All methods may be
// called from any goroutine.
type Pace struct {
	// state is unasked, or how many more short runs are needed. A negative state means that the
	// call is known to be short: isShort, less one for each short run since, down to mostPaid.
	state atomic.Int32
}

const (
	unasked  = 0
	isShort  = -1
	mostPaid = isShort - mostCredit
	mostDue  = 1 << 16 // short runs; at 50 µs each they take 3 s
)

// Short reports whether the call is known to be short.
func (p *Pace) Short() bool {
	state := p.state.Load()
	if state == unasked {
		p.state.CompareAndSwap(unasked, fewestRuns)
	}
	return state <= isShort
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
	state := p.state.Load()
	if d >= limit {
		p.state.Store(after(state, min(int64(d/limit), mostDue)))
		return
	}
	next := state - 1
	switch {
	case state == unasked || state == mostPaid:
		return
	case next == unasked:
		next = isShort
	}
	p.state.CompareAndSwap(state, next) // fails if another run ended meanwhile; then this one doesn't count
}

// after returns the state after a run that took as long as so many short ones.
func after(state int32, runs int64) int32 {
	if state >= 0 {
		return max(state, int32(runs))
	}
	paid := int64(isShort - state)
	return int32(max(max(runs, fewestRuns)-paid, 1))
}
