package sqlbackend

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/loop"
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
	access    access
	wanted    access // by the transaction that is pending
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
	return s.block(ctx, func(ctx context.Context) error {
		alone := s.status == backend.Idle
		err := s.readyFor(ctx, c.ReadOnly)
		if err == nil {
			err = s.mark(alone, func() error { return s.guarded(ctx, c.ReadOnly, func() error { return s.run(ctx, c) }) })
		}
		if err != nil {
			s.examine(ctx, err)
		}
		return err
	})
}

// mark calls fn, which sends a statement or a commit. If its fate is its own, because it is in no
// transaction that is rolled back with the connection, an error is marked after which
// nobody knows it.
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

// Begin puts the statement off until there is something to do.
func (s *session) Begin(_ context.Context, opts backend.TxOptions) error {
	s.status, s.pending = backend.InTx, s.d.BeginText(opts)
	s.wanted = s.accessOfTx(opts.ReadOnly)
	return nil
}

func (s *session) Commit(ctx context.Context) error {
	return s.endTx(ctx, "commit")
}

func (s *session) Rollback(ctx context.Context) error {
	if s.status != backend.InTx && s.status != backend.FailedTx {
		return nil
	}
	return s.endTx(ctx, "rollback")
}

func (s *session) endTx(ctx context.Context, text string) error {
	if len(s.pending) > 0 { // nothing was done in it
		s.pending, s.status = nil, backend.Idle
		return nil
	}
	return s.block(ctx, func(ctx context.Context) error {
		commit := text == "commit"
		var err error
		if commit {
			err = s.committable()
		}
		if err == nil {
			err = s.mark(commit, func() error {
				_, err := s.conn.exec(ctx, text, arguments{}, !s.d.SendsText)
				return err
			})
		}
		s.conn.statements.undo(true)
		if err != nil && s.status != backend.Broken && s.stillInTx(ctx, err) {
			// A commit that failed leaves the transaction open.
			if s.execSoon(ctx, "rollback") != nil {
				s.status = backend.Broken
			}
		}
		if s.status != backend.Broken {
			s.status = backend.Idle
		}
		return err
	})
}

func (s *session) Savepoint(ctx context.Context, name string) error {
	return s.control(ctx, "savepoint "+name)
}

func (s *session) Release(ctx context.Context, name string) error {
	return s.control(ctx, "release savepoint "+name)
}

func (s *session) RollbackTo(ctx context.Context, name string) error {
	return s.control(ctx, "rollback to savepoint "+name, "release savepoint "+name)
}

// control runs statements of the transaction's own.
func (s *session) control(ctx context.Context, texts ...string) error {
	return s.block(ctx, func(ctx context.Context) error {
		err := s.ready(ctx)
		for _, text := range texts {
			if err == nil {
				_, err = s.conn.exec(ctx, text, arguments{}, !s.d.SendsText)
			}
		}
		if strings.HasPrefix(texts[0], "rollback") {
			s.conn.statements.undo(false)
		}
		if err != nil {
			s.examine(ctx, err)
		} else if s.status == backend.FailedTx {
			s.status = backend.InTx // it went back to before the error
		}
		return err
	})
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
			return driver.ErrBadConn // so that nobody else gets it
		}
		s.conn.closeStatements()
		return nil
	})
	if errors.Is(err, driver.ErrBadConn) {
		err = nil
	}
	return errors.Join(err, s.pool.Close())
}

// block has fn called with the driver's connection, where blocking is allowed.
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
	err := block(ctx, func(ctx context.Context) error {
		if err := s.enter(); err != nil {
			return err
		}
		defer s.turn.Unlock()
		return s.use(func() error {
			if err := s.unexplored(ctx); err != nil {
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
		if !returned && !stop() { // a panic of the driver or the dialect, or the greenlet is unwound
			i.leave()
		}
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

// afterInterrupt brings the connection back to its senses if the driver's context has ended: the driver may have
// interrupted what had ended already, and then the connection bears the mark of that, or the next statement does.
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

// ready makes sure that the connection can take a statement, and begins the
// transaction that is pending.
func (s *session) ready(ctx context.Context) error {
	if s.status == backend.Idle {
		if r, ok := s.conn.conn.(driver.SessionResetter); ok {
			if err := r.ResetSession(ctx); err != nil {
				if errors.Is(err, driver.ErrBadConn) {
					s.status = backend.Broken
				}
				return err
			}
		}
	}
	if len(s.pending) == 0 {
		return nil
	}
	if err := s.setAccess(ctx, s.wanted); err != nil {
		return err
	}
	var err error
	for _, text := range s.pending {
		if _, err = s.conn.exec(ctx, text, arguments{}, !s.d.SendsText); err != nil {
			break
		}
	}
	if err == nil {
		s.pending = nil
		return nil
	}
	// A driver can report that the context has ended though the transaction
	// has begun.
	if (s.d.TxOpen != nil || s.d.TxState != nil) && s.stillInTx(ctx, err) {
		if s.execSoon(ctx, "rollback") != nil {
			s.status = backend.Broken
		}
	}
	if ctx.Err() == nil {
		s.pending, s.status = nil, backend.Idle
	} // or else it was only this statement's context: the next one begins it
	return err
}

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

// emulation is the name of the savepoint before a statement that is emulated.
const emulation = "repaint_emulation"

// emulate runs what makes up a statement, all of it or nothing.
func (s *session) emulate(ctx context.Context, c *backend.Call, run func(ctx context.Context) error) error {
	begin, commit, undo := s.d.BeginText(backend.TxOptions{}), "commit", "rollback"
	inTx := s.status != backend.Idle
	if inTx {
		begin, commit, undo = []string{"savepoint " + emulation}, "release savepoint "+emulation, "rollback to savepoint "+emulation
	}
	var err error
	for i := 0; i < len(begin) && err == nil; i++ {
		_, err = s.conn.exec(ctx, begin[i], arguments{}, !s.d.SendsText)
	}
	if err == nil {
		err = run(ctx)
	}
	if err == nil {
		_, err = s.conn.exec(ctx, commit, arguments{}, !s.d.SendsText)
	}
	if err != nil {
		s.undo(ctx, undo, inTx, err)
		c.Columns, c.Values, c.Affected = nil, nil, 0
		return err
	}
	switch n := len(c.Columns); {
	case !c.Rows:
		c.Columns, c.Values = nil, nil
	case c.MaxRows > 0 && c.Count() > c.MaxRows:
		c.Values = c.Values[: c.MaxRows*n : c.MaxRows*n]
	}
	return nil
}

// undo undoes what an emulated statement has done before it failed. If that can't be done
// the transaction can only be rolled back, or the connection is of no use.
func (s *session) undo(ctx context.Context, text string, inTx bool, why error) {
	for range 3 { // an interrupt that comes late hits one of them
		if s.execSoon(ctx, text) == nil {
			return
		}
	}
	switch {
	case !inTx:
		s.status = backend.Broken
	case s.stillInTx(ctx, why):
		s.status = backend.FailedTx
	}
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
