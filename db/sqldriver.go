package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
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
	// Keep notes how a connection is set up, after Init and after Events.Connect. Reset undoes what
	// a user of the connection may have left behind that the texts of its statements don't show, and
	// fails if the connection isn't as Keep has found it. If they are nil nothing is undone, and a
	// connection is closed that has executed something obscure.
	Keep, Reset func(ctx context.Context, c *SQLConn) error
	// BeginText returns the statements that begin a transaction.
	BeginText func(opts TxOptions) []string
	// SetReadOnly makes a connection one on which the database refuses what writes, or takes that
	// back. Nil: statements that may only read are each put into a read-only transaction.
	SetReadOnly func(ctx context.Context, c *SQLConn, on bool) error
	// ReadOnlyTx: a transaction only reads if its connection does.
	ReadOnlyTx bool
	// TxOpen tells, after the given error in a transaction, whether it is still
	// open. Nil trusts that it is.
	TxOpen func(ctx context.Context, c *SQLConn, err error) bool
	// FailsTx tells whether an error in a transaction has made it one that can only be
	// rolled back, as a whole or to a savepoint. Nil: none does.
	FailsTx func(err error) bool
	// Recover brings a connection back to its senses after a call was
	// interrupted; nil does nothing. An error means that it can't be used.
	Recover func(ctx context.Context, c *SQLConn) error
	// Interrupt stops what the connection is doing, because the call's context
	// has ended: it is called on a goroutine of its own, and returns when until
	// has ended, which the call's own end does. With it the driver gets contexts
	// that don't end. Nil leaves it to the driver to notice.
	Interrupt func(until context.Context, c *SQLConn)
	// Abort has what the connection is doing fail at once, by closing the network connection under it. It
	// is called beside a call that ends something and has taken too long, see [TeardownTimeout].
	// Nil cancels the context that the driver has got.
	Abort func(c *SQLConn)
	// Interrupted tells whether a driver's error is what Interrupt brings about.
	Interrupted func(err error) bool
	// Lost tells whether an error means that the answer to what was sent never came, so
	// that it may have been applied, see [UnknownOutcome]; nil never does. It isn't
	// asked about driver.ErrBadConn, after which nothing was sent.
	Lost func(err error) bool
	// Open tells whether a connection is open as far as the driver knows. It is for
	// drivers whose driver.ErrBadConn can't be relied on: about a connection that was open
	// it is taken to mean that the answer never came. Nil relies on it.
	Open func(c *SQLConn) bool
	// Stale tells whether an error means that the prepared statement must be
	// prepared anew, and had no effect; nil never does.
	Stale func(err error) bool
	// Convert converts an argument in place of the driver's connection, which
	// isn't asked then, and before the rules of database/sql; the error
	// driver.ErrSkip leaves it to those. Nil asks the connection.
	Convert func(v any) (driver.Value, error)
	// Arg converts an argument from what database/sql makes of it, or refuses it; nil
	// leaves it as it is.
	Arg func(v driver.Value) (driver.Value, error)
	// Column returns how to convert the values of a column of the given type,
	// none of which is nil; nil, as function or result, leaves them as they are.
	Column func(typ string) func(v driver.Value) (driver.Value, error)
	// KeepStatements is how many prepared statements a connection keeps.
	KeepStatements int
	// TextArgs are arguments by which the driver knows that a text which is sent as it is isn't to be
	// remembered; nil if it remembers none.
	TextArgs []driver.NamedValue
	// SendsText: what begins and ends transactions, and queries that aren't worth
	// keeping and have no arguments, is sent as it is, because the database can't
	// prepare all of it.
	SendsText bool
	// OneStatement: a script is sent statement by statement.
	OneStatement bool
	// QueriesRows: a statement that returns rows is queried, also where they aren't
	// wanted, and its rows are counted for what it changed.
	QueriesRows bool
	// IDsFromOne: an id of 0 for the last row inserted means that it has none.
	IDsFromOne bool
	// Emulate returns how to run a statement that changes rows and returns them by means of
	// other statements, because the database hasn't it; nil has it run as it is. What it
	// returns is called in a transaction, or between savepoints, that is undone if it
	// fails, and puts what came of it into the call. Nil emulates nothing.
	Emulate func(c *SQLConn, call *Call) (func(ctx context.Context) error, error)
	// OnClose ends what the dialect itself holds; nil does nothing.
	OnClose func() error
}

// emulates reports whether the driver may have a statement run by means of others.
func (d *SQLDriver) emulates(st *Statement) bool { return d.Emulate != nil && st.Returns && st.Changes }

// SQLConnector returns the Connector of a blocking driver.
func SQLConnector(d SQLDriver) Connector { return &sqlConnector{d: d} }

type sqlConnector struct {
	d       SQLDriver
	asks    atomic.Int32  // an asks, as far as it is known
	cleanup time.Duration // for what ends something; 0 is no limit. Set before it is used
}

func (c *sqlConnector) asked() asks { return asks(c.asks.Load()) }

func (c *sqlConnector) Limits() Limits { return c.d.Limits }

func (c *sqlConnector) Connect(ctx context.Context) (Session, error) {
	s := &sqlSession{d: &c.d, c: c}
	s.conn.d, s.conn.asks = &c.d, &c.asks
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
	if c.d.Reset != nil {
		return resettable{s}, nil
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
	// Own is the dialect's. Init may set it; Interrupt, which runs beside the
	// calls, may only read it.
	Own any

	d    *SQLDriver
	conn driver.Conn
	// statements has those prepared on the connection, each in nobody's use.
	statements statementsOf
	// spare has been prepared for the next call, and isn't to be kept; nil if there is none.
	spare     driver.Stmt
	spareText string
	asks      *atomic.Int32  // the connector's
	room      []driver.Value // for fetch; empty
}

// Driver returns the driver's connection.
func (c *SQLConn) Driver() driver.Conn { return c.conn }

// Exec runs a statement without arguments.
func (c *SQLConn) Exec(ctx context.Context, text string) error {
	_, err := c.exec(ctx, text, arguments{}, false)
	return err
}

// Value returns the first value of the first row of a statement without
// arguments, nil if there is none.
func (c *SQLConn) Value(ctx context.Context, text string) (any, error) {
	call := Call{Statement: &Statement{Text: text}, MaxRows: 1}
	if err := c.query(ctx, &call, arguments{}); err != nil {
		return nil, err
	}
	if call.count() == 0 {
		return nil, nil
	}
	return call.Values[0], nil
}

// Select puts the rows of a query, all of them, into the call. keep tells that it will come
// again. The arguments are what the driver takes, see [Call.DriverArgs].
func (c *SQLConn) Select(ctx context.Context, into *Call, text string, keep bool, args ...driver.Value) error {
	call := Call{Statement: &Statement{Text: text, Traits: Traits{Plan: keep}}}
	if err := c.query(ctx, &call, arguments{given: ordinals(args)}); err != nil {
		return err
	}
	into.Columns, into.Values = call.Columns, call.Values
	return nil
}

// Run runs a statement that returns no rows, and returns how many it changed, and the key
// that was made for the first one that it inserted.
func (c *SQLConn) Run(ctx context.Context, text string, keep bool, args ...driver.Value) (affected, lastID int64, err error) {
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

// exec runs a statement and returns nothing but what it did.
func (c *SQLConn) exec(ctx context.Context, text string, args arguments, keep bool) (driver.Result, error) {
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

func (c *SQLConn) stale(err error) bool { return c.d.Stale != nil && c.d.Stale(err) }

// prepareAgain replaces a prepared statement that is kept.
func (c *SQLConn) prepareAgain(ctx context.Context, text string) (driver.Stmt, error) {
	c.statements.drop(text)
	return c.prepare(ctx, text, true)
}

// query runs a statement and puts all its rows, up to the call's limit, into
// the call.
func (c *SQLConn) query(ctx context.Context, call *Call, args arguments) (err error) {
	rows, done, err := c.rows(ctx, call.Statement, args)
	if err != nil {
		return err
	}
	defer func() {
		// Closing can be what makes a write last, so its error counts.
		if e := done(); err == nil {
			err = e
		}
	}()
	c.describe(rows, call)
	return c.fetch(ctx, rows, call)
}

// rows starts a query. done ends it.
func (c *SQLConn) rows(ctx context.Context, st *Statement, args arguments) (rows driver.Rows, done func() error, err error) {
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
			_ = stmt.Close() // the query's error says more
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

// describe tells the call what columns the rows have.
func (c *SQLConn) describe(rows driver.Rows, call *Call) {
	names := rows.Columns()
	typed, _ := rows.(driver.RowsColumnTypeDatabaseTypeName)
	call.Describe(len(names), func(i int) Column {
		if typed == nil {
			return Column{Name: names[i]}
		}
		return Column{Name: names[i], Type: typed.ColumnTypeDatabaseTypeName(i)}
	})
	call.convert = nil
	if typed == nil || c.d.Column == nil {
		return
	}
	for i := range names {
		if convert := c.d.Column(call.Columns[i].Type); convert != nil {
			if call.convert == nil {
				call.convert = make([]func(driver.Value) (driver.Value, error), len(names))
			}
			call.convert[i] = convert
		}
	}
}

// largestRoom bounds how many values a connection keeps room for.
const largestRoom = 1 << 14

// fetch copies rows into the call. They are collected in room that the connection
// keeps, because nobody knows how many there will be.
func (c *SQLConn) fetch(ctx context.Context, rows driver.Rows, call *Call) error {
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
		// A write has to be read to its end; and what a server sends is read to its end here, where
		// the context counts, and not by the driver's Close, where it may not.
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
			if err := call.own(row); err != nil {
				return err
			}
			used += n
		}
	}
}

// own makes values independent of the driver, which may use its memory for the
// next row, and the same with every driver.
func (c *Call) own(row []driver.Value) error {
	for i, v := range row {
		if c.convert != nil && v != nil && c.convert[i] != nil {
			var err error
			if row[i], err = c.convert[i](v); err != nil {
				return fmt.Errorf("column %d, %q: %w", i+1, c.Columns[i].Name, err)
			}
			continue
		}
		switch v := v.(type) {
		case []byte:
			row[i] = append([]byte{}, v...) // empty isn't NULL
		case time.Time:
			row[i] = v.UTC()
		}
	}
	return nil
}

// prepare returns a statement. One that is to be kept must be used only until
// the next call to prepare.
func (c *SQLConn) prepare(ctx context.Context, text string, keep bool) (driver.Stmt, error) {
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

func (c *SQLConn) closeSpare() {
	if c.spare != nil {
		_ = c.spare.Close() // its caller has gone
		c.spare = nil
	}
}

func (c *SQLConn) closeStatements() {
	c.closeSpare()
	c.statements.close()
}

// learn notes who has a say in arguments.
func (c *SQLConn) learn(stmt driver.Stmt) {
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
