package repainttest

import (
	"github.com/seed1239206e/repaint/internal/explore"

	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

// Calls of drivers as database/sql makes them: through the newest interface that the driver has.

func prepare(ctx context.Context, c driver.Conn, query string) (driver.Stmt, error) {
	if p, ok := c.(driver.ConnPrepareContext); ok {
		return p.PrepareContext(ctx, query)
	}
	return c.Prepare(query)
}

func begin(ctx context.Context, c driver.Conn, opts driver.TxOptions) (driver.Tx, error) {
	switch b, ok := c.(driver.ConnBeginTx); {
	case ok:
		return b.BeginTx(ctx, opts)
	case sql.IsolationLevel(opts.Isolation) != sql.LevelDefault:
		return nil, errors.New("the driver doesn't support isolation levels other than its default")
	case opts.ReadOnly:
		return nil, errors.New("the driver doesn't support read-only transactions")
	}
	//lint:ignore SA1019 old drivers have nothing else
	return c.Begin()
}

func execStmt(ctx context.Context, s driver.Stmt, args []driver.NamedValue) (driver.Result, error) {
	if e, ok := s.(driver.StmtExecContext); ok {
		return e.ExecContext(ctx, args)
	}
	values, err := unnamed(args)
	if err != nil {
		return nil, err
	}
	//lint:ignore SA1019 old drivers have nothing else
	return s.Exec(values)
}

func queryStmt(ctx context.Context, s driver.Stmt, args []driver.NamedValue) (driver.Rows, error) {
	if q, ok := s.(driver.StmtQueryContext); ok {
		return q.QueryContext(ctx, args)
	}
	values, err := unnamed(args)
	if err != nil {
		return nil, err
	}
	//lint:ignore SA1019 old drivers have nothing else
	return s.Query(values)
}

func unnamed(args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, a := range args {
		if a.Name != "" {
			return nil, errors.New("the driver doesn't support named arguments")
		}
		values[i] = a.Value
	}
	return values, nil
}

// texts returns the rows of a query without arguments, as text.
func texts(ctx context.Context, c driver.Conn, query string) ([][]string, error) {
	rows, err := queryText(ctx, c, query)
	if err != nil {
		return nil, err
	}
	read, err := readRows(rows)
	if err != nil {
		return nil, err
	}
	var all [][]string
	for _, row := range read.rows {
		var line []string
		for _, v := range row {
			line = append(line, showValue(v))
		}
		all = append(all, line)
	}
	return all, nil
}

func queryText(ctx context.Context, c driver.Conn, query string) (driver.Rows, error) {
	if q, ok := c.(driver.QueryerContext); ok {
		rows, err := q.QueryContext(ctx, query, nil)
		if err != driver.ErrSkip {
			return rows, err
		}
	}
	s, err := prepare(ctx, c, query)
	if err != nil {
		return nil, err
	}
	rows, err := queryStmt(ctx, s, nil)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &rowsOf{rows, s}, nil
}

// rowsOf close their statement.
type rowsOf struct {
	driver.Rows
	stmt driver.Stmt
}

func (r *rowsOf) Close() error { return errors.Join(r.Rows.Close(), r.stmt.Close()) }

// The rows of a query, which have been read.
type rows struct {
	columns []resultColumn
	rows    [][]driver.Value
	next    int
	more    *rows // of the next result
}

type resultColumn struct {
	name, kind                string
	scan                      reflect.Type
	length, precision, scale  int64
	nullable                  bool
	hasLength, hasSize, knows bool
}

// readRows reads all results.
func readRows(inner driver.Rows) (first *rows, err error) {
	defer func() {
		if e := inner.Close(); err == nil && e != nil {
			first, err = nil, e
		}
	}()
	first, err = readResult(inner)
	last := first
	sets, ok := inner.(driver.RowsNextResultSet)
	for ok && err == nil && sets.HasNextResultSet() {
		if err = sets.NextResultSet(); err == io.EOF {
			return first, nil
		}
		if err == nil {
			last.more, err = readResult(inner)
			last = last.more
		}
	}
	return first, err
}

// readResult reads one result.
func readResult(inner driver.Rows) (*rows, error) {
	r := &rows{}
	for i, name := range inner.Columns() {
		c := resultColumn{name: name, scan: reflect.TypeFor[any]()}
		if t, ok := inner.(driver.RowsColumnTypeDatabaseTypeName); ok {
			c.kind = t.ColumnTypeDatabaseTypeName(i)
		}
		if t, ok := inner.(driver.RowsColumnTypeScanType); ok {
			c.scan = t.ColumnTypeScanType(i)
		}
		if t, ok := inner.(driver.RowsColumnTypeLength); ok {
			c.length, c.hasLength = t.ColumnTypeLength(i)
		}
		if t, ok := inner.(driver.RowsColumnTypePrecisionScale); ok {
			c.precision, c.scale, c.hasSize = t.ColumnTypePrecisionScale(i)
		}
		if t, ok := inner.(driver.RowsColumnTypeNullable); ok {
			c.nullable, c.knows = t.ColumnTypeNullable(i)
		}
		r.columns = append(r.columns, c)
	}
	for {
		row := make([]driver.Value, len(r.columns))
		switch err := inner.Next(row); err {
		case nil:
		case io.EOF:
			return r, nil
		default:
			return nil, err
		}
		for i, v := range row {
			if b, ok := v.([]byte); ok {
				row[i] = append([]byte{}, b...) // the driver uses it again
			}
		}
		r.rows = append(r.rows, row)
	}
}

func (r *rows) Columns() []string {
	var names []string
	for _, c := range r.columns {
		names = append(names, c.name)
	}
	return names
}

func (r *rows) Next(dest []driver.Value) error {
	if r.next == len(r.rows) {
		return io.EOF
	}
	copy(dest, r.rows[r.next])
	r.next++
	return nil
}

func (r *rows) Close() error           { return nil }
func (r *rows) HasNextResultSet() bool { return r.more != nil }

func (r *rows) NextResultSet() error {
	if r.more == nil {
		return io.EOF
	}
	*r = *r.more
	return nil
}

func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return r.columns[i].kind }
func (r *rows) ColumnTypeScanType(i int) reflect.Type   { return r.columns[i].scan }
func (r *rows) ColumnTypeLength(i int) (int64, bool) {
	return r.columns[i].length, r.columns[i].hasLength
}
func (r *rows) ColumnTypeNullable(i int) (nullable, ok bool) {
	return r.columns[i].nullable, r.columns[i].knows
}
func (r *rows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	return r.columns[i].precision, r.columns[i].scale, r.columns[i].hasSize
}

// show describes the result.
func (r *rows) show() string {
	if len(r.rows) != 1 {
		return explore.Count(len(r.rows), "row")
	}
	var values []string
	for _, v := range r.rows[0] {
		values = append(values, explore.Short(showValue(v)))
	}
	return strings.Join(values, ", ")
}

func showResult(r driver.Result, err error) (string, error) {
	if err != nil || r == nil {
		return "", err
	}
	n, err := r.RowsAffected()
	if err != nil {
		return "done", nil // it isn't known
	}
	return explore.Count(int(n), "row"), nil
}

func showArgs(args []driver.NamedValue) string {
	var all []string
	for _, a := range args {
		text := explore.Short(showValue(a.Value))
		if a.Name != "" {
			text = a.Name + "=" + text
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func showValue(v driver.Value) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case []byte:
		if utf8.Valid(v) {
			return string(v)
		}
		return fmt.Sprintf("%x", v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}
