package repainttest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/explore"
)

// Driver returns a connector for the same database whose statements are steps of the schedule in a
// loop that explores. Each statement, including BEGIN, COMMIT and ROLLBACK, begins when the
// schedule comes to it, one at a time. The next step is chosen when the statement has been answered
// or waits for a lock. Elsewhere the connector behaves like c.
//
//	pool := sql.OpenDB(repainttest.Driver(connector))
//
// So code on database/sql, and on libraries that use it, such as GORM and sqlx, can be explored
// unchanged, with the drivers for PostgreSQL, MySQL, MariaDB and SQLite. For other databases
// Explore doesn't know which statements wait for locks: it assumes that a statement does that has
// no answer for 200 ms. The exploration says so at its end, because its schedules may not repeat.
//
// Statements are steps if tasks, or the main function, call the pool. Other goroutines aren't
// scheduled. If the limit of the pool (SetMaxOpenConns) is lower than the number of tasks, the loop
// blocks, because database/sql blocks the goroutine. All rows of a query are read in its step.
//
// On PostgreSQL the victim of a deadlock is the transaction whose statement closes the circle, if
// the user is a superuser: Explore then sets deadlock_timeout for that statement. For other users
// the server's timer decides, so the victim may differ from run to run. The server alone decides
// which of three transactions that wait for the same row goes on first.
func Driver(c driver.Connector) driver.Connector { return &connector{inner: c} }

// A connector connects to one database.
type connector struct {
	inner driver.Connector

	mu    sync.Mutex
	known bool // what the database is
	about explore.Database

	asking sync.Mutex // while probe is used
	probe  driver.Conn

	sessions atomic.Int64
}

func (c *connector) Driver() driver.Driver { return c.inner.Driver() }

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.inner.Connect(ctx)
	if err != nil {
		return nil, err
	}
	conn := &conn{Conn: inner, c: c, session: -c.sessions.Add(1)}
	if err := c.identify(ctx, conn); err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	return conn, nil
}

// identify finds out which database it is, and the number of the session.
func (c *connector) identify(ctx context.Context, conn *conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known {
		c.about, c.known = explore.Recognize(ctx, conn.texts, c.ask), true
	}
	if c.about.Number == "" {
		return nil
	}
	rows, err := texts(ctx, conn.Conn, c.about.Number)
	if err != nil {
		return fmt.Errorf("asking for the session's number, to know whether it waits for a lock: %w", err)
	}
	_, err = fmt.Sscan(rows[0][0], &conn.session)
	return err
}

// ask sends a query on a connection that serves only this purpose.
func (c *connector) ask(ctx context.Context, query string) ([][]string, error) {
	c.asking.Lock()
	defer c.asking.Unlock()
	if c.probe == nil {
		var err error
		if c.probe, err = c.inner.Connect(ctx); err != nil {
			return nil, err
		}
	}
	rows, err := texts(ctx, c.probe, query)
	if err != nil {
		err = errors.Join(err, c.probe.Close())
		c.probe = nil
	}
	return rows, err
}

// Close implements [io.Closer] for the pool.
func (c *connector) Close() error {
	c.asking.Lock()
	defer c.asking.Unlock()
	var err error
	if c.probe != nil {
		err = c.probe.Close()
		c.probe = nil
	}
	if closer, ok := c.inner.(io.Closer); ok {
		err = errors.Join(err, closer.Close())
	}
	return err
}

// A conn is a connection whose statements are steps.
type conn struct {
	driver.Conn
	c        *connector
	session  int64
	patience explore.Patience // of SQLite
	lost     bool             // as a fault
	stepping bool             // a statement is under way, or waits for its turn; belongs to the loop
}

// Unwrap returns the driver's connection, for sql.Conn.Raw.
func (c *conn) Unwrap() driver.Conn { return c.Conn }

// step runs fn as a step, if there is a schedule.
func (c *conn) step(ctx context.Context, text string, args []driver.NamedValue, fn func(ctx context.Context) (string, error)) error {
	e := explore.At(repaint.CurrentLoop)
	if c.c.about.Lite {
		if err := c.patience.Take(ctx, e != nil, c.texts); err != nil {
			return err
		}
	}
	if e == nil {
		_, err := fn(ctx)
		return err
	}
	s := explore.Statement{Text: text, Args: showArgs(args), Server: c.c.about.Server, Session: c.session}
	if !c.c.about.Lite {
		s.Break, s.Raise = c.sever, c.raiser()
		if _, ok := s.Server.(*explore.Postgres); ok {
			s.Hasten = explore.Hastener(c.texts)
		}
	} else {
		c.patience.Has(&s)
	}
	c.stepping = true
	defer func() { c.stepping = false }()
	return e.Execute(ctx, s, fn)
}

// show describes the result of a statement.
func (c *conn) show(text string, r driver.Result, err error) (string, error) {
	if c.c.about.Lite && !explore.ChangesRows(text) {
		return "done", err
	}
	return showResult(r, err)
}

// texts returns the rows of a query on the connection itself.
func (c *conn) texts(ctx context.Context, query string) ([][]string, error) {
	return texts(ctx, c.Conn, query)
}

// sever loses the connection.
func (c *conn) sever() {
	c.lost = true
	_ = c.Conn.Close() // it is lost
}

// raiser returns how to have the database report an error, nil if it isn't known.
func (c *conn) raiser() func(ctx context.Context, state string) error {
	var raise func(state string) string
	rolls := false
	switch c.c.about.Server.(type) {
	case *explore.Postgres:
		raise = explore.RaisePostgres
	case *explore.MariaDB, *explore.MySQL:
		raise, rolls = explore.RaiseMySQL, true
	default:
		return nil
	}
	return func(ctx context.Context, state string) error {
		_, err := texts(ctx, c.Conn, raise(state))
		if rolls {
			_, e := texts(ctx, c.Conn, "rollback")
			err = errors.Join(err, e)
		}
		return err
	}
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	inner, err := prepare(ctx, c.Conn, query)
	if err != nil {
		return nil, err
	}
	return &stmt{Stmt: inner, c: c, query: query}, nil
}

func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	inner, ok := c.Conn.(driver.ExecerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	err = c.step(ctx, query, args, func(ctx context.Context) (string, error) {
		var err error
		result, err = inner.ExecContext(ctx, query, args)
		return c.show(query, result, err)
	})
	return result, err
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	inner, ok := c.Conn.(driver.QueryerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	return c.query(ctx, query, args, func(ctx context.Context) (driver.Rows, error) { return inner.QueryContext(ctx, query, args) })
}

// query runs fn as a step, and reads its rows in it.
func (c *conn) query(ctx context.Context, query string, args []driver.NamedValue, fn func(ctx context.Context) (driver.Rows, error)) (rows driver.Rows, err error) {
	explores := explore.At(repaint.CurrentLoop) != nil
	err = c.step(ctx, query, args, func(ctx context.Context) (string, error) {
		inner, err := fn(ctx)
		if err != nil || !explores {
			rows = inner
			return "", err
		}
		read, err := readRows(inner)
		if err != nil {
			return "", err
		}
		rows = read
		return read.show(), nil
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	text := "begin"
	if level := sql.IsolationLevel(opts.Isolation); level != sql.LevelDefault {
		text += " isolation level " + strings.ToLower(level.String())
	}
	if opts.ReadOnly {
		text += " read only"
	}
	var inner driver.Tx
	err := c.step(ctx, text, nil, func(ctx context.Context) (string, error) {
		var err error
		inner, err = begin(ctx, c.Conn, opts)
		return "done", err
	})
	if err != nil {
		return nil, err
	}
	t := &tx{inner, c, context.WithoutCancel(ctx), ctx, make(chan struct{})}
	if e := explore.At(repaint.CurrentLoop); e != nil && ctx.Done() != nil {
		e.Follow(t)
	}
	return t, nil
}

func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

func (c *conn) Ping(ctx context.Context) error {
	if p, ok := c.Conn.(driver.Pinger); ok {
		return p.Ping(ctx)
	}
	return nil
}

func (c *conn) ResetSession(ctx context.Context) error {
	if c.lost {
		return driver.ErrBadConn
	}
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

func (c *conn) IsValid() bool {
	v, ok := c.Conn.(driver.Validator)
	return !c.lost && (!ok || v.IsValid())
}

func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// A tx is a transaction whose end is a step. Its context has the values of the context of its
// beginning but never ends, so that a rollback is always sent.
//
// If the context of its beginning ends, database/sql rolls it back on a goroutine of its own, unless
// the program's own Rollback comes first. Both are the same to the schedule: the rollback is no step,
// and is over before a task gives up control.
type tx struct {
	driver.Tx
	c    *conn
	ctx  context.Context
	ends context.Context
	over chan struct{}
}

func (t *tx) Commit() error {
	defer close(t.over)
	return t.c.step(t.ctx, "commit", nil, func(context.Context) (string, error) { return "done", t.Tx.Commit() })
}

func (t *tx) Rollback() error {
	defer close(t.over)
	if t.ends.Err() != nil {
		return t.Tx.Rollback()
	}
	return t.c.step(t.ctx, "rollback", nil, func(context.Context) (string, error) { return "done", t.Tx.Rollback() })
}

// Over implements [explore.Followed].
func (t *tx) Over() (over <-chan struct{}, due bool) {
	return t.over, t.ends.Err() != nil && !t.c.stepping
}

// A stmt is a prepared statement whose executions are steps.
type stmt struct {
	driver.Stmt
	c     *conn
	query string
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (result driver.Result, err error) {
	err = s.c.step(ctx, s.query, args, func(ctx context.Context) (string, error) {
		var err error
		result, err = execStmt(ctx, s.Stmt, args)
		return s.c.show(s.query, result, err)
	})
	return result, err
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.c.query(ctx, s.query, args, func(ctx context.Context) (driver.Rows, error) { return queryStmt(ctx, s.Stmt, args) })
}

func (s *stmt) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	//lint:ignore SA1019 old drivers have it
	if converter, ok := s.Stmt.(driver.ColumnConverter); ok {
		var err error
		v.Value, err = converter.ColumnConverter(v.Ordinal - 1).ConvertValue(v.Value)
		return err
	}
	return s.c.CheckNamedValue(v)
}
