package repaint

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/loop"
)

// A runner runs the tasks of one loop as greenlets of one family.
// All its fields belong to the loop, and so to whichever goroutine of the family has control.
type runner struct {
	loop   *loop.Loop
	family *greenlet.Family
	lock   greenlet.ThreadLock // in which all greenlets start and go on
	outer  *runner             // the family's runner before this one's Run began and after it ends
	scope  scope               // the context of the main function
	root   root                // of that scope, unless its parent is a scope, too

	// current is the task that has control, nil if it's the main function or a bare callback.
	// Which of the two is what loop.Driving tells.
	current *task
	// relays says that current has control from the loop's queue, and not from a Spawn, whose
	// caller goes on when the task waits. So control may pass to the next in the queue instead of
	// the driver. See successor.
	relays bool
	// resumer is the greenlet that gave control to current, and gets it when current waits. It is the
	// driver if relays is set, whatever this field says.
	resumer *greenlet.Greenlet
	// driver is the greenlet in which the main function drives the loop.
	driver *greenlet.Greenlet

	idle      []*greenlet.Greenlet // carriers between two tasks
	legacy    greenlet.Legacy      // for the task that an idle carrier is about to begin
	whenEmpty loop.Runnable        // is scheduled when the last task has ended; may be nil

	guest    bool // there is no main function; the loop is on another one
	enlisted bool // for dumps on a signal
	over     bool // no carriers are kept any more
	returned bool // the main function
	debug    bool
	notes    bool // tasks note their waits, for debug mode or the explorer

	explorer explore.Explorer // of the loop's schedules; nil if nothing explores them
	explored explored         // of the main function
	turn     bool             // see inTurn

	tasks    roster
	waiting  int                  // tasks that are suspended in an Await
	most     int                  // the largest that waiting has been
	holds    atomic.Pointer[task] // in debug mode: a copy of current, for other goroutines
	lastTask uint64

	mainWaiter loop.Waiter
	mainWaits  *loop.Latch     // what the main function waits for, if it does
	mainCtx    context.Context // with which it waits for that
	watch      contextWatch
	still      *standstill      // nil until there is one
	stray      error            // reached the driver but wasn't meant for it; the main function gets it
	polls      *polls           // with a virtual clock: contexts whose ends the loop checks for; or nil
	borrowed   []func() bool    // end the watches over the contexts of the runners around this one
	panicked   *loop.PanicError // the panic that Run must raise
	stubborn   []string         // tasks that had to be killed
}

// here returns the runner of the calling goroutine and its current greenlet, or nil outside a loop.
func here() (*runner, *greenlet.Greenlet) {
	g := greenlet.Lookup()
	if g == nil {
		return nil, nil
	}
	h, _ := g.Family().Scheduler().Value().(*runner)
	return h, g
}

// CurrentLoop returns the loop that the calling goroutine runs in, or nil if there is none. It is
// for red code: a driver makes its promises and timers with it.
func CurrentLoop() *loop.Loop {
	if h, _ := here(); h != nil {
		return h.loop
	}
	return nil
}

// InGreenlet reports whether the caller is in a task, so that [Await] suspends only a greenlet. It
// reports false in the main function of a [Run], and in a plain goroutine, even in one that a task
// has started.
func InGreenlet() bool {
	h, _ := here()
	return h != nil && h.current != nil
}

// Run makes a loop, calls main in the calling goroutine, and returns main's error when everything
// has ended. It is the counterpart of asyncio.run.
//
// Within main, and functions that it calls, [Spawn] starts tasks. They run whenever main waits, in
// [Await] or another function of this package. Nothing runs in parallel: tasks, callbacks and main
// take turns, and change only where one waits. When main returns, its context ends, which cancels
// the remaining tasks, and Run waits until they have ended. A task that still waits 10 seconds
// later is killed, and Run returns [ErrNotJoined].
//
// Run can be called from any goroutine, even in a task, whose loop stands still meanwhile. If main
// panics or calls runtime.Goexit, the tasks end in the same way. If a task panicked and no code has
// awaited it, Run panics with its [*loop.PanicError].
func Run(ctx context.Context, main func(ctx context.Context) error, opts ...loop.Option) (err error) {
	family, isNew := greenlet.Enter()
	h := &runner{loop: loop.New(opts...), family: family}
	h.outer, _ = family.Scheduler().Value().(*runner)
	h.prepare(ctx)
	defer func() {
		family.Scheduler().SetValue(h.outer)
		if isNew {
			err = both(err, family.Close())
		}
		// If main didn't return, what it does instead is more important.
		if h.returned {
			err = h.verdict(err)
		}
	}()
	defer h.end()
	err = main(&h.scope)
	h.returned = true
	return err
}

// prepare readies a runner for its first task.
func (h *runner) prepare(ctx context.Context) {
	h.lock = greenlet.CurrentThreadLock()
	h.family.Scheduler().SetValue(h)
	h.startPolling()
	h.debug = h.loop.Debugging()
	h.loop.Bridge().Watch(h)
	h.explorer = explore.Of(h.loop)
	h.notes = h.debug || h.explorer != nil
	h.loop.Bridge().Expect(h)
	enlist(h)
	h.mainWaiter.Notify(h.loop, h.lookAgain())
	if !h.scope.initBelow(ctx, &h.mainWaiter, h) {
		h.scope.initRoot(&h.root, ctx, h)
	}
}

// mostStacks is among how many goroutines LoopHolder looks for the one that has control. The whole
// program stands still meanwhile: 10 µs for each of them.
var mostStacks = 20_000 // a variable only for tests

// LoopHolder implements [loop.Holder].
func (h *runner) LoopHolder() (name, stack string) {
	if n := runtime.NumGoroutine(); n > mostStacks {
		name = holderIn("")
		if t := h.holds.Load(); t != nil {
			name = t.String()
		}
		return name, fmt.Sprintf("(no stack: to look for it among those of %d goroutines would stop the program for long)", n)
	}
	return h.holder(greenlet.TakeStacks())
}

// holder names what has control, and returns its stack.
func (h *runner) holder(stacks *greenlet.Stacks) (name, stack string) {
	stack = string(stacks.Running(h.family))
	switch t := h.holds.Load(); {
	case t != nil:
		name = t.String()
	case h.debug:
		name = "its main function, or a callback,"
	default:
		name = holderIn(stack)
	}
	if stacks.InCoroutine(h.family) {
		name += " which waits for a function that iter.Pull has made a coroutine of (a wait in there stops the loop: " +
			"range over the iterator instead, or let a task of its own read it),"
	}
	return name, stack
}

// holderIn finds out from its stack what holds a loop outside of debug mode, in which no task is
// noted: that would be an atomic store at each switch.
func holderIn(stack string) string {
	if stack == "" {
		return "a task, or the main function, (REPAINT_DEBUG=1 says which, and sooner)"
	}
	inner := "" // the last function outside of this package
	for line := range strings.Lines(stack) {
		end := strings.LastIndexByte(line, '(') // of the name; the arguments have no brackets of this kind
		if end < 0 || strings.HasPrefix(line, "\t") {
			continue
		}
		call := line[:end]
		switch {
		case strings.HasPrefix(call, ownPackage+"(*Task[") && strings.HasSuffix(call, ".run"):
			return "a task that runs " + inner + " (REPAINT_DEBUG=1 says which, and sooner)"
		case !strings.HasPrefix(call, ownPackage):
			inner = call
		}
	}
	return "its main function, or a callback, (REPAINT_DEBUG=1 says so sooner)"
}

// ownPackage is how names of this package begin in stacks.
const ownPackage = "github.com/seed1239206e/repaint."

// LoopWaits tells, for a report, what the main function and each task wait for.
func (h *runner) LoopWaits() []string { return h.whoWaits() }

// verdict is what Run returns when main has returned err.
func (h *runner) verdict(err error) error {
	if h.panicked != nil {
		panic(h.panicked)
	}
	if h.stubborn != nil {
		err = both(err, &notJoined{h.stubborn})
	}
	return err
}

// both joins two errors, but returns a single one as it is.
func both(one, two error) error {
	switch {
	case one == nil:
		return two
	case two == nil:
		return one
	}
	return errors.Join(one, two)
}

// trace tells the loop's tracers about the main function.
//
//go:noinline
func (h *runner) trace(kind loop.TraceKind, text string) {
	loop.Trace(loop.TraceEvent{Kind: kind, Loop: h.loop, Text: text})
}

// nothing is a Runnable that does nothing. Scheduling it makes the driver look at its condition.
type nothing struct{}

func (nothing) RunInLoop() {}

type notJoined struct{ tasks []string }

func (e *notJoined) Error() string {
	text := ErrNotJoined.Error() + ", and was killed:"
	for _, t := range e.tasks {
		text += "\n\t" + t
	}
	return text
}

func (e *notJoined) Unwrap() error { return ErrNotJoined }

// joinPatience is how long the tasks that are left may take to end, in real time.
var joinPatience = 10 * time.Second // a variable only for tests

// end cancels the tasks and the main function's context, waits until they have ended, and closes
// the loop.
func (h *runner) end() {
	defer func() {
		if h.returned {
			h.panicked = h.loop.Bridge().UnobservedPanic()
		}
		h.close()
	}()
	h.current = nil
	h.over = true
	h.cancelTasks()
	if h.tasks.len() == 0 {
		return
	}
	defer h.killLeft()
	late := false
	patience := time.AfterFunc(joinPatience, func() { h.loop.Post(func() { late = true }) })
	defer patience.Stop()
	h.driver = greenlet.Current()
	// An error is a deadlock: no more of them will end.
	_ = h.loop.Drive(func() bool { return h.tasks.len() == 0 || late })
}

// cancelTasks ends the contexts of all tasks that are left.
func (h *runner) cancelTasks() {
	h.scope.release()
	h.watch.stop()
	for t := range h.tasks.all() {
		t.scope.cancel(context.Canceled, errEnded)
	}
}

// close ends the runner when all its tasks have ended.
func (h *runner) close() {
	if h.idle != nil {
		h.dismiss(greenlet.Lookup())
	}
	h.stopPolling()
	h.loop.Close()
	delist(h)
}

// killLeft kills the tasks that didn't end when they were cancelled, the last one first.
func (h *runner) killLeft() {
	h.drove()
	for h.tasks.len() > 0 {
		t := h.tasks.last()
		h.stubborn = append(h.stubborn, h.waits(t))
		_ = t.greenlet.Kill() // the outcome doesn't matter
		t.leave()
	}
}

// inCallback reports whether the caller, which isn't a task, is a callback and not the main
// function.
func (h *runner) inCallback() bool { return h.guest || h.loop.Bridge().Driving() }

// checkOuter refuses to wait for a future of a loop that stands still until this Run returns.
func (h *runner) checkOuter(c *loop.Latch) error {
	for o := h.outer; o != nil; o = o.outer {
		if !c.Outside(o.loop) {
			return fmt.Errorf("%w: %s belongs to the loop in one of whose functions this Run was called, and that loop can't go on before Run returns: await it outside of the inner Run", ErrOtherLoop, c)
		}
	}
	return nil
}

// checkLock refuses what switches to greenlets in another state of thread locking than they can run
// in.
func (h *runner) checkLock(call string) error {
	now := greenlet.CurrentThreadLock()
	if now == h.lock {
		return nil
	}
	return fmt.Errorf("%w: %s was called by a goroutine %s, while the tasks of this loop run in one %s: "+
		"call it before runtime.LockOSThread or after UnlockOSThread, and not in a callback from C", greenlet.ErrThreadLock, call, now, h.lock)
}

// whoWaits tells what the main function and each task wait for.
func (h *runner) whoWaits() []string {
	var all []string
	if h.mainWaits != nil {
		all = append(all, fmt.Sprintf("the main function waits for %s", h.mainWaits))
	}
	for t := range h.tasks.all() {
		all = append(all, h.waits(t))
	}
	return all
}

func (h *runner) waits(t *task) string {
	if t.waits == forNothing {
		return fmt.Sprintf("%s has switched away and waits for a switch", t)
	}
	return fmt.Sprintf("%s waits for %s", t, t.wanted())
}

// Stats are figures about the current loop.
type Stats struct {
	loop.Stats
	Switches   uint64 // transfers of control between greenlets, of the goroutine's whole family
	Tasks      int    // tasks that have not ended
	Waiting    int    // tasks that are suspended in an Await
	MaxWaiting int    // the largest number of them at any one time
}

// CurrentStats returns the figures of the calling goroutine's loop, or zeros outside a loop.
func CurrentStats() Stats {
	h, _ := here()
	if h == nil {
		return Stats{}
	}
	return Stats{
		Stats:      h.loop.Stats(),
		Switches:   h.family.Switches(),
		Tasks:      h.tasks.len(),
		Waiting:    h.waiting,
		MaxWaiting: h.most,
	}
}
