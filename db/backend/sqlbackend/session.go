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

// session is a backend.Session on a blocking driver.
type session struct {
	d    *hooks
	c    *connector
	pool *sql.Conn // with hooks.DB: reserves the connection for the session

	// turn is held during each call of the driver, on whichever goroutine it runs. So the session
	// never closes a connection during a call. If a loop waits for the driver itself, a suspended
	// task holds turn. The following fields belong to the caller of the running call.
	turn   coop.Mutex
	conn   Conn
	closed bool
	left   <-chan struct{} // closed when an interrupt is over for which the call hasn't waited, because its greenlet was unwound

	// stop cancels the contexts of the driver's calls; it is nil if abort has nothing to end. It
	// has a lock of its own, because abort runs during a call.
	stopping sync.Mutex
	stop     func()

	streaming bool // a cursor reads rows, which the driver may interrupt
	recovered bool // the connection was recovered after the running call
	calling   bool // block has called the driver, which hasn't returned
	status    backend.Status
	dirty     bool     // a statement may have left something behind in the connection
	pending   []string // the statements that begin the transaction, before they are sent
	halfway   bool     // some of pending were sent, and hold for the next transaction
	access    access
	wanted    access // the access that the pending transaction needs
	haste     haste
}

// open connects. It blocks, with the lock held. After an error, the caller must call shut.
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

// setUpTimeout limits Init and Keep on a new connection.
const setUpTimeout = 10 * time.Second

// Do converts the arguments on the caller's goroutine, because their methods are the caller's code.
// It does the rest where blocking is allowed.
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

// mark calls fn, which sends a statement or a commit. alone says that no enclosing transaction is
// rolled back with the connection. If so, mark marks an error after which the outcome is unknown.
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

// errLost replaces a driver.ErrBadConn that the driver can't be trusted with.
var errLost = fmt.Errorf("the connection was lost: %w", io.ErrUnexpectedEOF)

// DoMany is Do for several calls, all in one block.
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

// Ping checks the connection with a round trip to the database.
func (s *session) Ping(ctx context.Context) error {
	return s.block(ctx, func(ctx context.Context) error {
		if p, ok := s.conn.conn.(driver.Pinger); ok {
			return p.Ping(ctx)
		}
		return s.conn.Exec(ctx, "select 1")
	})
}

func (s *session) Status() backend.Status { return s.status }

// Calling reports whether a call of the driver has begun and hasn't returned.
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

// note puts the result of a statement into the call. Callers of Engine.SQL get 0 where the database
// made no key, as from its own driver.
func (s *session) note(c *backend.Call, result driver.Result) {
	st := c.Statement
	if st.Changes {
		if n, err := result.RowsAffected(); err == nil {
			c.Affected = n
		}
	}
	if st.Inserts || c.Native {
		id, err := result.LastInsertId()
		if !st.Inserts {
			id = 0 // SQLite's is that of an earlier statement, perhaps another caller's
		}
		if err == nil && (id != 0 || c.Native || !s.d.IDsFromOne) {
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
		if now := s.txStatus(ctx, err); s.status != backend.Broken { // finding out may take too long, which breaks the connection
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

// execSoon runs a statement of the session itself, for a limited time.
func (s *session) execSoon(ctx context.Context, text string) error {
	return s.soon(ctx, func(ctx context.Context) error { return s.texts(ctx, text) })
}

// Raw calls fn with the driver's connection, on a goroutine that may block.
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
