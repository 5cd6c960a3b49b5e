package repaint

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/loop"
)

// A StandstillError is reported, not returned: for a while nothing in a loop has been able to go
// on, and nothing will unless a context ends that only code outside the loop can end. It may be a
// deadlock, or a program that waits for a signal. The loop can't know, so it goes on waiting. See
// [loop.ReportTo]. errors.Is(err, loop.ErrDeadlock) is true for it.
type StandstillError struct {
	For time.Duration // how long it has been so far
	// Waiting tells what the main function and each task wait for, a line each.
	Waiting []string
}

// Error says for how long nothing has gone on, and what each task waits for.
func (e *StandstillError) Error() string {
	return fmt.Sprintf("repaint: nothing in the loop has been able to go on for %v, and only the end of a context can change that:\n\t%s",
		e.For, strings.Join(e.Waiting, "\n\t"))
}

// Unwrap returns [loop.ErrDeadlock].
func (e *StandstillError) Unwrap() error { return loop.ErrDeadlock }

var (
	// runPatience is how long, in real time, a loop waits in which only the end of the context that
	// Run was given could make anything happen.
	runPatience = 2 * time.Second // a variable only for tests

	// suspicion is after how long a standstill is reported, in real time.
	suspicion = 5 * time.Second // a variable only for tests
)

// A standstill is a time in which nothing can happen in a loop unless a context ends. It belongs to
// the loop.
type standstill struct {
	since     time.Time
	callbacks uint64 // how many the loop had run when it began; more mean that it is over
	reported  bool   // each loop reports only once
}

// standsStill returns for how long nothing has been able to happen.
func (h *runner) standsStill() time.Duration {
	if h.still == nil {
		h.still = new(standstill)
	}
	s := h.still
	if n := h.loop.Stats().Callbacks; s.since.IsZero() || s.callbacks != n {
		s.since, s.callbacks = time.Now(), n
	}
	return time.Since(s.since)
}

// untilWoken is longer than anything lasts.
const untilWoken = 1<<63 - 1

// LoopExpects implements [loop.Expecter]. When nothing else can happen, contexts may still end
// waits:
//
//   - A context has ended, but the news is still on its way in another goroutine. LoopExpects ends
//     the wait now.
//   - A context has a deadline, which will come.
//   - Code outside the loop can end a context. The loop can't rule that out, so it waits, and
//     reports that once.
//   - Code outside can also end the context that Run was given. But if nothing is left except that
//     the program is told to stop, the main function must learn of the deadlock. Otherwise no
//     program that can be stopped would ever hear of one.
func (h *runner) LoopExpects() time.Duration {
	var all prospects
	told := false
	look := func(ctx context.Context, r loop.Runnable) {
		if ctx.Err() == nil {
			all.add(ctx, h.scope.root)
			return
		}
		told = true
		h.loop.Schedule(r)
	}
	if h.mainWaits != nil {
		look(h.mainCtx, h.lookAgain())
	}
	for t := range h.tasks.all() {
		if t.suspended {
			look(t.waitsWith(), t)
		}
	}
	switch {
	case told:
		return untilWoken
	case !all.deadline.IsZero():
		return max(time.Until(all.deadline), 1)
	case all.others:
		return h.suspect()
	case all.run:
		return runPatience - h.standsStill()
	}
	return 0
}

// suspect reports a standstill that has lasted for suspicion.
func (h *runner) suspect() time.Duration {
	lasts := h.standsStill()
	if h.still.reported || h.over {
		return untilWoken
	}
	if lasts < suspicion {
		return suspicion - lasts
	}
	h.still.reported = true
	h.loop.Report(&StandstillError{For: suspicion, Waiting: h.whoWaits()})
	return untilWoken
}

// prospects are the ways in which contexts that haven't ended can end, other than by an event in
// the loop.
type prospects struct {
	deadline time.Time // the earliest; zero if there is none
	others   bool      // code outside the loop can end one
	run      bool      // code outside can end the context that Run was given
}

// add adds the prospects of a context. The root is the one that stands on Run's own context.
func (p *prospects) add(ctx context.Context, of *root) {
	run := false
	for s := scopeOf(ctx); s != nil; s = scopeOf(ctx) {
		for e := s.expiry; e != nil; e = e.above {
			if e.real {
				p.by(e.at)
			}
		}
		run = run || s.root == of
		ctx = s.root.parent
	}
	at, ok := ctx.Deadline()
	switch {
	case ctx.Done() == nil:
	case ok && time.Until(at) > 0: // otherwise the context ends in a moment
		p.by(at)
	case run:
		p.run = true
	default:
		p.others = true
	}
}

func (p *prospects) by(at time.Time) {
	if p.deadline.IsZero() || at.Before(p.deadline) {
		p.deadline = at
	}
}
