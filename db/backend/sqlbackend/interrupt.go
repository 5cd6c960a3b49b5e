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

// block calls fn with the driver's connection, on a goroutine that may block.
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

// apart is block for functions that may block in other ways than the driver does.
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
// unwound meanwhile, so is the driver, in the middle of an answer. The connection is useless then.
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

// interruptible calls fn, and interrupts the driver when ctx ends.
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
		if returned { // otherwise the driver or the dialect panics, or the greenlet is unwound
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
	// The interrupt may have come too late, and would then hit the next statement.
	s.recover(i.lasting)
	return s.ofContext(ctx, err)
}

// ofContext returns the context's error if err comes from the interrupt at the context's end. It
// returns any other err unchanged.
func (s *session) ofContext(ctx context.Context, err error) error {
	switch {
	case err == nil || s.d.Interrupted == nil || ctx.Err() == nil || !s.d.Interrupted(err):
		return err
	case errors.Is(err, backend.ErrUnknownOutcome):
		return backend.UnknownOutcome(loop.ContextError(ctx))
	}
	return loop.ContextError(ctx)
}

// abortable calls fn, which ends something. When ctx ends, it makes fn fail, at the cost of the
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

// soon calls fn, which undoes or finds out something after an error, and limits its time.
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

// afterInterrupt recovers the connection if the driver's context has ended. The driver may have
// interrupted a call that was already over; then the connection, or the next statement, bears the
// mark of that.
func (s *session) afterInterrupt(ctx context.Context) {
	if ctx.Err() != nil && s.d.Interrupt == nil && !s.recovered {
		s.recover(ctx)
	}
}

// recover makes the connection usable again after an interrupt.
func (s *session) recover(ctx context.Context) {
	if s.status == backend.Broken || s.d.Recover == nil || s.streaming {
		return // while there are rows, the connection looks like a broken one; see cursor.close
	}
	s.recovered = true
	err := s.soon(ctx, func(ctx context.Context) error { return s.d.Recover(ctx, &s.conn) })
	if err != nil {
		s.status = backend.Broken
	}
}

// interruption interrupts a call of a session unless the call ends before.
type interruption struct {
	s       *session
	lasting context.Context

	mu     sync.Mutex
	over   bool               // the call has ended
	cancel context.CancelFunc // not nil: run is under way
	done   chan struct{}      // closed when run has returned

	panicked *loop.PanicError // the panic of run, which end raises again
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

// end ends the interruption, and waits until run has returned. It reports whether the call was
// interrupted, or was about to be. It raises a panic of run again.
func (i *interruption) end() bool {
	if !i.finish() {
		return false
	}
	waited := block(context.Background(), func(context.Context) error {
		<-i.done
		return nil
	})
	if waited != nil { // run goes on, where this caller can't wait for it
		i.leave()
		return true
	}
	if i.panicked != nil {
		panic(i.panicked)
	}
	return true
}

// finish tells run to return. It reports whether run is under way.
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

// leave is end for a caller that can't wait. The session closes the connection next, which waits
// for run.
func (i *interruption) leave() {
	if i.finish() {
		i.s.left = i.done
	}
	i.s.status = backend.Broken
}

// unwoundTime is how long abandon interrupts a call whose caller has left.
const unwoundTime = 500 * time.Millisecond

// abandon interrupts a call that its caller left before the context ended. The session closes the
// connection next, but a busy server doesn't notice that. Neither waits for the other.
func (i *interruption) abandon() {
	i.s.status = backend.Broken
	go func() {
		until, cancel := context.WithTimeout(i.lasting, unwoundTime)
		defer cancel()
		defer func() { _ = recover() }() // drops a panic of the dialect: the caller has gone
		i.s.d.Interrupt(until, &i.s.conn)
	}()
}

// use calls fn while the session holds the connection in the eyes of database/sql too.
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
