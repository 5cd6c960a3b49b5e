package coop

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// A Ticker ticks at regular intervals, without drift: at every multiple of d after it was made.
// [NewTicker] makes one.
//
// Each tick goes to one caller: the one that has waited longest. Ticks for which no caller waits
// are dropped, except for one, which the next caller gets at once. As with time.Ticker, ticks don't
// pile up for a slow consumer.
//
// A ticker made in a loop uses the loop's clock, which may be virtual, and works only in that loop.
// Any other ticker uses real time and works in every goroutine. While no caller waits, nothing runs
// and no timer is set, so a ticker needn't be stopped before it is dropped.
type Ticker struct {
	identity
	every time.Duration
	turn  Mutex // its holder waits for the next tick

	mu      sync.Mutex // held for moments; no other is taken inside
	next    time.Time
	missed  int
	stopped bool
	wake    *loop.Promise[struct{}] // for the caller that waits for the next tick; nil if there is none
}

// NewTicker returns a ticker whose first tick comes after d. It panics if d isn't positive. Made in
// a loop, the ticker uses the loop's clock and belongs to the loop; with [Unbound] it uses real
// time even then.
func NewTicker(d time.Duration, opts ...Option) *Ticker {
	if d <= 0 {
		panic(fmt.Sprintf("coop: NewTicker for every %v", d))
	}
	t := &Ticker{identity: newIdentity(opts), every: d}
	t.turn.identity = t.identity
	t.next = t.now().Add(d)
	return t
}

func (t *Ticker) now() time.Time {
	if t.home != nil {
		return t.home.Now()
	}
	return time.Now()
}

// Wait waits for the next tick and returns the time at which the tick was due. If several ticks
// have passed, it returns the time of the last one. After [Ticker.Stop] the error is [ErrStopped].
// If the context ends first, the error is the context's cause, and the tick goes to the next
// caller. If the ticker belongs to another loop, the error is [repaint.ErrOtherLoop].
func (t *Ticker) Wait(ctx context.Context) (time.Time, error) {
	if t.home != nil && repaint.CurrentLoop() != t.home {
		return time.Time{}, fmt.Errorf("%w: a coop.Ticker goes by the clock of the loop in which it was made; make it with coop.Unbound", repaint.ErrOtherLoop)
	}
	if err := t.turn.Lock(ctx); err != nil {
		return time.Time{}, err
	}
	defer t.turn.Unlock()
	for {
		at, wake, d, err := t.take()
		if wake == nil {
			return at, err
		}
		if err := t.sleep(ctx, wake, d); err != nil {
			return time.Time{}, err
		}
	}
}

// take takes the tick if it is due. If it isn't, take returns the promise to wait for, and the time
// until the tick.
func (t *Ticker) take() (at time.Time, wake *loop.Promise[struct{}], d time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wake = nil
	if t.stopped {
		return at, nil, 0, ErrStopped
	}
	late := t.now().Sub(t.next)
	if late < 0 {
		t.wake = loop.NewPromise[struct{}](t.home)
		return at, t.wake, -late, nil
	}
	missed := int(late / t.every)
	t.missed += missed
	at = t.next.Add(time.Duration(missed) * t.every)
	t.next = at.Add(t.every)
	return at, nil, 0, nil
}

// sleep waits until the tick is due, or the ticker is stopped.
func (t *Ticker) sleep(ctx context.Context, wake *loop.Promise[struct{}], d time.Duration) error {
	wake.Future().SetName(t.describe("a tick of a coop.Ticker"))
	ring := func() { wake.Resolve(struct{}{}) }
	if t.home != nil {
		defer t.home.CallLater(d, ring).Stop()
	} else {
		defer time.AfterFunc(d, ring).Stop()
	}
	_, err := repaint.Await(ctx, wake.Future())
	return err
}

// All returns a sequence of the times of the ticks, as Wait returns them, until the ticker is
// stopped. If a wait fails for another reason, the last pair holds the error.
func (t *Ticker) All(ctx context.Context) iter.Seq2[time.Time, error] {
	return func(yield func(time.Time, error) bool) {
		for {
			at, err := t.Wait(ctx)
			if err == ErrStopped || !yield(at, err) || err != nil {
				return
			}
		}
	}
}

// Missed returns how many ticks were dropped. It may be called from any goroutine.
func (t *Ticker) Missed() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.missed
}

// Stop ends the ticker: waiting callers, and all later ones, get [ErrStopped]. Stopping again does
// nothing. It may be called from any goroutine.
func (t *Ticker) Stop() {
	t.mu.Lock()
	wake := t.wake
	t.stopped, t.wake = true, nil
	t.mu.Unlock()
	if wake != nil {
		wake.Resolve(struct{}{})
	}
}
