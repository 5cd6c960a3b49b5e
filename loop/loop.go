package loop

import (
	"container/heap"
	"sync"
	"time"
)

// A Loop runs callbacks, one after the other, in the order in which they were asked for.
//
// The goroutine that calls [Loop.Drive] runs them; nothing here starts a goroutine for them.
// "From the loop" means: called by a callback, or by the code that calls Drive, when Drive isn't running.
// All methods must be called from the loop, except those that say that any goroutine may call them.
type Loop struct {
	clock   clock
	hooks   []*func()
	timers  timerHeap
	seq     uint64 // of the last timer, so that equal times keep their order
	batch   []Runnable
	next    int // the first of batch that hasn't run
	driving bool
	holds   int
	stats   Stats
	offload offloader

	// wake has room for one signal. It is sent by whoever clears asleep.
	wake    chan struct{}
	sleeper *time.Timer

	mu     sync.Mutex // held for moments, never while callbacks run
	ready  []Runnable
	asleep bool
	closed bool
	// watched are the pending futures of this loop that others wait for, and who would wait for ever
	// if the loop closed without telling them.
	watched map[*Latch]struct{}
}

// A Runnable is a callback that needs no closure: it is meant for code that schedules
// the same object again and again.
type Runnable interface {
	// RunInLoop is called by the loop.
	RunInLoop()
}

type callback func()

func (fn callback) RunInLoop() { fn() }

// An Option of [New].
type Option func(*Loop)

// WithVirtualClock makes the loop's time start at the given moment and stand still while there is anything to run.
// When all is idle it jumps to the next timer. So an hour passes in no time, and always in the same order.
//
// While offloaded work is under way time doesn't jump. While something is awaited that another goroutine may complete,
// it jumps only after nothing has happened for 5 ms of real time: the loop can't know whether
// that completion or the timer is what the program waits for.
func WithVirtualClock(start time.Time) Option {
	return func(l *Loop) { l.clock = clock{base: start, virtual: true} }
}

// WithOffloadLimit sets how many offloaded functions may run at once. The default is 64.
func WithOffloadLimit(n int) Option {
	return func(l *Loop) { l.offload.limit = max(n, 1) }
}

// New returns a loop. It needs no closing unless it has been used.
func New(opts ...Option) *Loop {
	l := &Loop{wake: make(chan struct{}, 1)}
	l.offload.limit = 64
	for _, o := range opts {
		o(l)
	}
	if !l.clock.virtual {
		l.clock.base = time.Now()
	}
	return l
}

// CallSoon has fn called in the next tick.
func (l *Loop) CallSoon(fn func()) { l.Schedule(callback(fn)) }

// Post is the way in for other goroutines: it has fn called in the loop's next tick, and wakes the loop if it sleeps.
// What several goroutines post while the loop is busy is taken over at once.
// In a closed loop nothing happens: fn is not called. Any goroutine may call Post.
func (l *Loop) Post(fn func()) { l.Schedule(callback(fn)) }

// Schedule is [Loop.Post] for a Runnable. It reports whether it will run, which it won't in a closed loop.
// Any goroutine may call it.
func (l *Loop) Schedule(r Runnable) bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	l.ready = append(l.ready, r)
	wake := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if wake {
		l.wake <- struct{}{}
	}
	return true
}

// OnTickEnd has fn called at the end of each tick, when all that was ready has run and before the loop
// waits for more: the moment for writing out what has been collected. What fn schedules runs in the next tick.
// The function that it returns takes the hook away.
func (l *Loop) OnTickEnd(fn func()) (remove func()) {
	h := &fn
	l.hooks = append(l.hooks, h)
	return func() {
		for i, o := range l.hooks {
			if o == h {
				// A new slice, because this may happen while the hooks are being called.
				l.hooks = append(append([]*func(){}, l.hooks[:i]...), l.hooks[i+1:]...)
				return
			}
		}
	}
}

// Now returns the loop's time: the real one, or that of the virtual clock.
func (l *Loop) Now() time.Time { return l.clock.base.Add(l.clock.elapsed()) }

// Hold says that something outside will call in, though the loop can't see what: until [Loop.Release],
// silence isn't taken for a deadlock.
func (l *Loop) Hold() { l.holds++ }

// Release takes back one [Loop.Hold].
func (l *Loop) Release() { l.holds-- }

// Driving reports whether the loop is running callbacks, so that the caller must be one of them.
func (l *Loop) Driving() bool { return l.driving }

// Drive runs the loop, tick after tick, until the condition holds. It is evaluated before each tick.
//
// Errors: [ErrDeadlock] if nothing is ready, no timer is set, and nobody outside is known who might call in,
// so that the condition could never change; [ErrReentrant] if it is called by a callback; [ErrClosed].
// The loop can be driven on after an error other than ErrClosed.
//
// A callback's panic passes through Drive; what was scheduled behind it isn't lost.
func (l *Loop) Drive(until func() bool) error {
	if l.driving {
		return ErrReentrant
	}
	l.driving = true
	defer func() { l.driving = false }()
	for !until() {
		if err := l.tick(); err != nil {
			return err
		}
	}
	return nil
}

// tick waits until something is ready, runs it, and calls the hooks.
func (l *Loop) tick() error {
	if l.next == len(l.batch) {
		if err := l.gather(); err != nil {
			return err
		}
		l.stats.Ticks++
	}
	// The position is kept in the loop, so that a panic leaves the rest of the batch to the next tick.
	for l.next < len(l.batch) {
		r := l.batch[l.next]
		l.batch[l.next] = nil
		l.next++
		l.stats.Callbacks++
		r.RunInLoop()
	}
	for _, h := range l.hooks {
		(*h)()
	}
	return nil
}

// gather fills the batch, waiting if there is nothing yet.
func (l *Loop) gather() error {
	for {
		l.mu.Lock()
		if l.closed {
			l.mu.Unlock()
			return ErrClosed
		}
		l.batch, l.ready = l.ready, l.batch[:0]
		l.next = 0
		l.mu.Unlock()
		if len(l.timers) > 0 {
			l.takeDueTimers()
		}
		if len(l.batch) > 0 {
			return nil
		}
		if err := l.sleep(); err != nil {
			return err
		}
	}
}

func (l *Loop) takeDueTimers() {
	now := l.clock.elapsed()
	for len(l.timers) > 0 && l.timers[0].when <= now {
		t := heap.Pop(&l.timers).(*Timer)
		l.batch = append(l.batch, t.run)
	}
}

// sleep waits until something is scheduled or the next timer is due. A virtual clock jumps there instead.
func (l *Loop) sleep() error {
	var wait time.Duration // 0: until woken
	jump := false
	switch {
	case len(l.timers) > 0 && !l.clock.virtual:
		if wait = l.timers[0].when - l.clock.elapsed(); wait <= 0 {
			return nil
		}
	case len(l.timers) > 0:
		jump = l.offload.idle()
		if jump && l.holds == 0 {
			l.clock.jump(l.timers[0].when)
			return nil
		}
		if jump {
			wait = virtualPatience
		}
	case l.holds == 0:
		return ErrDeadlock
	}

	l.mu.Lock()
	if len(l.ready) > 0 || l.closed {
		l.mu.Unlock()
		return nil
	}
	l.asleep = true
	l.mu.Unlock()
	l.stats.Sleeps++
	if wait == 0 {
		<-l.wake
		return nil
	}
	if l.sleeper == nil {
		l.sleeper = time.NewTimer(wait)
	} else {
		l.sleeper.Reset(wait)
	}
	select {
	case <-l.wake:
		l.sleeper.Stop()
		return nil
	case <-l.sleeper.C:
	}
	l.mu.Lock()
	woken := !l.asleep
	l.asleep = false
	l.mu.Unlock()
	if woken {
		<-l.wake // the signal is on its way, and must not stay for the next sleep
	} else if jump {
		l.clock.jump(l.timers[0].when)
	}
	return nil
}

// Close ends the loop: what is still scheduled is dropped, and futures of this loop that others wait for
// fail with [ErrClosed]. Closing a closed loop does nothing.
func (l *Loop) Close() {
	l.mu.Lock()
	l.closed = true
	watched := l.watched
	l.ready, l.watched = nil, nil
	l.mu.Unlock()
	l.batch, l.next, l.timers, l.hooks = nil, 0, nil, nil
	for latch := range watched {
		latch.fail(ErrClosed)
	}
}

// Stats are counters of a loop since its beginning.
type Stats struct {
	Ticks     uint64 // rounds in which something ran
	Callbacks uint64 // callbacks that ran
	Sleeps    uint64 // times that the loop had nothing to do and waited
	Offloaded uint64 // functions given to [Offload]
}

// Stats returns the counters.
func (l *Loop) Stats() Stats {
	s := l.stats
	s.Offloaded = l.offload.total()
	return s
}

// isClosed may be called by any goroutine.
func (l *Loop) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// watch notes that somebody outside waits for a pending future of this loop. It reports false if the loop is closed.
// Any goroutine may call it.
func (l *Loop) watch(latch *Latch) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if l.watched == nil {
		l.watched = make(map[*Latch]struct{})
	}
	l.watched[latch] = struct{}{}
	return true
}

// unwatch may be called by any goroutine.
func (l *Loop) unwatch(latch *Latch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.watched, latch)
}
