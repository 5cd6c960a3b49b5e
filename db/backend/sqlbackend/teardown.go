package sqlbackend

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/loop"
)

// Close waits for a running call until ctx ends. Then it stops the call, and the rest goes on
// without the caller. If the caller can't wait, because its greenlet is being killed, a goroutine
// closes the connection.
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
	// An error comes from the driver, or says that shut didn't run. A second call of shut does no
	// harm.
	begun = err == nil
	return err
}

// abort makes the driver's running call fail at once.
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

// stoppable returns a context for the driver that abort can end. done must be called when the
// driver no longer uses it.
func (s *session) stoppable(ctx context.Context) (_ context.Context, done func()) {
	if s.d.Abort != nil {
		return context.WithoutCancel(ctx), func() {} // Abort makes the context's end unnecessary
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

// enter waits for the turn to call the driver. It returns driver.ErrBadConn if the connection is
// closed.
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
		if s.c.cleanup == 0 { // otherwise they go with the connection, without a message to the server for each
			s.conn.closeStatements()
		}
		return s.conn.conn.Close()
	}
	err := s.pool.Raw(func(any) error {
		if s.status != backend.Idle || s.dirty || s.access != asMade {
			return driver.ErrBadConn // so that the sql.DB gives it to no other caller
		}
		s.conn.closeStatements()
		return nil
	})
	if errors.Is(err, driver.ErrBadConn) {
		err = nil
	}
	return errors.Join(err, s.pool.Close())
}
