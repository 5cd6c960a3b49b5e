package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/statements"
)

// VirtualConn is a virtual connection of the sql.DB that [Engine.SQL] returns. (*sql.Conn).Raw lends it,
// for features that database/sql doesn't have:
//
//	err := conn.Raw(func(c any) error {
//		own, err := c.(*db.VirtualConn).Conn(ctx)
//		…
//		return own.Raw(ctx, func(ctx context.Context, c any) error { … })
//	})
//
// Its methods must not be called outside of Raw, because database/sql guards it. Most of them implement
// interfaces of database/sql/driver, and database/sql calls them.
type VirtualConn struct {
	e    *Engine
	conn *Conn // which it owns until database/sql puts the VirtualConn back; nil if it owns none

	tx     *Tx             // nil outside of a transaction
	txCtx  context.Context // of its BeginTx; Commit has no other
	marks  []sqlMark       // its savepoints
	open   int             // results that aren't closed
	used   int             // statements and transactions since database/sql took it
	alone  sqlSetting      // what the first of them has changed; empty if nothing
	closed bool
}

var (
	_ driver.Conn               = (*VirtualConn)(nil)
	_ driver.ConnBeginTx        = (*VirtualConn)(nil)
	_ driver.ConnPrepareContext = (*VirtualConn)(nil)
	_ driver.ExecerContext      = (*VirtualConn)(nil)
	_ driver.QueryerContext     = (*VirtualConn)(nil)
	_ driver.Pinger             = (*VirtualConn)(nil)
	_ driver.NamedValueChecker  = (*VirtualConn)(nil)
	_ driver.SessionResetter    = (*VirtualConn)(nil)
	_ driver.Validator          = (*VirtualConn)(nil)
)

// Engine returns the Engine whose connections the VirtualConn uses.
func (c *VirtualConn) Engine() *Engine { return c.e }

// Conn returns the connection that the VirtualConn owns. If it owns none, it checks one out and keeps it
// until the sql.Conn is closed. The caller must not close the Conn. In a transaction Conn returns
// [ErrMisuse]; use [VirtualConn.Tx] there.
func (c *VirtualConn) Conn(ctx context.Context) (*Conn, error) {
	switch {
	case c.closed:
		return nil, driver.ErrBadConn
	case c.tx != nil:
		return nil, c.e.fail(ctx, "connect", nil, misuse("connect", "a transaction has the connection; use Tx of the VirtualConn"))
	case c.conn == nil:
		conn, err := c.e.Connect(ctx)
		if err != nil {
			return nil, err
		}
		c.conn, c.alone = conn, sqlSetting{}
		for _, s := range c.e.door.settings() {
			if _, err := conn.Exec(ctx, s.text); err != nil {
				c.release()
				return nil, err
			}
		}
	}
	return c.conn, nil
}

// Tx returns the transaction that is open, or the savepoint in it that was set last; nil if there is
// none. The caller must end it through database/sql.
func (c *VirtualConn) Tx() *Tx {
	if n := len(c.marks); n > 0 {
		return c.marks[n-1].tx
	}
	return c.tx
}

// ExecContext implements driver.ExecerContext.
func (c *VirtualConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	var call call
	st, err := c.prepare(ctx, &call, query, args)
	switch {
	case err != nil:
		return nil, err
	case st == nil: // an empty text
		return sqlResult{}, nil
	case st.Savepoint.Op != "":
		return sqlResult{}, c.mark(ctx, st.Savepoint)
	}
	if err := c.do(ctx, "exec", &call); err != nil {
		return nil, c.beside(c.asDriver(err))
	}
	return sqlResult{call.result()}, nil
}

// QueryContext implements driver.QueryerContext.
func (c *VirtualConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows := &sqlRows{}
	r := &rows.r
	r.call.Rows = true
	st, err := c.prepare(ctx, &r.call, query, args)
	switch {
	case err != nil:
		return nil, err
	case st == nil:
	case st.Savepoint.Op != "":
		err = c.mark(ctx, st.Savepoint)
	case streamsSQL(ctx):
		err = c.stream(ctx, r)
	default:
		err = c.do(ctx, "query", &r.call)
	}
	if err != nil {
		return nil, c.beside(c.asDriver(err))
	}
	rows.c = c
	c.open++
	return rows, nil
}

// beside hides driver.ErrBadConn in an error while rows are open. On ErrBadConn database/sql closes
// the sql.Conn, which waits until its rows are closed. The caller would wait for itself, because only
// it can close them.
func (c *VirtualConn) beside(err error) error {
	if c.open > 0 && errors.Is(err, driver.ErrBadConn) {
		return besideRows{err}
	}
	return err
}

// besideRows is an error in which errors.Is doesn't find driver.ErrBadConn, but everything else.
type besideRows struct{ error }

func (e besideRows) As(target any) bool { return errors.As(e.error, target) }

func (e besideRows) Is(target error) bool {
	return target != driver.ErrBadConn && errors.Is(e.error, target)
}

// prepare puts a text of a caller of database/sql into the call. It returns nil for an empty text.
func (c *VirtualConn) prepare(ctx context.Context, call *call, query string, args []driver.NamedValue) (*statements.Native, error) {
	if c.closed {
		return nil, driver.ErrBadConn
	}
	c.used++
	if d, knows := c.e.dialect.(backend.HintKnower); knows {
		for len(args) > 0 && d.IsHint(args[0].Value) {
			args = args[1:]
		}
	}
	st, err := c.e.native(query, len(args))
	if err == nil && st != nil {
		err = c.e.refuseNative(st, call.Rows)
	}
	if err != nil || st == nil {
		return nil, c.e.events.fail(ctx, err)
	}
	conf := &c.e.conf.conn
	call.Native, call.conf, call.ReadOnly = true, conf, conf.tx.ReadOnly
	call.use(&st.Statement)
	if call.Args = call.argRoom[:0]; len(args) > len(call.argRoom) {
		call.Args = make([]any, 0, len(args))
	}
	for _, arg := range args {
		v := arg.Value
		if arg.Name != "" {
			v = sql.NamedArg{Name: arg.Name, Value: v}
		}
		call.Args = append(call.Args, v)
	}
	if st.Tells != "" && c.conn == nil && c.tx == nil {
		err := misuse("prepare", "%s asks about an earlier statement of its connection, and there was none", st.Tells)
		err.Hint = "use the Result of that statement, or RETURNING; or run both in a transaction"
		return nil, c.e.fail(ctx, "prepare", call, err)
	}
	return st, nil
}

// do runs a statement in the transaction, on the owned connection, or on any.
func (c *VirtualConn) do(ctx context.Context, op string, call *call) error {
	if tx := c.Tx(); tx != nil {
		return tx.conn.do(ctx, tx, op, call)
	}
	if call.st.Session && c.conn == nil {
		if ask := c.asks(call.st.Text); ask != "" {
			return c.change(ctx, ask, op, call)
		}
	}
	conn, err := c.owned(ctx, call.st)
	switch {
	case err != nil:
		return err
	case conn == nil:
		return c.e.once(ctx, op, call)
	}
	return conn.do(ctx, nil, op, call)
}

// owned returns the connection that the VirtualConn owns; nil if it owns none. If the statement leaves
// something behind, the VirtualConn owns a connection from now on. It needs one of its own for what
// the text doesn't show, too, because other callers might share it.
func (c *VirtualConn) owned(ctx context.Context, st *statements.Statement) (*Conn, error) {
	if c.conn == nil && !st.Session && (!st.Obscure || c.e.shared != nil) && c.e.door.settings() == nil {
		return nil, nil
	}
	return c.Conn(ctx)
}

// stream is do for a query whose rows are fetched while they are read.
func (c *VirtualConn) stream(ctx context.Context, r *Rows) error {
	if tx := c.Tx(); tx != nil {
		return tx.conn.streamRows(ctx, tx, false, r)
	}
	conn, err := c.owned(ctx, r.call.st)
	switch {
	case err != nil:
		return err
	case conn == nil:
		return c.e.streamRows(ctx, r)
	}
	return conn.streamRows(ctx, nil, false, r)
}

// CheckNamedValue implements driver.NamedValueChecker. It accepts every value: the driver under the
// Engine checks it when the statement is executed.
func (c *VirtualConn) CheckNamedValue(*driver.NamedValue) error { return nil }

// Ping implements driver.Pinger. It costs a round trip to the database.
func (c *VirtualConn) Ping(ctx context.Context) error {
	_, err := c.ExecContext(ctx, "select 1", nil)
	return err
}

// Prepare implements driver.Conn. database/sql calls PrepareContext instead.
func (c *VirtualConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext implements driver.ConnPrepareContext. It doesn't use the database.
func (c *VirtualConn) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	if c.closed {
		return nil, driver.ErrBadConn
	}
	return &sqlStmt{c, query}, nil
}

// ResetSession implements driver.SessionResetter. database/sql calls it before it lends the connection
// again.
func (c *VirtualConn) ResetSession(context.Context) error {
	if c.closed {
		return driver.ErrBadConn
	}
	return nil
}

// IsValid implements driver.Validator. database/sql calls it when it gets the connection back, so
// IsValid gives back the connection that the VirtualConn owns. It reports false while a transaction is
// open, which then ends with the VirtualConn.
func (c *VirtualConn) IsValid() bool {
	if c.tx != nil || c.closed {
		return false
	}
	if c.used == 1 && c.alone.ask != "" {
		c.e.door.change(c.alone)
	}
	c.used, c.alone = 0, sqlSetting{}
	c.release()
	return true
}

func (c *VirtualConn) release() {
	if c.conn != nil {
		_ = c.conn.Close() // it never fails when nothing runs on it
		c.conn = nil
	}
}

// Close implements driver.Conn. An open transaction is rolled back.
func (c *VirtualConn) Close() (err error) {
	if c.closed {
		return nil
	}
	if c.tx != nil {
		err = sqlTx{c}.Rollback()
	}
	c.closed = true
	c.release()
	return err
}
