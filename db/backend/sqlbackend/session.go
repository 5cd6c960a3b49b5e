package sqlbackend

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/db/backend"
)

// session is a Session on a blocking driver.
type session struct {
	d    *hooks
	c    *connector
	pool *sql.Conn // with hooks.DB: what keeps the connection ours

	// turn is held while the driver is called, in whichever goroutine that is. So nothing is ever
	// closed under a call. If a loop waits for the driver itself, a suspended task holds it. What
	// follows belongs to the caller of the running call.
	turn   coop.Mutex
	conn   Conn
	closed bool
	left   <-chan struct{} // of an interrupt that the call has not waited for, because its greenlet was unwound: closed when that is over

	// stop cancels the contexts of what the driver does; nil if there is nothing that abort may have
	// to end. It has a lock of its own, because abort is called beside a call.
	stopping sync.Mutex
	stop     func()

	streaming bool // a cursor reads rows, and the driver may interrupt that
	recovered bool // from what may have interrupted the running call
	calling   bool // the driver has been called, in block, and hasn't returned
	status    backend.Status
	dirty     bool     // a statement may have left something behind in the connection
	pending   []string // the statements that begin the transaction, not sent yet
	halfway   bool     // some of them were, and hold for the next transaction
	access    access
	wanted    access // by the transaction that is pending
	haste     haste
}

// open connects. It blocks, with the lock held. If it fails, the session must be
// shut.
func (s *session) open(ctx context.Context) (err error) {
	s.conn.statements = newStatementsOf(s.d.KeepStatements)
	if s.d.DB == nil {
		if s.conn.conn, err = s.d.Connector.Connect(ctx); err != nil {
			return err
		}
	} else {
		if s.pool, err = s.d.DB.Conn(ctx); err != nil {
			return err
		}
		err = s.pool.Raw(func(c any) error {
			var ok bool
			if s.conn.conn, ok = c.(driver.Conn); !ok {
				return fmt.Errorf("the connection (%T) is no driver.Conn", c)
			}
			return nil
		})
	}
	if err == nil {
		if s.c.cleanup > 0 {
			var done context.CancelFunc
			ctx, done = context.WithTimeout(ctx, setUpTimeout)
			defer done()
		}
		if s.d.Init != nil {
			err = s.use(func() error { return s.d.Init(ctx, &s.conn) })
		}
		if err == nil && s.d.Keep != nil {
			err = s.use(func() error { return s.d.Keep(ctx, &s.conn) })
		}
	}
	return err
}

// setUpTimeout is how long the first words with a new connection may take.
const setUpTimeout = 10 * time.Second

// Do converts the arguments, whose methods are the caller's code, where the
// caller is, and has the rest done where blocking is allowed.
func (s *session) Do(ctx context.Context, c *backend.Call) error {
	if err := s.convert(ctx, c); err != nil {
		return err
	}
	return s.soonest(ctx, s.isShort(c), c.Statement.Text, func(ctx context.Context) error {
		alone := s.status == backend.Idle
		err := s.readyFor(ctx, c.ReadOnly)
		if err == nil {
			began := c.Statement.Pace.Begin()
			err = s.mark(alone, func() error { return s.guarded(ctx, c.ReadOnly, func() error { return s.run(ctx, c) }) })
			s.timed(&c.Statement.Pace, began)
		}
		if err != nil {
			s.examine(ctx, err)
		}
		return err
	})
}

// mark calls fn, which sends a statement or a commit. If its fate is its own, because it is in no
// transaction that is rolled back with the connection, an error is marked after which
// it isn't known.
func (s *session) mark(alone bool, fn func() error) error {
	if !alone || s.d.Lost == nil {
		return fn()
	}
	open := s.d.Open != nil && s.d.Open(&s.conn)
	err := fn()
	switch {
	case err == nil:
	case errors.Is(err, driver.ErrBadConn):
		if open {
			return backend.UnknownOutcome(errLost)
		}
	case s.d.Lost(err):
		return backend.UnknownOutcome(err)
	}
	return err
}

// errLost stands for a driver.ErrBadConn that isn't relied on.
var errLost = fmt.Errorf("the connection was lost: %w", io.ErrUnexpectedEOF)

// DoMany is Do for several calls, in one go.
func (s *session) DoMany(ctx context.Context, calls []*backend.Call) (failed int, err error) {
	for i, c := range calls {
		if err := s.convert(ctx, c); err != nil {
			return i, err
		}
	}
	err = s.block(ctx, func(ctx context.Context) error {
		alone := s.status == backend.Idle
		err := s.ready(ctx)
		for i := 0; err == nil && i < len(calls); i++ {
			failed = i
			if err = ctx.Err(); err == nil {
				err = s.mark(alone, func() error { return s.run(ctx, calls[i]) })
			}
		}
		if err != nil {
			s.examine(ctx, err)
		}
		return err
	})
	return failed, err
}

// Ping asks the database whether it is there.
func (s *session) Ping(ctx context.Context) error {
	return s.block(ctx, func(ctx context.Context) error {
		if p, ok := s.conn.conn.(driver.Pinger); ok {
			return p.Ping(ctx)
		}
		return s.conn.Exec(ctx, "select 1")
	})
}

func (s *session) Status() backend.Status { return s.status }

// Calling tells whether a call has begun that hasn't returned.
func (s *session) Calling() bool { return s.calling }

func (s *session) run(ctx context.Context, c *backend.Call) error {
	if s.d.EndsUnseen && c.Statement.EndsItself && s.status == backend.InTx {
		return s.watched(ctx, func() error { return s.runPlain(ctx, c) })
	}
	return s.runPlain(ctx, c)
}

func (s *session) runPlain(ctx context.Context, c *backend.Call) error {
	st := c.Statement
	s.dirty = s.dirty || st.Session
	if st.Redefines {
		defer s.conn.statements.redefine(s.status != backend.Idle)
	}
	if s.d.emulates(st) && !st.Script {
		emulated, err := s.d.Emulate(&s.conn, c)
		if err != nil {
			return err
		}
		if emulated != nil {
			return s.emulate(ctx, c, emulated)
		}
	}
	if c.Rows {
		return s.conn.query(ctx, c, arguments{call: c})
	}
	if st.Script && s.d.OneStatement {
		return s.script(ctx, c)
	}
	if st.Returns && s.d.QueriesRows {
		if err := s.conn.query(ctx, c, arguments{call: c}); err != nil {
			return err
		}
		if st.Changes {
			c.Affected = int64(c.Count())
		}
		c.Columns, c.Values = nil, nil
		return nil
	}
	result, err := s.conn.exec(ctx, st.Text, arguments{call: c}, st.Plan)
	if err != nil || result == nil {
		return err
	}
	s.note(c, result)
	return nil
}

// script runs the statements of a script one by one.
func (s *session) script(ctx context.Context, c *backend.Call) error {
	for _, text := range c.Statement.Parts {
		result, err := s.conn.exec(ctx, text, arguments{}, false)
		if err != nil {
			return err
		}
		s.note(c, result)
	}
	return nil
}

// note puts into the call what a statement did.
func (s *session) note(c *backend.Call, result driver.Result) {
	st := c.Statement
	if st.Changes {
		if n, err := result.RowsAffected(); err == nil {
			c.Affected = n
		}
	}
	if st.Inserts {
		if id, err := result.LastInsertId(); err == nil && (id != 0 || !s.d.IDsFromOne) {
			c.LastID, c.HasID = id, true
		}
	}
}

// examine finds out in which state an error has left the connection.
func (s *session) examine(ctx context.Context, err error) {
	if errors.Is(err, driver.ErrBadConn) || s.d.Open != nil && !s.d.Open(&s.conn) {
		s.status = backend.Broken
	}
	if s.status == backend.Broken {
		return
	}
	if s.status == backend.InTx && len(s.pending) == 0 {
		if now := s.txStatus(ctx, err); s.status != backend.Broken { // asking for it may take too long
			s.status = now
		}
	}
	if ctx.Err() != nil && s.d.Interrupt == nil {
		if s.recover(ctx); s.status == backend.Broken {
			return
		}
	}
	if v, ok := s.conn.conn.(driver.Validator); ok && !s.streaming && !v.IsValid() {
		s.status = backend.Broken
	}
}

// execSoon runs a statement of the session's own, for a limited time.
func (s *session) execSoon(ctx context.Context, text string) error {
	return s.soon(ctx, func(ctx context.Context) error { return s.texts(ctx, text) })
}

// Raw calls fn with the driver's connection, where blocking is allowed.
func (s *session) Raw(ctx context.Context, readOnly bool, fn func(ctx context.Context, conn any) error) error {
	run := s.apart
	if explorer() != nil {
		run = s.block
	}
	return run(ctx, func(ctx context.Context) error {
		err := s.readyFor(ctx, readOnly)
		if err == nil {
			s.dirty = true
			call := func() error { return fn(ctx, s.conn.conn) }
			if s.d.EndsUnseen && s.status == backend.InTx {
				err = s.watched(ctx, call)
			} else {
				err = s.guarded(ctx, readOnly, call)
			}
		}
		if err != nil {
			s.examine(ctx, err)
		}
		return err
	})
}
