package repaint

import (
	"context"
	"runtime/metrics"
	"sync/atomic"

	"github.com/seed1239206e/repaint/loop"
)

// Polls are the contexts that a loop with a virtual clock looks at when it is idle. They belong to
// the loop.
//
// It has to look between any two moments of its clock, so with many of them it first asks whether
// there can be anything to see: package context tells of an end in a new goroutine, which it makes
// before the cancel returns. As long as the program has made none, none of those has ended of which
// package context knows.
type polls struct {
	usual   pollList
	foreign pollList // of contexts that aren't package context's
	made    uint64   // goroutines of the program, when it last looked
}

// crowd is how many contexts are enough to ask first, which costs as much as to look at some
// hundreds.
const crowd = 256

// crowded reports whether there are so many that it's worth while to have few.
func (p *polls) crowded() bool { return p != nil && len(p.usual.all) >= crowd }

// add makes look call fn when the context has ended. Its end wakes a loop that sleeps.
func (p *polls) add(ctx context.Context, fn func(), l *loop.Loop) (stop func() bool) {
	list := &p.foreign
	if known(ctx) {
		list = &p.usual
	}
	c := &polledContext{list: list, fn: fn}
	c.unwake = context.AfterFunc(ctx, l.Bridge().Wake)
	list.all = append(list.all, polled{ctx.Done(), ctx, c})
	return c.stop
}

// known reports whether package context knows of the context's end at once.
func known(ctx context.Context) bool {
	if cancelKey == nil {
		return false
	}
	inner, ok := ctx.Value(cancelKey).(context.Context)
	return ok && inner.Done() == ctx.Done()
}

// look tells those whose contexts have ended.
func (p *polls) look() {
	p.foreign.look()
	if p.crowded() {
		made, ok := goroutinesMade()
		if ok && made == p.made {
			return
		}
		p.made = made
	}
	p.usual.look()
}

// wake has the ends of all contexts wake another loop. It returns what ends that.
func (p *polls) wake(l *loop.Loop) (stops []func() bool) {
	for _, list := range []*pollList{&p.usual, &p.foreign} {
		for _, c := range list.all {
			stops = append(stops, context.AfterFunc(c.ctx, l.Bridge().Wake))
		}
	}
	return stops
}

// goroutinesMade returns how many goroutines the program has made, if the runtime tells.
func goroutinesMade() (uint64, bool) {
	sample := []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0, false
	}
	return sample[0].Value.Uint64(), true
}

// A pollList is looked at as a whole.
type pollList struct {
	all  []polled
	dead atomic.Int32 // how many of them are over
}

type polled struct {
	done <-chan struct{} // of the context, here for speed
	ctx  context.Context
	who  *polledContext
}

// A polledContext is who is to be told of a context's end.
type polledContext struct {
	list   *pollList
	fn     func()
	unwake func() bool
	over   atomic.Bool // fn has been called, or must not be any more
}

// stop may be called from anywhere.
func (c *polledContext) stop() bool {
	c.unwake()
	if !c.over.CompareAndSwap(false, true) {
		return false
	}
	c.list.dead.Add(1)
	return true
}

func (l *pollList) look() {
	ended := false
	for i := range l.all { // what is added meanwhile is looked at next time
		select {
		case <-l.all[i].done:
			ended = true
			if c := l.all[i].who; c.over.CompareAndSwap(false, true) {
				l.dead.Add(1)
				c.unwake()
				c.fn()
			}
		default:
		}
	}
	if ended || int(l.dead.Load()) > len(l.all)/2 {
		l.tidy()
	}
}

// tidy lets go of those that are over.
func (l *pollList) tidy() {
	l.dead.Store(0)
	left := l.all[:0]
	for _, c := range l.all {
		if !c.who.over.Load() {
			left = append(left, c)
		}
	}
	clear(l.all[len(left):])
	l.all = left
}

// afterFunc is context.AfterFunc. With a virtual clock, however, fn is called by the loop, when
// nothing is ready and before time goes on: so what a context's end leads to has its place in the
// order of things. The runner may be nil. It must be called from the runner's loop, but what it
// returns may be called from anywhere.
func (h *runner) afterFunc(ctx context.Context, fn func()) (stop func() bool) {
	if h == nil || !h.loop.Virtual() {
		return context.AfterFunc(ctx, fn)
	}
	if h.polls == nil {
		h.polls = new(polls)
	}
	return h.polls.add(ctx, fn, h.loop)
}

// startPolling has the loop poll when it is idle, if it has a virtual clock, or runs within one
// that has.
func (h *runner) startPolling() {
	virtual := h.loop.Virtual()
	for o := h.outer; o != nil; o = o.outer {
		virtual = virtual || o.loop.Virtual()
		if o.polls != nil {
			h.borrowed = append(h.borrowed, o.polls.wake(h.loop)...)
		}
	}
	if virtual {
		h.loop.Bridge().OnIdle(h.poll)
	}
}

// poll tells those whose contexts have ended.
func (h *runner) poll() {
	if h.polls != nil {
		h.polls.look()
	}
	if h.outer != nil {
		h.outer.poll() // nothing else does, while this runner's Run goes on
	}
}

func (h *runner) stopPolling() {
	for _, stop := range h.borrowed {
		stop()
	}
}
