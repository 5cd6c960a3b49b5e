package repaint

import (
	"context"
	"runtime/metrics"
	"sync/atomic"

	"github.com/seed1239206e/repaint/loop"
)

// polls are the contexts that a loop with a virtual clock checks when it is idle. They belong to
// the loop.
//
// The loop must check them between any two moments of its clock. If there are many, it first asks
// whether there can be anything to see. Package context reports an end in a new goroutine, which it
// starts before the cancel returns. So as long as the program has started no goroutine, no context
// that package context knows has ended.
type polls struct {
	usual   pollList
	foreign pollList // contexts that aren't package context's
	made    uint64   // how many goroutines the program had started at the last check
}

// crowd is how many contexts make it worthwhile to ask first, which costs as much as checking some
// hundreds of them.
const crowd = 256

// crowded reports whether there are so many contexts that fewer would be worthwhile.
func (p *polls) crowded() bool { return p != nil && len(p.usual.all) >= crowd }

// add makes look call fn when the context has ended. The context's end also wakes a sleeping loop.
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

// known reports whether package context learns of the context's end at once.
func known(ctx context.Context) bool {
	if cancelKey == nil {
		return false
	}
	inner, ok := ctx.Value(cancelKey).(context.Context)
	return ok && inner.Done() == ctx.Done()
}

// look calls the functions of the contexts that have ended.
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

// wake makes the ends of all contexts wake another loop too. It returns the functions that end
// that.
func (p *polls) wake(l *loop.Loop) (stops []func() bool) {
	for _, list := range []*pollList{&p.usual, &p.foreign} {
		for _, c := range list.all {
			stops = append(stops, context.AfterFunc(c.ctx, l.Bridge().Wake))
		}
	}
	return stops
}

// goroutinesMade returns how many goroutines the program has started, if the runtime tells.
func goroutinesMade() (uint64, bool) {
	sample := []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0, false
	}
	return sample[0].Value.Uint64(), true
}

// A pollList is checked as a whole.
type pollList struct {
	all  []polled
	dead atomic.Int32 // how many of the contexts are over
}

type polled struct {
	done <-chan struct{} // the context's channel, here for speed
	ctx  context.Context
	who  *polledContext
}

// A polledContext is a context with the function to call at its end.
type polledContext struct {
	list   *pollList
	fn     func()
	unwake func() bool
	over   atomic.Bool // fn has been called, or must not be any more
}

// stop may be called from any goroutine.
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
	for i := range l.all { // contexts that fn adds are checked next time
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

// tidy removes the contexts that are over.
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

// afterFunc is context.AfterFunc. But with a virtual clock the loop calls fn, when nothing is ready
// and before time goes on. So the effects of a context's end have their place in the order of
// events. The runner may be nil. afterFunc must be called from the runner's loop; any goroutine may
// call the function that it returns.
func (h *runner) afterFunc(ctx context.Context, fn func()) (stop func() bool) {
	if h == nil || !h.loop.Virtual() {
		return context.AfterFunc(ctx, fn)
	}
	if h.polls == nil {
		h.polls = new(polls)
	}
	return h.polls.add(ctx, fn, h.loop)
}

// startPolling makes the loop poll when it is idle, if it has a virtual clock, or runs within a
// loop that has one.
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

// poll calls the functions of the contexts that have ended.
func (h *runner) poll() {
	if h.polls != nil {
		h.polls.look()
	}
	if h.outer != nil {
		h.outer.poll() // nothing else polls the outer loop while this runner's Run goes on
	}
}

func (h *runner) stopPolling() {
	for _, stop := range h.borrowed {
		stop()
	}
}
