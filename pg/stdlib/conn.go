package stdlib

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/pgvalues"
	"github.com/seed1239206e/repaint/pg"
)

// Conn is a virtual connection. (*sql.Conn).Raw passes it on, for what database/sql has no methods
// for:
//
//	err := conn.Raw(func(c any) error {
//		session, err := c.(*stdlib.Conn).Session(ctx)
//		…
//		_, err = session.CopyFrom(ctx, pgx.Identifier{"t"}, columns, rows)
//		return err
//	})
//
// Its methods must be called within Raw only: database/sql lets one goroutine at a time use it
// there. After the connection is closed they return driver.ErrBadConn.
type Conn struct {
	db     *pg.DB
	simple bool // statements have the simple protocol, unless they say otherwise

	// session is nil, but for a connection that owns one: from a statement that needs it until
	// database/sql puts the connection back.
	session *pg.Session
	lent    *pgx.Conn                   // the session's, if it is lent; nil otherwise
	back    func(context.Context) error // ends that
	tx      *pg.Tx                      // nil outside of a transaction
	txCtx   context.Context             // what the transaction was begun with; Commit has no other

	open int // results that haven't been closed

	owned  *connector // that ends with the connection; only after Driver.Open
	closed bool
}

var (
	_ driver.Conn               = (*Conn)(nil)
	_ driver.ConnBeginTx        = (*Conn)(nil)
	_ driver.ConnPrepareContext = (*Conn)(nil)
	_ driver.ExecerContext      = (*Conn)(nil)
	_ driver.QueryerContext     = (*Conn)(nil)
	_ driver.Pinger             = (*Conn)(nil)
	_ driver.NamedValueChecker  = (*Conn)(nil)
	_ driver.SessionResetter    = (*Conn)(nil)
	_ driver.Validator          = (*Conn)(nil)
)

// DB returns the pg.DB whose connections this one uses.
func (c *Conn) DB() *pg.DB { return c.db }

// Session returns the session that the connection owns. If the connection has none, it acquires
// one, and keeps it until the sql.Conn is closed. The caller must not release it. In a transaction
// Session returns an error: use [Conn.Tx] there.
func (c *Conn) Session(ctx context.Context) (*pg.Session, error) {
	if err := c.takeBack(ctx); err != nil {
		return nil, err
	}
	return c.own(ctx)
}

func (c *Conn) own(ctx context.Context) (*pg.Session, error) {
	switch {
	case c.closed:
		return nil, errClosed
	case c.tx != nil && c.session == nil:
		return nil, errors.New("pg/stdlib: Session in a transaction: the transaction owns the session: use Tx")
	case c.session == nil:
		s, err := c.db.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		c.session = s
	}
	return c.session, nil
}

// Pgx lends the connection as a *pgx.Conn, until the next call on the sql.Conn or its end. It is
// for code that needs one, such as pgvector's RegisterTypes. Pgx acquires a session if the
// connection has none. It lends the same pgx.Conn each time, which keeps the types that are
// registered in it. See pg.Session.Pgx for the rules. In a transaction of database/sql's it returns
// pg.ErrInUse.
func (c *Conn) Pgx(ctx context.Context) (*pgx.Conn, error) {
	switch {
	case c.lent != nil:
		return c.lent, nil
	case c.tx != nil:
		return nil, fmt.Errorf("pg/stdlib: lending a pgx.Conn: %w: the connection has an open transaction, end it first", pg.ErrInUse)
	}
	s, err := c.own(ctx)
	if err != nil {
		return nil, err
	}
	if c.lent, c.back, err = s.LendPgx(ctx); err != nil {
		return nil, err
	}
	return c.lent, nil
}

// Conn is [Conn.Pgx] under the name that it has in pgx's stdlib, so that code such as func(c any)
// error { … c.(*stdlib.Conn).Conn() … } needs no change. It returns nil where Pgx returns an error.
func (c *Conn) Conn() *pgx.Conn {
	conn, err := c.Pgx(context.Background())
	if err != nil {
		return nil
	}
	return conn
}

// takeBack ends the lending of a pgx.Conn.
func (c *Conn) takeBack(ctx context.Context) error {
	if c.lent == nil {
		return nil
	}
	back := c.back
	c.lent, c.back = nil, nil
	return back(ctx)
}

// Tx returns the connection's open transaction, or nil. The caller must end it through
// database/sql.
func (c *Conn) Tx() *pg.Tx { return c.tx }

var errClosed = fmt.Errorf("pg/stdlib: the connection is closed: %w", driver.ErrBadConn)

// A querier runs a connection's statements: a pg.DB, a pg.Session or a pg.Tx.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	Stream(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	describer
}

func (c *Conn) querier() querier {
	switch {
	case c.tx != nil:
		return inTx{c.tx}
	case c.session != nil:
		return inSession{c.session}
	}
	return onLane{c.db}
}

// onQuerier calls fn with the connection's querier. If a lane refuses the statement, the connection
// acquires a session, which it keeps, and calls fn again.
func (c *Conn) onQuerier(ctx context.Context, fn func(querier) error) error {
	if c.closed {
		return errClosed
	}
	if err := c.takeBack(ctx); err != nil {
		return err
	}
	err := fn(c.querier())
	if c.session == nil && c.tx == nil && errors.Is(err, pg.ErrRefusedOnLane) {
		if _, err = c.Session(ctx); err == nil {
			err = fn(c.querier())
		}
	}
	return c.asDriver(err)
}

// asDriver is the function asDriver, except that no error is a driver.ErrBadConn while rows are
// open. On that error database/sql closes the sql.Conn, which waits for the end of its rows. So the
// caller, which must close the rows, would wait for itself.
func (c *Conn) asDriver(err error) error {
	err = asDriver(err)
	if bad, is := err.(*badConn); is && c.open > 0 {
		return bad.error
	}
	return err
}

// ExecContext implements driver.ExecerContext.
func (c *Conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	var tag pgconn.CommandTag
	err := c.onQuerier(ctx, func(q querier) (err error) {
		tag, err = q.Exec(ctx, query, c.values(args, nil)...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return result(tag.RowsAffected()), nil
}

// QueryContext implements driver.QueryerContext.
func (c *Conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	var rows *rowsOf
	err := c.onQuerier(ctx, func(q querier) (err error) {
		run := q.Query
		if streamed(ctx) {
			run = q.Stream
		}
		got, err := run(ctx, query, c.values(args, pgvalues.Formats)...)
		if err != nil {
			if got != nil {
				got.Close()
			}
			return err
		}
		rows, err = newRows(c, got.(*pg.Rows))
		return err
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// values makes the arguments of pg's calls: the option, unless it is nil, and then the arguments.
//
// Package pg refuses arguments with the simple protocol. values replaces that by the mode exec,
// which takes one round trip and prepares nothing, too. GORM's migrator asks for the simple
// protocol with arguments, and so do connection strings for pgx.
func (c *Conn) values(args []driver.NamedValue, option any) []any {
	vs := make([]any, 0, len(args)+2)
	if option != nil {
		vs = append(vs, option)
	}
	if len(args) == 0 {
		return vs
	}
	mode, given := args[0].Value.(pgx.QueryExecMode)
	switch {
	case given && mode == pgx.QueryExecModeSimpleProtocol && len(args) > 1:
		vs, args = append(vs, pgx.QueryExecModeExec), args[1:]
	case !given && c.simple:
		vs = append(vs, pgx.QueryExecModeExec)
	}
	for _, a := range args {
		vs = append(vs, a.Value)
	}
	return vs
}

// CheckNamedValue accepts every value: package pg encodes what pgx can, and calls driver.Valuers
// itself.
func (c *Conn) CheckNamedValue(*driver.NamedValue) error { return nil }

// Ping implements driver.Pinger.
func (c *Conn) Ping(ctx context.Context) error {
	return c.onQuerier(ctx, func(q querier) error {
		switch q := q.(type) {
		case onLane:
			return q.Ping(ctx)
		case inSession:
			return q.Ping(ctx)
		}
		_, err := q.Exec(ctx, "-- ping")
		return err
	})
}

// Prepare implements driver.Conn. database/sql calls PrepareContext instead.
func (c *Conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext implements driver.ConnPrepareContext. In a task it doesn't ask the server:
// libraries that keep prepared statements, such as GORM, guard their making with mutexes and
// channels, which would block the loop. There the first execution reports what is wrong with the
// text.
func (c *Conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	switch {
	case c.closed:
		return nil, errClosed
	case repaint.InGreenlet():
		return &stmt{conn: c, query: query, inputs: unknown}, nil
	}
	var sd *pgconn.StatementDescription
	err := c.onQuerier(ctx, func(q querier) (err error) {
		sd, err = q.describe(ctx, query)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &stmt{conn: c, query: query, inputs: len(sd.ParamOIDs)}, nil
}

// Begin implements driver.Conn. database/sql calls BeginTx instead.
func (c *Conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx implements driver.ConnBeginTx.
func (c *Conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	options, err := txOptions(opts)
	switch {
	case err != nil:
		return nil, err
	case c.closed:
		return nil, errClosed
	}
	if err := c.takeBack(ctx); err != nil {
		return nil, err
	}
	var tx *pg.Tx
	if c.session != nil {
		tx, err = c.session.NewTx(ctx, options)
	} else {
		tx, err = c.db.NewTx(ctx, options)
	}
	if err != nil {
		return nil, c.asDriver(err)
	}
	c.tx, c.txCtx = tx, ctx
	return txOf{c}, nil
}

func txOptions(opts driver.TxOptions) (o pgx.TxOptions, err error) {
	switch level := sql.IsolationLevel(opts.Isolation); level {
	case sql.LevelDefault:
	case sql.LevelReadUncommitted:
		o.IsoLevel = pgx.ReadUncommitted
	case sql.LevelReadCommitted:
		o.IsoLevel = pgx.ReadCommitted
	case sql.LevelRepeatableRead, sql.LevelSnapshot:
		o.IsoLevel = pgx.RepeatableRead
	case sql.LevelSerializable:
		o.IsoLevel = pgx.Serializable
	default:
		return o, fmt.Errorf("pg/stdlib: begin: unsupported isolation: %v; PostgreSQL has ReadUncommitted, ReadCommitted, RepeatableRead and Serializable", level)
	}
	if opts.ReadOnly {
		o.AccessMode = pgx.ReadOnly
	}
	return o, nil
}

// ResetSession implements driver.SessionResetter. database/sql calls it before it lends the
// connection again.
func (c *Conn) ResetSession(context.Context) error {
	if c.closed {
		return errClosed
	}
	return nil
}

// IsValid implements driver.Validator. database/sql calls it when it gets the connection back, so
// IsValid releases the connection's session. A connection with an open transaction is invalid;
// closing it rolls the transaction back.
func (c *Conn) IsValid() bool {
	if c.tx != nil || c.closed {
		return false
	}
	c.release()
	return true
}

func (c *Conn) release() {
	if c.session != nil {
		_ = c.takeBack(context.Background()) // if it fails the connection is closed
		c.session.Release()
		c.session = nil
	}
}

// Close implements driver.Conn. An open transaction is rolled back.
func (c *Conn) Close() (err error) {
	if c.closed {
		return nil
	}
	c.closed = true
	if c.tx != nil {
		err = c.rollback()
	}
	c.release()
	if c.owned != nil {
		err = errors.Join(err, c.owned.Close())
	}
	return err
}
