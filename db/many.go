package db

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/scanning"
	"github.com/seed1239206e/repaint/db/internal/statements"
	"github.com/seed1239206e/repaint/db/internal/turns"
)

// Limits of one statement of many rows.
const (
	manyRows  = 1000
	manyBytes = 1 << 20 // bytes of values; servers limit the size of a statement
	// manyParams is below every database's limit, because larger statements aren't faster.
	manyParams = 8000
	manyCalls  = 256 // statements sent at once if the rows can't be in one statement
)

// ExecMany runs a statement once for each row. A row is a struct, a map or a slice of [Named] values,
// as the arguments of a single statement are. All rows run in one transaction, or in a savepoint of q's
// transaction: all or nothing. Rows of an INSERT … VALUES are sent many at a time. An error about
// a row has its index, from 0.
func ExecMany[A any](ctx context.Context, q Querier, query string, rows []A) (Result, error) {
	var result Result
	err := many(ctx, q, query, false, len(rows), func(i int) any { return rows[i] }, func(c *call) error {
		result.affected += c.Affected
		result.lastID, result.hasID = c.LastID, c.HasID
		return nil
	})
	if err != nil {
		return Result{}, err
	}
	return result, nil
}

// QueryMany is [ExecMany] for a statement that returns one result for each row, as INSERT … RETURNING
// does. The results, see [All], are in the order of the rows; for an INSERT … VALUES that relies on
// the database, and the databases here keep the order. Any other number of results is [ErrNoRows] or
// [ErrMultipleRows], and nothing is done.
func QueryMany[T, A any](ctx context.Context, q Querier, query string, rows []A) ([]T, error) {
	results := make([]T, 0, len(rows))
	var scan func(row []driver.Value, dest *T) error
	err := many(ctx, q, query, true, len(rows), func(i int) any { return rows[i] }, func(c *call) error {
		var err error
		if scan == nil {
			if scan, err = scanning.For[T](c.columns()); err != nil {
				return c.scanned(err)
			}
		}
		n := len(c.Columns)
		for i := range c.Count() {
			var v T
			if err := scan(c.Values[i*n:(i+1)*n], &v); err != nil {
				return c.scanned(err)
			}
			results = append(results, v)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// many runs a statement for n rows and calls took with the results, piece by piece and in order.
func many(ctx context.Context, q Querier, query string, wantRows bool, n int, row func(i int) any, took func(c *call) error) error {
	own, ok := q.(interface{ engine() *Engine })
	if !ok {
		return misuse("exec", "can't run many rows through a Querier of type %T; pass an Engine, Conn or Tx", q)
	}
	e := own.engine()
	var probe call
	probe.Rows = wantRows
	if err := e.prepareText(&probe, query); err != nil {
		return e.events.fail(ctx, err)
	}
	st := probe.st
	m := &manyRun{e: e, st: st, wantRows: wantRows, row: row, n: n, took: took}
	m.tuple = e.language.Tuple(st)
	if n == 0 {
		return nil
	}
	return q.InTx(ctx, func(ctx context.Context, tx *Tx) error {
		if m.tuple != nil {
			return m.together(ctx, tx)
		}
		return m.apart(ctx, tx)
	})
}

func (e *Engine) engine() *Engine { return e }
func (c *Conn) engine() *Engine   { return c.e }
func (tx *Tx) engine() *Engine    { return tx.conn.e }

type manyRun struct {
	e        *Engine
	st       *statements.Statement
	tuple    *statements.Tuple
	wantRows bool
	n        int
	row      func(i int) any
	took     func(c *call) error
}

// bind returns the statement and the values for row i.
func (m *manyRun) bind(i int) (*statements.Statement, []any, error) {
	args := []any{m.row(i)}
	if list, ok := args[0].([]any); ok {
		args = list
	}
	st, values, err := m.e.bind(m.st, nil, args)
	if err != nil {
		return nil, nil, fmt.Errorf("row %d: %w", i, err)
	}
	return st, values, nil
}

// together sends the rows in statements of many rows each.
func (m *manyRun) together(ctx context.Context, tx *Tx) error {
	limit := manyRows
	if per := len(m.st.Params); per > 0 {
		most := manyParams
		if n := m.e.language.MaxParams; n > 0 {
			most = min(most, n)
		}
		limit = max(1, min(limit, most/per))
	}
	full := m.tuple.Form(limit)
	for from := 0; from < m.n; {
		args := make([]any, 0, min(limit, m.n-from)*len(m.st.Params))
		to, bytes := from, 0
		for ; to < m.n && to-from < limit && (to == from || bytes < manyBytes); to++ {
			_, values, err := m.bind(to)
			if err != nil {
				return m.e.fail(ctx, "bind", nil, err)
			}
			for _, v := range values {
				bytes += sizeOf(v)
			}
			args = append(args, values...)
		}
		form := full
		if to-from != limit {
			form = m.tuple.Form(to - from)
			form.Plan = false // this number of rows won't come again
		}
		call := tx.conn.newCall(form, args, m.wantRows)
		if err := tx.conn.do(ctx, tx, m.op(), call); err != nil {
			if to-from == 1 {
				return fmt.Errorf("row %d: %w", from, err)
			}
			return fmt.Errorf("rows %d to %d: %w", from, to-1, err)
		}
		if err := m.check(call, to-from, from, to-1); err != nil {
			return m.e.events.fail(ctx, err)
		}
		if err := m.took(call); err != nil {
			return err
		}
		from = to
	}
	return nil
}

func (m *manyRun) op() string {
	if m.wantRows {
		return "query"
	}
	return "exec"
}

// check makes sure that there is one result for each row.
func (m *manyRun) check(c *call, want, from, to int) error {
	if !m.wantRows || c.Count() == want {
		return nil
	}
	condition := ErrNoRows
	if c.Count() > want {
		condition = ErrMultipleRows
	}
	return c.explain(fail("query", condition, "got %d results for the rows %d to %d; want one each", c.Count(), from, to))
}

// apart runs the statement for each row by itself, and sends many of them at once if the session can
// do that.
func (m *manyRun) apart(ctx context.Context, tx *Tx) error {
	for from := 0; from < m.n; from += manyCalls {
		calls := make([]*call, 0, min(manyCalls, m.n-from))
		for i := from; i < min(from+manyCalls, m.n); i++ {
			st, values, err := m.bind(i)
			if err != nil {
				return m.e.fail(ctx, "bind", nil, err)
			}
			calls = append(calls, tx.conn.newCall(st, values, m.wantRows))
		}
		if err := tx.conn.doMany(ctx, tx, m.op(), from, calls); err != nil {
			return err
		}
		for i, call := range calls {
			if err := m.check(call, 1, from+i, from+i); err != nil {
				return m.e.events.fail(ctx, err)
			}
			if err := m.took(call); err != nil {
				return err
			}
		}
	}
	return nil
}

// doMany runs calls of the same statement in tx. first is the index of the first row.
func (c *Conn) doMany(ctx context.Context, tx *Tx, op string, first int, calls []*call) error {
	for i, call := range calls {
		if i == 1 && tx.begun() {
			if batch, ok := c.c.Session.(backend.Batcher); ok && !c.e.events.execution {
				return c.doBatch(ctx, tx, op, first+1, batch, calls[1:])
			}
		}
		if err := c.do(ctx, tx, op, call); err != nil {
			return fmt.Errorf("row %d: %w", first+i, err)
		}
	}
	return nil
}

func (c *Conn) doBatch(ctx context.Context, tx *Tx, op string, first int, s backend.Batcher, calls []*call) error {
	call := calls[0]
	if err := c.start(tx, op, call.Statement.Source); err != nil {
		return c.e.fail(ctx, op, call, err)
	}
	killed := true
	defer func() {
		c.end(ctx, killed, turns.NoPass)
	}()
	_, err := c.enter(ctx, tx, op, call)
	failed := 0
	if err == nil {
		all := make([]*backend.Call, len(calls))
		for i := range calls {
			all[i] = &calls[i].Call
		}
		if failed, err = s.DoMany(ctx, all); err != nil {
			call = calls[failed]
			err = c.after(ctx, tx, call.Statement.Writes, err, c.e.wrap(ctx, op, call, err))
		}
	}
	killed = false
	if err != nil {
		return fmt.Errorf("row %d: %w", first+failed, c.e.fail(ctx, op, call, err))
	}
	return nil
}

// newCall returns a call of the Conn for a statement whose arguments are bound.
func (c *Conn) newCall(st *statements.Statement, args []any, rows bool) *call {
	made := &call{conf: &c.conf}
	made.use(st)
	made.Args, made.Rows, made.ReadOnly = args, rows, c.conf.tx.ReadOnly
	return made
}

// sizeOf returns about how many bytes a value takes in a statement.
func sizeOf(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case []byte:
		return len(v)
	}
	return 8
}
