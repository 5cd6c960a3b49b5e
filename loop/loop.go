package loop

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// A Loop runs callbacks one after another, in the order in which they were scheduled. It is the
// counterpart of asyncio's event loop.
//
// The goroutine that calls [Loop.Drive] runs them; nothing here starts a goroutine for them. "From
// the loop" means: called by a callback, or by the code that calls Drive, when Drive isn't running.
// All methods must be called from the loop, except methods whose comments say that any goroutine
// may call them.
type Loop struct {
	clock   clock
	timers  timers
	seq     uint64 // of the last timer, so that equal times keep their order
	batch   []Runnable
	next    int // the first of batch that hasn't run
	hooks   []*hook
	due     []*hook     // the hooks that must still be called before the next batch
	ends    []Runnable  // to be called after the hooks
	ended   int         // how many of ends have been called
	idle    []idleCall  // to be made when nothing is ready
	onIdle  func()      // is called before those; may be nil
	expects Expecter    // is asked before a deadlock is reported; may be nil
	until   func() bool // the condition of Drive, while it runs
	unasked int         // ends of ticks that Peek leaves to the loop
	holds   int

	begun        bool // the tick has its batch, and not come to its hooks
	driving      bool
	rolled       bool // Peek has begun the tick, see roll, and no task has taken anything from it
	entered      bool // Drive was called, and no hooks have run since
	draws        bool // there is a lottery; set before use
	stopReported bool // it was reported that the virtual clock stands still; each loop reports that once

	stats   counters
	offload offloader

	post     func(fn func()) // makes a guest's host call fn; nil if the loop isn't a guest
	watchdog *watchdog       // in debug mode; set before use
	holder   Holder          // says which task holds the loop; may be nil; set before use
	overseen overseen        // without debug mode
	report   func(error)
	lottery  *lottery // chooses what comes next; nil without ChooseBy and Seed
	probers  []*probing

	poller *poller // of descriptors; nil until there is one

	// wake has room for one signal. The goroutine that clears asleep sends it.
	wake    chan struct{}
	sleeper *time.Timer
	// bed is the Sleeper in which the loop sleeps or will sleep. The goroutine that has cleared
	// asleep may also read it, until it has sent the signal.
	bed Sleeper

	mu       sync.Mutex // held for moments, never while callbacks run; the offloader's may be taken inside
	ready    []Runnable
	turns    uint64 // how often the loop has taken what is ready
	asleep   bool
	nudged   bool // by nudge, since the loop last looked
	minds    bool // while asleep: the loop wants to know when nothing offloaded runs any more
	closed   bool
	requests requests
	// watched are the pending futures of this loop that code outside waits for. That code would
	// wait forever if the loop closed without telling it. The numbers order the futures.
	watched map[*Latch]uint64
	watches uint64
	// failures holds the failures that no code had looked at when keep last checked.
	failures []*UnobservedError
}

// A Runnable is a callback that needs no closure: it is meant for code that schedules
// the same object again and again.
type Runnable interface {
	// RunInLoop is the callback. The loop calls it.
	RunInLoop()
}

type callback func()

func (fn callback) RunInLoop() { fn() }

// An Option configures a loop that [New] or [NewGuest] makes.
type Option func(*Loop)

// VirtualClock makes the loop's time start at the given moment, and stand still while there is
// anything to run. When everything is idle, the time jumps to the next timer. So an hour passes in
// no time, and always in the same order.
//
// While a request of the loop is under way outside, time doesn't jump. Requests are offloaded work
// and promises that say so ([Promise.UnderWay]), such as a statement that a database executes. The
// loop reports a long standstill as a [*StoppedClockError]. While code waits for something else
// that another goroutine may complete, time jumps only after nothing has happened for 5 ms of real
// time: the loop can't know whether the program waits for that completion or for the timer. The
// deadline of an ordinary context is in real time: it comes after all timers of the clock.
func VirtualClock(start time.Time) Option {
	return func(l *Loop) { l.clock = clock{base: start, virtual: true} }
}

// OffloadLimit sets how many offloaded functions may run at once. The default is 64.
func OffloadLimit(n int) Option {
	return func(l *Loop) { l.offload.limit = max(n, 1) }
}

// New returns a loop. A loop that hasn't been used needn't be closed.
func New(opts ...Option) *Loop {
	l := &Loop{wake: make(chan struct{}, 1)}
	l.offload.loop, l.offload.limit = l, 64
	if limit := debugFromEnvironment(); limit > 0 {
		Debug(limit)(l)
	}
	for _, o := range opts {
		o(l)
	}
	if !l.clock.virtual {
		l.clock.base = time.Now()
	}
	return l
}

// CallSoon calls fn in the next tick. It is asyncio's call_soon.
func (l *Loop) CallSoon(fn func()) { l.Schedule(callback(fn)) }

// Post is the way in for other goroutines: it makes the loop call fn in its next tick, and wakes
// the loop if it sleeps. The loop takes over everything that was posted while it was busy at once.
// In a closed loop Post does nothing. Any goroutine may call it. It is asyncio's
// call_soon_threadsafe.
func (l *Loop) Post(fn func()) { l.CallSoon(fn) }

// Schedule is [Loop.Post] for a Runnable. It returns false in a closed loop, where the Runnable
// won't run. Any goroutine may call it.
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
		l.rouse()
	}
	return true
}

// rouse wakes the loop. The goroutine that has cleared asleep calls it.
func (l *Loop) rouse() {
	if l.post != nil {
		l.post(l.pump)
		return
	}
	if l.bed != nil {
		l.bed.Interrupt()
	}
	l.wake <- struct{}{}
}

// OnTickEnd makes the loop call fn at the end of each tick, when everything that was ready has run
// and before the loop waits for more. That is the moment to write what the tick has collected.
// Callbacks that fn schedules run in the next tick. The code before a call of Drive counts as a
// tick: if nothing is ready then, the hooks come first.
//
// remove removes the hook: fn isn't called again, not even in this tick.
func (l *Loop) OnTickEnd(fn func()) (remove func()) {
	h := &hook{fn}
	l.hooks = append(l.hooks, h)
	return func() {
		h.fn = nil
		// A new slice, because this may happen while the hooks are being called.
		l.hooks = slices.DeleteFunc(slices.Clone(l.hooks), func(o *hook) bool { return o == h })
	}
}

// CallAtTickEnd makes the loop run r once, at the end of this tick, after the hooks of
// [Loop.OnTickEnd]. It doesn't allocate. Callbacks that r schedules run in the next tick.
func (l *Loop) CallAtTickEnd(r Runnable) {
	l.ends = append(l.ends, r)
	if l.post != nil && !l.driving {
		l.nudge() // otherwise the host wouldn't be asked for a tick
	}
}

// A hook is called at the end of a tick. Its function is nil once it has been removed.
type hook struct{ fn func() }

// CallWhenIdle makes the loop call fn once, when nothing else is ready: every callback has run, no
// timer is due, and the loop would sleep now, or a virtual clock would jump. At that moment a
// loader knows that no task will ask for more. If several functions are registered, the loop calls
// them in one tick, in their order.
//
// In a loop that is never idle fn is never called; see [Loop.CallWhenIdleSoon].
func (l *Loop) CallWhenIdle(fn func()) { l.idle = append(l.idle, idleCall{run: callback(fn)}) }

// nudge does what [Bridge.Wake] does.
func (l *Loop) nudge() {
	l.mu.Lock()
	wake := l.asleep
	l.asleep = false
	l.nudged = true
	l.mu.Unlock()
	if wake {
		l.rouse()
	}
}

// Now returns the loop's time: real time, or the time of the virtual clock.
func (l *Loop) Now() time.Time { return l.clock.base.Add(l.clock.elapsed()) }

// Virtual reports whether the clock is virtual. Any goroutine may call it.
func (l *Loop) Virtual() bool { return l.clock.virtual }

// Drive runs the loop, tick after tick, until the condition holds. It is evaluated before each
// tick, also by [Bridge.Peek].
//
// Errors: [ErrDeadlock] if nothing is ready, no timer is set, nothing offloaded is under way, and
// the loop knows of nothing outside that might call in ([Bridge.Hold], [Bridge.Expect]), so that
// the condition could never change; [ErrReentrant] if a callback calls Drive; [ErrClosed]. After an
// error other than ErrClosed, the caller can drive the loop on.
//
// A callback's or hook's panic, or Goexit, passes through Drive. The callbacks after it aren't
// lost: the next Drive begins with them.
func (l *Loop) Drive(until func() bool) error {
	if l.driving || l.post != nil {
		return ErrReentrant
	}
	l.driving, l.entered, l.until = true, true, until
	if l.watchdog != nil {
		l.watchdog.start()
		defer l.watchdog.end()
	}
	defer func() {
		l.rise()
		l.driving, l.until = false, nil
	}()
	for !until() {
		if err := l.tick(); err != nil {
			return err
		}
	}
	return nil
}

// tick waits until something is ready, runs it, and calls the hooks.
//
// The loop keeps how far the tick has come, so that a panic leaves the rest to the next tick.
func (l *Loop) tick() error {
	if len(l.due) == 0 && l.ended == 0 {
		if !l.begun {
			if err := l.gather(); err != nil {
				return err
			}
			l.begun = true
			l.stats.Ticks++
			if Tracing() {
				l.trace(TickBegins)
			}
			if l.watchdog != nil {
				l.watchdog.tick = time.Now()
			}
		}
		for l.next < len(l.batch) {
			if l.rolled {
				l.rolled, l.unasked = false, pollTicks
			}
			r := l.batch[l.next]
			l.batch[l.next] = nil
			l.next++
			l.stats.Callbacks++
			if l.watchdog != nil {
				l.watchdog.turn()
			}
			r.RunInLoop()
		}
		l.due, l.begun, l.entered = l.hooks, false, false
	}
	for len(l.due) > 0 {
		h := l.due[0]
		l.due = l.due[1:]
		if h.fn != nil {
			if l.watchdog != nil {
				l.watchdog.turn()
			}
			h.fn()
		}
	}
	for l.ended < len(l.ends) {
		r := l.ends[l.ended]
		l.ends[l.ended] = nil
		l.ended++
		if l.watchdog != nil {
			l.watchdog.turn()
		}
		r.RunInLoop()
	}
	l.ends, l.ended = l.ends[:0], 0
	if l.watchdog != nil {
		l.watchdog.ticked()
	}
	if Tracing() {
		l.trace(TickEnds)
	}
	return nil
}

func (l *Loop) anyReady() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ready) > 0 || l.closed
}

// errIdle ends the tick of a guest that has nothing to do.
var errIdle = errors.New("idle")

// busyTicks is how many ticks pass before a loop that is never idle does what it does when idle.
const busyTicks = 64

// pollTicks is how many ticks pass before a loop that is never idle checks which descriptors are
// ready.
const pollTicks = 8

// burst is the largest queue, in callbacks, that is kept without being checked. A larger one may
// have grown for an exceptional tick.
const burst = 4096

// gather fills the batch, and waits if nothing is ready. It leaves the batch empty if the hooks are
// next.
func (l *Loop) gather() error {
	polls := l.poller.len() > 0 && l.post == nil
	if polls && l.stats.Ticks%pollTicks == pollTicks-1 {
		l.poller.look()
	}
	for {
		if !l.overseen.listed.Load() {
			l.attend()
		}
		if l.draws && l.post == nil {
			if len(l.ends) > 0 { // the tick's end sends what was asked for: don't wait for it here
				l.rise()
				return nil
			}
			l.hearAnswers()
		}
		if !l.takeReady() {
			return ErrClosed
		}
		if len(l.timers.heap) > 0 {
			l.takeDueTimers()
		}
		if l.lottery != nil {
			l.pick()
		}
		if len(l.batch) > 0 && len(l.idle) > 0 {
			l.takeLateIdle()
		}
		if len(l.batch) > 0 || l.entered && len(l.hooks) > 0 || len(l.ends) > 0 {
			if l.onIdle != nil && l.stats.Ticks%busyTicks == busyTicks-1 {
				l.onIdle()
			}
			l.rise()
			return nil
		}
		if l.onIdle != nil {
			if l.onIdle(); l.anyReady() {
				continue
			}
		}
		if len(l.idle) > 0 {
			if polls { // answers that have arrived may make tasks ask for more
				if l.poller.look(); l.anyReady() {
					continue
				}
			}
			l.takeIdle()
			l.rise()
			return nil
		}
		if l.post != nil {
			return errIdle
		}
		if err := l.sleep(); err != nil {
			return err
		}
	}
}

// takeReady makes what is ready the new batch; the old one must have run. It reports false if the
// loop is closed.
func (l *Loop) takeReady() bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	used := l.batch[:0]
	if cap(used) > burst && len(l.batch) < cap(used)/8 {
		used = nil // it was made for a burst that is over
	}
	l.batch, l.ready = l.ready, used
	l.turns++
	l.nudged = false
	l.mu.Unlock()
	l.next = 0
	return true
}

// Close ends the loop. It drops scheduled callbacks and stops timers. Futures of this loop that
// code elsewhere waits for fail with [ErrClosed], in the order in which those waits began.
// Offloaded functions go on, even functions that haven't begun. A callback may call Close. Closing
// a closed loop does nothing.
func (l *Loop) Close() {
	l.mu.Lock()
	again := l.closed
	l.closed = true
	watched := l.watched
	l.ready, l.watched = nil, nil
	failures := l.failures
	l.failures = nil
	l.mu.Unlock()
	if l.draws {
		l.takeAnswers()
	}
	l.unattend()
	for _, e := range l.timers.heap {
		if !e.dead() {
			e.timer.state = notSet
		}
	}
	for _, r := range append(l.batch[l.next:], l.lottery.left()...) {
		if t, ok := r.(*dueTimer); ok {
			t.state = notSet
		}
	}
	l.lottery, l.batch, l.next, l.timers, l.hooks, l.due, l.idle, l.ends, l.ended = nil, nil, 0, timers{}, nil, nil, nil, nil, 0
	if len(watched) > 0 {
		failInOrder(watched)
	}
	for _, e := range failures {
		e.send(l.Report)
	}
	if l.post != nil && l.sleeper != nil {
		l.sleeper.Stop()
	}
	if l.poller != nil {
		l.poller.close()
	}
	if !again && Tracing() {
		l.trace(LoopCloses)
	}
	if l.watchdog != nil && l.watchdog.holder != nil {
		l.watchdog.holder = nil
		l.watchdog.end()
	}
}

func failInOrder(watched map[*Latch]uint64) {
	byAge := func(a, b *Latch) int { return cmp.Compare(watched[a], watched[b]) }
	for _, latch := range slices.SortedFunc(maps.Keys(watched), byAge) {
		latch.fail(ErrClosed)
	}
}

// Stats has figures about a loop: counters since its beginning, and present numbers.
type Stats struct {
	Ticks       uint64        // rounds: what was ready, then the hooks
	Callbacks   uint64        // callbacks that ran
	Sleeps      uint64        // times that the loop had nothing to do and waited
	Offloaded   uint64        // functions given to [Offload]
	Polls       uint64        // times that the kernel was asked which descriptors are ready
	LongestTick time.Duration // in debug mode; else 0

	Ready      int // callbacks that will run in this tick or the next
	Timers     int // timers that are set
	Offloading int // offloaded functions that run at the moment
	Queued     int // offloaded functions that wait for their turn
	Polled     int // descriptors that the loop waits for, see [Loop.Poll]
}

// counters are the figures that a loop counts.
type counters struct{ Ticks, Callbacks, Sleeps, Polls uint64 }

// Stats returns the figures.
func (l *Loop) Stats() Stats {
	n := l.stats
	s := Stats{Ticks: n.Ticks, Callbacks: n.Callbacks, Sleeps: n.Sleeps, Polls: n.Polls}
	s.Timers = l.timers.len()
	s.Polled = l.poller.len()
	s.Ready = len(l.batch) - l.next + len(l.lottery.left())
	if l.watchdog != nil {
		s.LongestTick = l.watchdog.longest
	}
	s.Offloaded, s.Offloading, s.Queued = l.offload.stats()
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Ready += len(l.ready)
	return s
}

// watch notes that code outside waits for a pending future of this loop. It reports false if the
// loop is closed. Any goroutine may call it.
func (l *Loop) watch(latch *Latch) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if l.watched == nil {
		l.watched = make(map[*Latch]uint64)
	}
	l.watches++
	l.watched[latch] = l.watches
	return true
}

// unwatch may be called by any goroutine.
func (l *Loop) unwatch(latch *Latch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.watched, latch)
}
