package sqlbackend

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
)

// Conn is a driver's connection, for the methods of a [Driver]. Its methods block, and may be
// called only during the call that got the Conn.
type Conn struct {
	// Own belongs to the dialect. Init may set it. Interrupt and Abort, which run at the same time
	// as a call, may only read it.
	Own any

	d    *hooks
	conn driver.Conn
	// statements holds the statements prepared on the connection. None of them is in use.
	statements statementsOf
	// spare is a statement that was prepared for the next call and won't be kept; nil if there is
	// none.
	spare     driver.Stmt
	spareText string
	asks      *atomic.Int32  // belongs to the connector
	room      []driver.Value // room for fetch; its length is 0
	step      stepping
}

// Driver returns the driver's connection.
func (c *Conn) Driver() driver.Conn { return c.conn }

// Exec runs a statement without arguments. Its error is the driver's.
func (c *Conn) Exec(ctx context.Context, text string) error {
	_, err := c.exec(ctx, text, arguments{}, false)
	return err
}

// Value returns the first value of the first row of a statement without arguments, or nil if there
// is no row. The value is the caller's own.
func (c *Conn) Value(ctx context.Context, text string) (any, error) {
	call := backend.Call{Statement: &backend.Statement{Text: text}, MaxRows: 1}
	if err := c.query(ctx, &call, arguments{}); err != nil {
		return nil, err
	}
	if call.Count() == 0 {
		return nil, nil
	}
	return call.Values[0], nil
}

// Select puts all rows of a query into the call. keep says that the query will come again, so that
// its prepared statement is worth keeping. The arguments are values that the driver takes, see
// [backend.Call.DriverArgs].
func (c *Conn) Select(ctx context.Context, into *backend.Call, text string, keep bool, args ...driver.Value) error {
	call := backend.Call{Statement: &backend.Statement{Text: text, Traits: backend.Traits{Plan: keep}}}
	if err := c.query(ctx, &call, arguments{given: ordinals(args)}); err != nil {
		return err
	}
	into.Columns, into.Values = call.Columns, call.Values
	return nil
}

// Run runs a statement that returns no rows. It returns the number of changed rows and the key of
// the first inserted one. keep and args are as for [Conn.Select].
func (c *Conn) Run(ctx context.Context, text string, keep bool, args ...driver.Value) (affected, lastID int64, err error) {
	result, err := c.exec(ctx, text, arguments{given: ordinals(args)}, keep)
	if err != nil || result == nil {
		return 0, 0, err
	}
	if affected, err = result.RowsAffected(); err == nil {
		lastID, err = result.LastInsertId()
	}
	return affected, lastID, err
}

func ordinals(args []driver.Value) []driver.NamedValue {
	all := make([]driver.NamedValue, len(args))
	for i, v := range args {
		all[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return all
}

// exec runs a statement and drops its rows.
func (c *Conn) exec(ctx context.Context, text string, args arguments, keep bool) (driver.Result, error) {
	if c.step.explorer != nil {
		return c.execStep(ctx, text, args, keep)
	}
	return c.execNow(ctx, text, args, keep)
}

func (c *Conn) execNow(ctx context.Context, text string, args arguments, keep bool) (driver.Result, error) {
	result, err := c.execOnce(ctx, text, args, keep)
	if err != nil && c.d.Refresh != nil && c.d.Refresh(ctx, c, text, err) {
		return c.execOnce(ctx, text, args, keep)
	}
	return result, err
}

func (c *Conn) execOnce(ctx context.Context, text string, args arguments, keep bool) (driver.Result, error) {
	if !keep {
		if e, ok := c.conn.(driver.ExecerContext); ok {
			values, err := args.of(c, nil)
			if err != nil {
				return nil, err
			}
			result, err := e.ExecContext(ctx, text, values)
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
	for again := false; ; again = true {
		e, ok := stmt.(driver.StmtExecContext)
		if !ok {
			return nil, fmt.Errorf("the driver's statements (%T) have no ExecContext", stmt)
		}
		values, err := args.of(c, stmt)
		if err != nil {
			return nil, err
		}
		result, err := e.ExecContext(ctx, values)
		if err == nil || again || !keep || !c.stale(err) {
			return result, err
		}
		if stmt, err = c.prepareAgain(ctx, text); err != nil {
			return nil, err
		}
	}
}

func (c *Conn) stale(err error) bool { return c.d.Stale != nil && c.d.Stale(err) }

// prepareAgain replaces a prepared statement that is kept by a new one.
func (c *Conn) prepareAgain(ctx context.Context, text string) (driver.Stmt, error) {
	c.statements.drop(text)
	return c.prepare(ctx, text, true)
}

// query runs a statement and puts all its rows, up to the call's limit, into the call.
func (c *Conn) query(ctx context.Context, call *backend.Call, args arguments) error {
	if c.step.explorer != nil {
		return c.queryStep(ctx, call, args)
	}
	return c.queryNow(ctx, call, args)
}

func (c *Conn) queryNow(ctx context.Context, call *backend.Call, args arguments) error {
	rows, done, err := c.rowsNow(ctx, call.Statement, args)
	if err != nil {
		return err
	}
	if err = c.read(ctx, rows, done, call); err == nil || call.Count() > 0 || !c.outdated(call.Statement, err) {
		return err
	}
	c.statements.drop(call.Statement.Text)
	if rows, done, e := c.rowsNow(ctx, call.Statement, args); e == nil {
		return c.read(ctx, rows, done, call)
	}
	return err // a failed transaction allows no second attempt
}

// read reads the rows of a query, and closes them.
func (c *Conn) read(ctx context.Context, rows driver.Rows, done func() error, call *backend.Call) (err error) {
	// Closing may be what makes a write durable, so its error counts.
	defer func() { err = andThen(err, done()) }()
	return c.fetch(ctx, rows, call, c.describe(rows, call))
}

// andThen returns the first of two errors. If both occurred, errors.Is and errors.As find the
// second too: it may be the one that has ended the transaction.
func andThen(first, second error) error {
	switch {
	case first == nil:
		return second
	case second == nil || errors.Is(first, second):
		return first
	}
	return &twoErrors{first, second}
}

type twoErrors struct{ first, second error }

func (e *twoErrors) Error() string   { return e.first.Error() }
func (e *twoErrors) Unwrap() []error { return []error{e.first, e.second} }

// outdated reports whether an error of a query's first row means that the query must be prepared
// anew.
func (c *Conn) outdated(st *backend.Statement, err error) bool {
	return st.Plan && !st.Writes && c.stale(err)
}

// rows starts a query. done ends it.
func (c *Conn) rows(ctx context.Context, st *backend.Statement, args arguments) (rows driver.Rows, done func() error, err error) {
	if c.step.explorer != nil {
		return c.rowsStep(ctx, st, args)
	}
	return c.rowsNow(ctx, st, args)
}

func (c *Conn) rowsNow(ctx context.Context, st *backend.Statement, args arguments) (rows driver.Rows, done func() error, err error) {
	if c.d.SendsText && !st.Plan && args.none() {
		if q, ok := c.conn.(driver.QueryerContext); ok {
			rows, err := q.QueryContext(ctx, st.Text, c.d.TextArgs)
			if !errors.Is(err, driver.ErrSkip) {
				if err != nil {
					return nil, nil, err
				}
				return rows, rows.Close, nil
			}
		}
	}
	stmt, err := c.prepare(ctx, st.Text, st.Plan)
	if err != nil {
		return nil, nil, err
	}
	for again := false; ; again = true {
		q, ok := stmt.(driver.StmtQueryContext)
		if ok {
			var values []driver.NamedValue
			if values, err = args.of(c, stmt); err == nil {
				rows, err = q.QueryContext(ctx, values)
			}
		} else {
			err = fmt.Errorf("the driver's statements (%T) have no QueryContext", stmt)
		}
		if err == nil {
			break
		}
		if !st.Plan {
			_ = stmt.Close() // the query's error is the more useful one
			return nil, nil, err
		}
		if again || !c.stale(err) {
			return nil, nil, err
		}
		if stmt, err = c.prepareAgain(ctx, st.Text); err != nil {
			return nil, nil, err
		}
	}
	if st.Plan {
		return rows, rows.Close, nil
	}
	return rows, func() error {
		err := rows.Close()
		if e := stmt.Close(); err == nil {
			err = e
		}
		return err
	}, nil
}

// columnConverters holds a function for each column, which converts its values; nil leaves them
// unchanged.
type columnConverters []func(driver.Value) (driver.Value, error)

// describe puts the rows' columns into the call, and returns the functions that convert their
// values.
func (c *Conn) describe(rows driver.Rows, call *backend.Call) columnConverters {
	names := rows.Columns()
	typed, _ := rows.(driver.RowsColumnTypeDatabaseTypeName)
	call.Describe(len(names), func(i int) backend.Column {
		if typed == nil {
			return backend.Column{Name: names[i]}
		}
		return backend.Column{Name: names[i], Type: typed.ColumnTypeDatabaseTypeName(i)}
	})
	if call.Native {
		call.Types = typesOf(rows, len(names))
	}
	column := c.d.of(call).Column
	if typed == nil || column == nil {
		return nil
	}
	var all columnConverters
	for i := range names {
		if convert := column(call.Columns[i].Type); convert != nil {
			if all == nil {
				all = make(columnConverters, len(names))
			}
			all[i] = convert
		}
	}
	return all
}

// typesOf returns what the driver says about columns.
func typesOf(rows driver.Rows, n int) []backend.ColumnType {
	types := make([]backend.ColumnType, n)
	scans, _ := rows.(driver.RowsColumnTypeScanType)
	lengths, _ := rows.(driver.RowsColumnTypeLength)
	nulls, _ := rows.(driver.RowsColumnTypeNullable)
	decimals, _ := rows.(driver.RowsColumnTypePrecisionScale)
	for i := range types {
		t := &types[i]
		if scans != nil {
			t.Scan = scans.ColumnTypeScanType(i)
		}
		if lengths != nil {
			t.Length, t.HasLength = lengths.ColumnTypeLength(i)
		}
		if nulls != nil {
			t.Nullable, t.KnowsNull = nulls.ColumnTypeNullable(i)
		}
		if decimals != nil {
			t.Precision, t.Scale, t.HasPrecision = decimals.ColumnTypePrecisionScale(i)
		}
	}
	return types
}

// largestRoom is the largest number of values for which a connection keeps room.
const largestRoom = 1 << 14

// fetch copies rows into the call. It collects them in room that the connection keeps, because
// their number isn't known beforehand.
func (c *Conn) fetch(ctx context.Context, rows driver.Rows, call *backend.Call, convert columnConverters) error {
	n := len(call.Columns)
	room, used := c.room, 0
	defer func() {
		if len(room) > largestRoom {
			call.Values, c.room = room[:used:used], nil
			return
		}
		call.Values = append(call.Room(used), room[:used]...)
		clear(room[:min(used+n, len(room))])
		c.room = room
	}()
	for count := 0; ; count++ {
		if count&255 == 255 && ctx.Err() != nil {
			return ctx.Err()
		}
		full := call.MaxRows > 0 && count >= call.MaxRows
		// A write must be read to its end. So must the answer of a server: here the context counts,
		// while the driver's Close may ignore it.
		if full && !call.Statement.Writes && c.d.Limits.Local {
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
			if err := convert.own(call, row); err != nil {
				return err
			}
			used += n
		}
	}
}

// own makes values independent of the driver, which may reuse its memory for the next row. Except
// for a Native call, it also makes them the same with every driver.
func (all columnConverters) own(call *backend.Call, row []driver.Value) error {
	for i, v := range row {
		if all != nil && v != nil && all[i] != nil {
			var err error
			if row[i], err = all[i](v); err != nil {
				return fmt.Errorf("column %d, %q: %w", i+1, call.Columns[i].Name, err)
			}
			continue
		}
		switch v := v.(type) {
		case []byte:
			row[i] = append([]byte{}, v...) // empty isn't NULL
		case time.Time:
			if !call.Native {
				row[i] = v.UTC()
			}
		}
	}
	return nil
}

// prepare returns a prepared statement. A statement that is kept must only be used until the next
// call to prepare.
func (c *Conn) prepare(ctx context.Context, text string, keep bool) (driver.Stmt, error) {
	if keep {
		if stmt := c.statements.get(text); stmt != nil {
			return stmt, nil
		}
	}
	if stmt := c.spare; stmt != nil {
		if !keep && c.spareText == text {
			c.spare = nil
			return stmt, nil
		}
		c.closeSpare()
	}
	var stmt driver.Stmt
	var err error
	if p, ok := c.conn.(driver.ConnPrepareContext); ok {
		stmt, err = p.PrepareContext(ctx, text)
	} else {
		stmt, err = c.conn.Prepare(text)
	}
	if err != nil {
		return nil, err
	}
	c.learn(stmt)
	if keep {
		c.statements.put(text, stmt)
	}
	return stmt, nil
}

func (c *Conn) closeSpare() {
	if c.spare != nil {
		_ = c.spare.Close() // the caller that it was prepared for has gone
		c.spare = nil
	}
}

func (c *Conn) closeStatements() {
	c.closeSpare()
	c.statements.close()
}

// learn notes what the driver needs to convert and check arguments.
func (c *Conn) learn(stmt driver.Stmt) {
	known := asks(c.asks.Load())
	switch _, named := c.conn.(driver.NamedValueChecker); {
	case known == asksStatement:
	case statementChecks(stmt):
		c.asks.Store(int32(asksStatement))
	case known == asksUnknown && named:
		c.asks.CompareAndSwap(int32(asksUnknown), int32(asksConn))
	case known == asksUnknown:
		c.asks.CompareAndSwap(int32(asksUnknown), int32(asksNobody))
	}
}
