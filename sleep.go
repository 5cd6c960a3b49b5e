package repaint

import (
	"context"
	"runtime"
	"time"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/loop"
)

// Sleep waits for d on the loop's clock, or in real time in a plain goroutine. If d isn't positive,
// Sleep gives all other ready tasks a turn. If the context ends first, Sleep returns its cause, as
// [Await] does.
func Sleep(ctx context.Context, d time.Duration) error {
	if err := loop.ContextError(ctx); err != nil {
		return err
	}
	h, g := here()
	switch {
	case h == nil:
		return sleepBlocking(ctx, d)
	case h.current == nil:
		return h.sleep(ctx, g, d)
	case d <= 0:
		return h.current.yield(ctx, g)
	}
	return h.current.sleep(ctx, g, d)
}

// sleep is Sleep in the main function.
func (h *runner) sleep(ctx context.Context, g *greenlet.Greenlet, d time.Duration) error {
	if h.explorer != nil {
		return h.sleepInTurn(ctx, g, d)
	}
	p := loop.NewPromise[struct{}](h.loop)
	timer := h.loop.CallLater(d, func() { p.Resolve(struct{}{}) })
	defer timer.Stop()
	p.Future().SetName("a sleep")
	return h.drive(ctx, "Sleep", g, &p.Future().Latch)
}

func (t *task) sleep(ctx context.Context, g *greenlet.Greenlet, d time.Duration) error {
	s := (*sleeping)(t)
	s.set(d)
	defer s.unset()
	if err := t.suspend(ctx, g); err != nil || t.rung {
		return err
	}
	return loop.ContextError(ctx)
}

// A sleeping task waits for its alarm. It has one alarm for all its sleeps.
type sleeping task

//go:noinline
func (s *sleeping) set(d time.Duration) {
	s.waits, s.rung = forAlarm, false
	if s.alarm == nil {
		s.alarm = s.runner.loop.ScheduleLater(d, s)
	} else {
		s.alarm.Reset(d)
	}
}

//go:noinline
func (s *sleeping) unset() {
	(*task)(s).unwound()
	s.alarm.Stop()
}

// RunInLoop resumes the task when the time is over.
func (s *sleeping) RunInLoop() {
	s.rung = true
	(*task)(s).RunInLoop()
}

// yield is a sleep without a duration.
func (t *task) yield(ctx context.Context, g *greenlet.Greenlet) error {
	y := (*yielding)(t)
	t.turns++
	t.runner.loop.Schedule(y)
	t.waits = forTurns
	defer t.unwound()
	// What follows repeats suspend. The processor mispredicts each return after a switch, so one frame
	// less saves time.
	t.prepare(ctx, g)
	for {
		if to := t.heir(); to != nil {
			_, err := to.Switch(nil)
			if strange := t.wake(); strange && err != nil {
				return err
			}
		}
		if t.turns == 0 {
			return nil
		}
		if err := loop.ContextError(ctx); err != nil {
			return err
		}
	}
}

// A yielding task has given up its turn and waits for the next one. It counts the turns that are still
// to come: there can be more than it waits for, because a task can leave a yield before its turn has
// come.
type yielding task

// RunInLoop resumes the task when its turn has come.
func (y *yielding) RunInLoop() {
	y.turns--
	(*task)(y).RunInLoop()
}

func sleepBlocking(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		runtime.Gosched()
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return loop.ContextError(ctx)
	}
}
