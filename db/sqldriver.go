package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint"
)

// SQLDriver adapts a blocking driver, one made for database/sql, for a dialect.
// It is called through repaint.Block, one Block for each statement with all its
// rows: inline in a plain goroutine, elsewhere in a loop. Drivers must have the
// Context forms of driver.Stmt's methods, as all that are maintained have.
type SQLDriver struct {
	// One of these opens connections. Those of a DB go back to it when they
	// are closed.
	Connector driver.Connector
	DB        *sql.DB

	Limits Limits
	// Init prepares a new connection; nil does nothing.
	Init func(ctx context.Context, c *SQLConn) error
	// BeginText returns the statement that begins a transaction.
	BeginText func(opts TxOptions) string
	// TxOpen tells, after an error in a transaction, whether it is still open.
	// Nil trusts that it is.
	TxOpen func(ctx context.Context, c *SQLConn) bool
	// Recover brings a connection back to its senses after a call was
	// interrupted; nil does nothing. An error means that it can't be used.
	Recover func(ctx context.Context, c *SQLConn) error
	// Arg converts an argument from what database/sql makes of it; nil leaves
	// it as it is.
	Arg func(v driver.Value) driver.Value
	// KeepStatements is how many prepared statements a connection keeps.
	KeepStatements int
	// OnClose ends what the dialect itself holds; nil does nothing.
	OnClose func() error
}

// SQLConnector returns the Connector of a blocking driver.
func SQLConnector(d SQLDriver) Connector { return &sqlConnector{d: d} }

type sqlConnector struct {
	d      SQLDriver
	checks atomic.Bool // the connections convert arguments themselves
}

// converts tells whether arguments can be converted without a connection. It is
// asked when there has been one.
func (c *sqlConnector) converts() bool { return !c.checks.Load() }

func (c *sqlConnector) convert(call *Call) error { return convertArgs(call, nil, c.d.Arg) }

func (c *sqlConnector) Limits() Limits { return c.d.Limits }

func (c *sqlConnector) Connect(ctx context.Context) (Session, error) {
	s := &sqlSession{d: &c.d, c: c}
	opened := false
	defer func() {
		if !opened {
			go s.shut() // if the greenlet was killed, as soon as it is open
		}
	}()
	_, err := repaint.Block(ctx, func(ctx context.Context) (struct{}, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed {
			return struct{}{}, driver.ErrBadConn
		}
		err := s.open(ctx)
		if err != nil {
			_ = s.shutLocked()
		}
		return struct{}{}, err
	})
	opened = true
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (c *sqlConnector) Close() error {
	if c.d.OnClose == nil {
		return nil
	}
	_, err := repaint.Block(context.Background(), func(context.Context) (struct{}, error) {
		return struct{}{}, c.d.OnClose()
	})
	return err
}

// SQLConn is a driver's connection in the hands of a dialect. It is called
// where blocking is allowed, and valid only during the call that got it.
type SQLConn struct {
	conn driver.Conn
	// statements has those prepared on the connection, each in nobody's use.
	statements statementsOf
	room       []driver.Value // for fetch; empty
}

// Exec runs a statement without arguments.
func (c *SQLConn) Exec(ctx context.Context, text string) error {
	_, err := c.exec(ctx, text, nil, false)
	return err
}

// Value returns the first value of the first row of a statement without
// arguments, nil if there is none.
func (c *SQLConn) Value(ctx context.Context, text string) (any, error) {
	call := Call{Statement: &Statement{Text: text}, MaxRows: 1}
	if err := c.query(ctx, &call, nil); err != nil {
		return nil, err
	}
	if call.count() == 0 {
		return nil, nil
	}
	return call.Values[0], nil
}

// exec runs a statement and returns nothing but what it did.
func (c *SQLConn) exec(ctx context.Context, text string, args []driver.NamedValue, keep bool) (driver.Result, error) {
	if !keep {
		if e, ok := c.conn.(driver.ExecerContext); ok {
			result, err := e.ExecContext(ctx, text, args)
			if !errors.Is(err, driver.ErrSkip) {
				return result, err
			}
		}
	}
	stmt, err := c.prepare(ctx, text, keep)
	if err != nil {
		return nil, err
	}
	if !keep {
		defer stmt.Close()
	}
	e, ok := stmt.(driver.StmtExecContext)
	if !ok {
		return nil, fmt.Errorf("the driver's statements (%T) have no ExecContext", stmt)
	}
	return e.ExecContext(ctx, args)
}

// query runs a statement and puts all its rows, up to the call's limit, into
// the call.
func (c *SQLConn) query(ctx context.Context, call *Call, args []driver.NamedValue) (err error) {
	st := call.Statement
	stmt, err := c.prepare(ctx, st.Text, st.Plan)
	if err != nil {
		return err
	}
	if !st.Plan {
		defer stmt.Close()
	}
	q, ok := stmt.(driver.StmtQueryContext)
	if !ok {
		return fmt.Errorf("the driver's statements (%T) have no QueryContext", stmt)
	}
	rows, err := q.QueryContext(ctx, args)
	if err != nil {
		return err
	}
	defer func() {
		// Closing can be what makes a write last, so its error counts.
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	return c.fetch(ctx, rows, call)
}

// largestRoom bounds how many values a connection keeps room for.
const largestRoom = 1 << 14

// fetch copies rows into the call. They are collected in room that the connection
// keeps, because nobody knows how many there will be.
func (c *SQLConn) fetch(ctx context.Context, rows driver.Rows, call *Call) error {
	names := rows.Columns()
	n := len(names)
	call.Columns = make([]Column, n)
	typed, _ := rows.(driver.RowsColumnTypeDatabaseTypeName)
	for i, name := range names {
		call.Columns[i].Name = name
		if typed != nil {
			call.Columns[i].Type = typed.ColumnTypeDatabaseTypeName(i)
		}
	}
	room, used := c.room, 0
	defer func() {
		if len(room) > largestRoom {
			call.Values, c.room = room[:used:used], nil
			return
		}
		call.Values = slices.Clone(room[:used])
		clear(room[:min(used+n, len(room))])
		c.room = room
	}()
	for count := 0; ; count++ {
		if count&255 == 255 && ctx.Err() != nil {
			return ctx.Err()
		}
		full := call.MaxRows > 0 && count >= call.MaxRows
		if full && !call.Statement.Writes { // a write has to be read to its end
			return nil
		}
		if used+n > len(room) {
			larger := make([]driver.Value, max(2*len(room), used+n, 32))
			copy(larger, room)
			room = larger
		}
		row := room[used : used+n]
		if err := rows.Next(row); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if !full {
			own(row)
			used += n
		}
	}
}

// own makes values independent of the driver, which may use its memory for the
// next row, and the same with every driver.
func own(row []driver.Value) {
	for i, v := range row {
		switch v := v.(type) {
		case []byte:
			row[i] = append([]byte{}, v...) // empty isn't NULL
		case time.Time:
			row[i] = v.UTC()
		}
	}
}

// prepare returns a statement. One that is to be kept must be used only until
// the next call to prepare.
func (c *SQLConn) prepare(ctx context.Context, text string, keep bool) (driver.Stmt, error) {
	if keep {
		if stmt := c.statements.get(text); stmt != nil {
			return stmt, nil
		}
	}
	var stmt driver.Stmt
	var err error
	if p, ok := c.conn.(driver.ConnPrepareContext); ok {
		stmt, err = p.PrepareContext(ctx, text)
	} else {
		stmt, err = c.conn.Prepare(text)
	}
	if err == nil && keep {
		c.statements.put(text, stmt)
	}
	return stmt, err
}
