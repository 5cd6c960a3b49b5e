package sqlbackend

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/loop"
)

// block calls fn with the driver's connection, where blocking is allowed.
func (s *session) block(ctx context.Context, fn func(ctx context.Context) error) error {
	s.calling = true
	if e := explorer(); e != nil {
		defer func() { s.calling = false }()
		return s.exploring(ctx, e, fn)
	}
	if s.c.Suspends() {
		return s.suspending(ctx, fn)
	}
	return s.apart(ctx, fn)
}

// apart is block for what may block in other ways than the driver does.
func (s *session) apart(ctx context.Context, fn func(ctx context.Context) error) error {
	s.calling = true
	s.haste.lengthy = true
	if repaint.CurrentLoop() != nil {
		s.c.calls.offloaded.Add(1)
	}
	err := block(ctx, func(ctx context.Context) error {
		if err := s.enter(); err != nil {
			return err
		}
		defer s.turn.Unlock()
		return s.use(func() error {
			if err := s.unexplored(ctx); err != nil {
				return err
			}
			if err := s.patient(ctx); err != nil {
				return err
			}
			return s.interruptible(ctx, fn)
		})
	})
	s.calling = false
	return err
}

// suspending is block in a loop that waits for the driver itself. If the caller's greenlet is
// unwound meanwhile, the driver is, too, in the middle of an answer. So the connection is of no use
// any more.
func (s *session) suspending(ctx context.Context, fn func(ctx context.Context) error) error {
	err := loop.ContextError(ctx)
	if err == nil {
		err = s.enter()
	}
	if err == nil {
		err = s.suspended(ctx, fn)
	}
	s.calling = false
	return err
}

func (s *session) suspended(ctx context.Context, fn func(ctx context.Context) error) error {
	returned := false
	defer func() {
		if !returned {
			s.status = backend.Broken
		}
		s.turn.Unlock()
	}()
	err := s.unexplored(ctx)
	if err == nil {
		err = s.interruptible(ctx, fn)
	}
	returned = true
	return err
}

// interruptible calls fn and has what it does interrupted when ctx ends.
func (s *session) interruptible(ctx context.Context, fn func(ctx context.Context) error) error {
	switch {
	case s.c.cleanup > 0 && backend.EndsSomething(ctx):
		return s.abortable(ctx, fn)
	case s.d.Interrupt == nil || ctx.Done() == nil:
		s.recovered = false
		err := fn(ctx)
		s.afterInterrupt(ctx)
		return s.ofContext(ctx, err)
	}
	i := &interruption{s: s, lasting: context.WithoutCancel(ctx)}
	stop := context.AfterFunc(ctx, i.run)
	returned := false
	defer func() {
		if returned { // or else it is a panic of the driver or the dialect, or the greenlet is unwound
			return
		}
		if stop() {
			i.abandon()
			return
		}
		i.leave()
	}()
	err := fn(i.lasting)
	returned = true
	if stop() || !i.end() {
		return err
	}
	// It may have come too late, and would hit the next statement.
	s.recover(i.lasting)
	return s.ofContext(ctx, err)
}

// ofContext returns the context's end for what its interrupt has made of a call.
func (s *session) ofContext(ctx context.Context, err error) error {
	switch {
	case err == nil || s.d.Interrupted == nil || ctx.Err() == nil || !s.d.Interrupted(err):
		return err
	case errors.Is(err, backend.ErrUnknownOutcome):
		return backend.UnknownOutcome(loop.ContextError(ctx))
	}
	return loop.ContextError(ctx)
}

// abortable calls fn, which ends something, and has it fail when ctx ends, at the cost of the
// connection.
func (s *session) abortable(ctx context.Context, fn func(ctx context.Context) error) error {
	inner, done := s.stoppable(ctx)
	defer done()
	stop := context.AfterFunc(ctx, s.abort)
	defer func() {
		if !stop() {
			s.status = backend.Broken
		}
	}()
	return fn(inner)
}

// soon calls fn, which undoes or finds out something after an error, for a limited time.
func (s *session) soon(ctx context.Context, fn func(ctx context.Context) error) error {
	if s.conn.step.explorer != nil {
		return s.conn.aside(func() error { return s.soon(ctx, fn) })
	}
	if s.c.cleanup == 0 {
		return fn(context.WithoutCancel(ctx))
	}
	ctx, done := backend.Ending(ctx, s.c.cleanup)
	defer done()
	return s.abortable(ctx, fn)
}

// afterInterrupt brings the connection back to its senses if the driver's context has ended: the
// driver may have interrupted what had ended already, and then the connection bears the mark of
// that, or the next statement does.
func (s *session) afterInterrupt(ctx context.Context) {
	if ctx.Err() != nil && s.d.Interrupt == nil && !s.recovered {
		s.recover(ctx)
	}
}

// recover brings the connection back to its senses after an interrupt.
func (s *session) recover(ctx context.Context) {
	if s.status == backend.Broken || s.d.Recover == nil || s.streaming {
		return // while there are rows the connection can't be told from one that is broken; see cursor.close
	}
	s.recovered = true
	err := s.soon(ctx, func(ctx context.Context) error { return s.d.Recover(ctx, &s.conn) })
	if err != nil {
		s.status = backend.Broken
	}
}

// interruption interrupts a call of a session, unless that ends before.
type interruption struct {
	s       *session
	lasting context.Context

	mu     sync.Mutex
	over   bool               // the call has ended
	cancel context.CancelFunc // not nil: run is in the middle of it
	done   chan struct{}      // closed when run has returned

	panicked *loop.PanicError // by run, for end to raise again
}

func (i *interruption) run() {
	i.mu.Lock()
	if i.over {
		i.mu.Unlock()
		return
	}
	until, cancel := context.WithCancel(i.lasting)
	i.cancel, i.done = cancel, make(chan struct{})
	i.mu.Unlock()
	defer close(i.done)
	defer func() {
		if r := recover(); r != nil {
			i.panicked = loop.Recovered(r)
		}
	}()
	i.s.d.Interrupt(until, &i.s.conn)
}

// end reports whether the call was interrupted, or was about to be, and waits until
// nothing of that is under way any more. It raises a panic of run.
func (i *interruption) end() bool {
	if !i.finish() {
		return false
	}
	waited := block(context.Background(), func(context.Context) error {
		<-i.done
		return nil
	})
	if waited != nil { // it may go on, where nothing can wait for it
		i.leave()
		return true
	}
	if i.panicked != nil {
		panic(i.panicked)
	}
	return true
}

// finish has the interrupt end. It reports whether there is one.
func (i *interruption) finish() bool {
	i.mu.Lock()
	i.over = true
	cancel := i.cancel
	i.mu.Unlock()
	if cancel == nil {
		return false
	}
	cancel()
	return true
}

// leave is end for a caller that can't wait. The connection is closed next, and that waits.
func (i *interruption) leave() {
	if i.finish() {
		i.s.left = i.done
	}
	i.s.status = backend.Broken
}

// unwoundTime is how long what a call has left behind is interrupted.
const unwoundTime = 500 * time.Millisecond

// abandon interrupts what is still going on for a call that was left before its context has ended: closing the
// connection, which comes next, doesn't tell a server that is at work. Neither waits for the other.
func (i *interruption) abandon() {
	i.s.status = backend.Broken
	go func() {
		until, cancel := context.WithTimeout(i.lasting, unwoundTime)
		defer cancel()
		defer func() { _ = recover() }() // of the dialect: the caller has gone
		i.s.d.Interrupt(until, &i.s.conn)
	}()
}

// use calls fn while the connection is ours in the eyes of database/sql too.
func (s *session) use(fn func() error) error {
	if s.pool == nil {
		return fn()
	}
	var err error
	rawErr := s.pool.Raw(func(any) error {
		err = fn()
		return nil
	})
	if rawErr != nil {
		return rawErr
	}
	return err
}
