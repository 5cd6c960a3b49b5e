package sqlbackend

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/loop"
)

// Close waits for a call that still runs, until ctx ends: then that is stopped, and the rest goes
// on without the caller. If it can't wait itself, because its greenlet is being killed, a goroutine
// does it.
func (s *session) Close(ctx context.Context) error {
	if s.c.cleanup > 0 && explorer() == nil {
		closed := loop.NewPromise[struct{}](nil)
		closed.Future().SetName("the closing of a connection")
		closed.AskedBy(repaint.CurrentLoop())
		closed.UnderWay(true)
		go func() { closed.Complete(func() (struct{}, error) { return struct{}{}, s.shut() }) }()
		_, err := repaint.Await(ctx, closed.Future())
		if ctx.Err() != nil {
			s.abort()
		}
		return err
	}
	begun := false
	defer func() {
		if !begun {
			go s.shut()
		}
	}()
	err := block(ctx, func(context.Context) error { return s.shut() })
	// An error is the driver's, or says that shut wasn't called: calling it
	// twice does no harm.
	begun = err == nil
	return err
}

// abort has what the driver is doing fail at once.
func (s *session) abort() {
	if s.d.Abort != nil {
		s.d.Abort(&s.conn)
		return
	}
	s.stopping.Lock()
	defer s.stopping.Unlock()
	if s.stop != nil {
		s.stop()
	}
}

// stoppable returns the context that the driver is to get so that abort can end what it does. done
// says that it has ended.
func (s *session) stoppable(ctx context.Context) (_ context.Context, done func()) {
	if s.d.Abort != nil {
		return context.WithoutCancel(ctx), func() {} // the driver would only do the same
	}
	ctx, cancel := context.WithCancel(ctx)
	s.stopping.Lock()
	defer s.stopping.Unlock()
	before := s.stop
	s.stop = func() {
		cancel()
		if before != nil {
			before()
		}
	}
	return ctx, func() {
		cancel()
		s.stopping.Lock()
		defer s.stopping.Unlock()
		s.stop = before
	}
}

// enter waits for the turn to call the driver. It fails if the connection is closed.
func (s *session) enter() error {
	if err := s.turn.Lock(context.Background()); err != nil {
		return err
	}
	if s.closed {
		s.turn.Unlock()
		return driver.ErrBadConn
	}
	return nil
}

// shut closes the connection. It blocks.
func (s *session) shut() error {
	if err := s.enter(); err == driver.ErrBadConn {
		return nil
	} else if err != nil {
		return err
	}
	defer s.turn.Unlock()
	return s.shutLocked()
}

func (s *session) shutLocked() error {
	s.closed = true
	if s.left != nil {
		<-s.left
	}
	if s.pool == nil {
		if s.conn.conn == nil {
			return nil
		}
		if s.c.cleanup == 0 { // or else they go with the connection, without a word to the server for each
			s.conn.closeStatements()
		}
		return s.conn.conn.Close()
	}
	err := s.pool.Raw(func(any) error {
		if s.status != backend.Idle || s.dirty || s.access != asMade {
			return driver.ErrBadConn // so that no other caller gets it
		}
		s.conn.closeStatements()
		return nil
	})
	if errors.Is(err, driver.ErrBadConn) {
		err = nil
	}
	return errors.Join(err, s.pool.Close())
}
