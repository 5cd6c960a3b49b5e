package repaint

import (
	"context"
	"fmt"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/loop"
)

// This file is the bridge between greenlets and the loop. A task's life is
//
//	start        makes it, and run gives its greenlet control for the first time
//	carry        runs its function, in that greenlet, and then the next task's
//	suspend      gives control away, to the next task or to the driver, until what it waits for is done
//	RunInLoop    is called by the loop then, and gives it control again
//
// The main function has no greenlet of its own. It waits in drive, where the loop runs.

// start runs the task up to its first wait.
func (t *task) start(ctx context.Context, h *runner, me *greenlet.Greenlet, self job) {
	t.runner = h
	h.lastTask++
	t.id = h.lastTask
	t.waiter.Notify(h.loop, t)
	h.tasks.add(t)
	if h.lastTask == 1 {
		h.loop.Bridge().Attend() // the task may block before the loop is driven
	}
	t.scope.init(ctx, &t.waiter, h)
	if h.explorer != nil {
		h.begins(t)
	}
	t.greenlet = h.carrier(me)
	h.run(t, me, t.greenlet, self)
	if h.guest && !h.loop.Bridge().Driving() {
		h.loop.Schedule(nothing{}) // so that a tick ends, at which drivers write what the task has asked for
	}
}

// run gives control to a task, in its greenlet g, until it waits or ends.
func (h *runner) run(t *task, me, g *greenlet.Greenlet, arg any) {
	before, relays, resumer := h.current, h.relays, h.resumer
	if t.greenlet.Parent() != me {
		// When the task's greenlet ends, control must come back here. SetParent can fail only if
		// the task is an ancestor of the caller, and then the task isn't suspended in an Await.
		if err := t.greenlet.SetParent(me); err != nil {
			h.stray = err
			return
		}
	}
	h.current, h.relays, h.resumer = t, false, me
	if h.debug {
		h.holds.Store(t)
		defer h.holds.Store(before)
	}
	back := false
	defer func() {
		if !back { // a Goexit continues here, or the caller is killed: its deferred functions run as the caller
			h.current, h.relays, h.resumer = before, relays, resumer
		}
	}()
	_, err := g.Switch(arg)
	back = true
	h.current, h.relays, h.resumer = before, relays, resumer
	if before != nil && !t.ended {
		before.parental = true
	}
	if err != nil {
		h.strayed(err)
	}
}

// carry is the function of a carrier. Its argument is a job, and nil makes it end. Its frame, like
// those of all functions between here and the switch, is part of each suspended task's stack. If
// the task's own function needs little, that fits into the smallest stack that there is.
func carry(arg any) (_ any, err error) {
	for arg != nil && err == nil {
		arg, err = follow(arg.(job).run())
	}
	return nil, err
}

// follow waits for the next job after a task that has ended. It returns nil if the carrier must
// end. It is apart from carry so that its frame isn't part of a suspended task's stack.
//
//go:noinline
func follow(t *task) (any, error) {
	h := t.runner
	if !h.keep(t) {
		return nil, nil
	}
	arg, err := h.after().Switch(nil)
	if err == nil {
		h.legacy.Inherit()
	}
	return arg, err
}

// await suspends the task, in greenlet g, until the future is done or the context ends.
func (t *task) await(ctx context.Context, g *greenlet.Greenlet, c *loop.Latch) error {
	if done, err := t.subscribe(c); done {
		return err
	}
	defer t.awaited(c)
	t.waits, t.future = forFuture, c
	if err := t.suspend(ctx, g); err != nil || c.Done() {
		return err
	}
	return abandon(ctx, c)
}

// subscribe makes the future wake the task when it is done. It reports done if the future is done
// already or the task can't await it.
//
//go:noinline
func (t *task) subscribe(c *loop.Latch) (done bool, err error) {
	if err := t.runner.checkOuter(c); err != nil {
		return true, err
	}
	if !c.Subscribe(&t.waiter) {
		return true, nil
	}
	if c.Outside(t.runner.loop) {
		t.runner.loop.Bridge().Hold()
	}
	return false, nil
}

func (t *task) awaited(c *loop.Latch) {
	t.unwound()
	if c.Outside(t.runner.loop) {
		t.runner.loop.Bridge().Release()
	}
	if !c.Done() {
		c.Unsubscribe(&t.waiter)
	}
}

// suspend gives control away until the task has what it waits for or the context ends. It returns an
// error only if one was thrown into the greenlet. The caller must have looked at the context, set
// waits, and deferred unwound.
//
// If the context has ended since, or the task has got what it waits for, then the news is in the
// loop's queue already, or on its way there.
func (t *task) suspend(ctx context.Context, g *greenlet.Greenlet) error {
	t.prepare(ctx, g)
	for {
		if to := t.heir(); to != nil {
			_, err := to.Switch(nil)
			if strange := t.wake(); strange && err != nil {
				t.resumed()
				return err
			}
		}
		// The loop can resume the task for a reason that has passed: the reason was on its way when
		// another came first.
		if t.has() || ctx.Err() != nil {
			t.resumed()
			return nil
		}
	}
}

// prepare readies a task for a wait in greenlet g.
//
//go:noinline
func (t *task) prepare(ctx context.Context, g *greenlet.Greenlet) {
	if s, ok := ctx.(*scope); !ok || s != &t.scope {
		t.watch(ctx)
	}
	t.hasWaited = true
	if g != t.greenlet {
		t.details().elsewhere = g
	}
	if t.runner.notes || loop.Tracing() {
		t.note()
	}
}

// heir marks the task as suspended, and returns the greenlet that gets control instead of it, or nil
// if that is the task itself.
//
//go:noinline
func (t *task) heir() *greenlet.Greenlet {
	h := t.runner
	t.suspended = true
	if h.waiting++; h.waiting > h.most {
		h.most = h.waiting
	}
	if !h.relays {
		return h.resumer
	}
	switch next := h.successor(); next {
	case nil:
		return h.driver
	case t:
		return nil
	default:
		return next.where()
	}
}

// unwound ends a wait that hasn't ended in the ordinary way: the greenlet is being killed, and may
// recover.
func (t *task) unwound() {
	if t.waits != forNothing {
		t.resumed()
	}
}

func (t *task) resumed() {
	t.waits, t.future = forNothing, nil
	if t.more != nil {
		t.unwatch()
	}
	t.wake()
	if loop.Tracing() {
		t.trace(loop.TaskResumes, "")
	}
}

// wake counts the task as no longer suspended. It reports false if the loop has done so already, to
// resume it.
func (t *task) wake() bool {
	if !t.suspended {
		return false
	}
	t.suspended = false
	t.runner.waiting--
	return true
}

// RunInLoop resumes the task when its wait, or its context, has ended.
func (t *task) RunInLoop() {
	if !t.wake() {
		return
	}
	h := t.runner
	if h.debug || t.greenlet.Parent() != h.driver {
		h.run(t, h.driver, t.where(), nil)
		return
	}
	// This is run, written out for the ordinary case. The processor mispredicts each return after a
	// switch, so one frame less saves time.
	before := h.current
	h.current, h.relays = t, true
	_, err := t.where().Switch(nil)
	h.current, h.relays = before, false
	if err != nil {
		h.strayed(err)
	}
}

// drove is called after the loop has been driven, even if a Goexit has ended that and has bypassed
// RunInLoop. The caller has control again, and no task has it.
func (h *runner) drove() {
	h.current, h.relays = nil, false
	h.watch.waited()
}

// strayed deals with an error that reached the driver but wasn't meant for it.
func (h *runner) strayed(err error) {
	err = fmt.Errorf("repaint: an error was thrown into the greenlet that drives the loop: %w", err)
	if h.guest {
		h.loop.Report(err)
	} else {
		h.stray = err
		h.mainWaiter.Tell()
	}
}

// drive runs the loop until the future is done or the context ends. The main function waits in it.
func (h *runner) drive(ctx context.Context, call string, g *greenlet.Greenlet, c *loop.Latch) error {
	if h.inCallback() {
		return misplaced(ErrInCallback, call, "by a callback: spawn a task that waits, or use the future's OnDone")
	}
	if err := h.checkOuter(c); err != nil {
		return err
	}
	if err := h.checkLock(call); err != nil {
		return err
	}
	if !c.Subscribe(&h.mainWaiter) {
		return nil
	}
	outside := c.Outside(h.loop)
	if outside {
		h.loop.Bridge().Hold()
	}
	h.watch.over(ctx, &h.scope, &h.mainWaiter, h)
	h.mainWaits, h.mainCtx, h.driver = c, ctx, g
	if loop.Tracing() {
		h.trace(loop.TaskWaits, c.String())
	}
	defer func() {
		if loop.Tracing() {
			h.trace(loop.TaskResumes, "")
		}
		if !c.Done() {
			c.Unsubscribe(&h.mainWaiter)
		}
		if outside {
			h.loop.Bridge().Release()
		}
		h.mainWaits, h.mainCtx = nil, nil
		h.drove()
	}()
	until := func() bool { return c.Done() || ctx.Err() != nil || h.stray != nil }
	if h.explorer != nil {
		h.explorer.TaskWaits(explore.Main, c.String(), explore.Place())
		until = h.inTurn(until)
	}
	err := h.loop.Drive(until)
	switch {
	case err == loop.ErrDeadlock:
		return &DeadlockError{Waiting: h.whoWaits()}
	case err != nil:
		return err
	case c.Done():
		return nil
	case h.stray != nil:
		err, h.stray = h.stray, nil
		return err
	}
	return abandon(ctx, c)
}
