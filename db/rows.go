package db

import (
	"database/sql/driver"

	"github.com/seed1239206e/repaint/db/internal/scanning"
)

// Rows is the result of a query. It is complete when Query returns: reading it
// does no I/O, never suspends, and needs no connection, so it stays readable
// when its Conn, Tx or Engine is closed. Use it from one goroutine at a time.
//
// Rows of Stream are the exception, which has to be asked for: Next fetches them
// while they are read, and they must be read to the end or closed.
//
//	rows, err := q.Query(ctx, "select id, name from users")
//	if err != nil {
//		return err
//	}
//	defer rows.Close()
//	for rows.Next() {
//		if err := rows.Scan(&id, &name); err != nil {
//			return err
//		}
//	}
//	return rows.Err()
type Rows struct {
	call   call
	next   int // index of the row that Next moves to
	closed bool
	names  []string
	err    error
	stream *rowStream // nil for buffered rows
}

// Next moves to the next row and reports whether there is one.
func (r *Rows) Next() bool {
	if r.closed {
		return false
	}
	if s := r.stream; s != nil && s.fetching {
		r.err = s.conn.inUse("next")
		return false
	}
	if len(r.call.Columns) == 0 || (r.next+1)*len(r.call.Columns) > len(r.call.Values) && !r.refill() {
		if err := r.Close(); r.err == nil {
			r.err = err
		}
		return false
	}
	r.next++
	return true
}

// Scan copies the row's columns, in their order, to what the destinations point
// to. See the package's documentation for which values fit which variables.
func (r *Rows) Scan(dest ...any) error {
	row, err := r.row("scan")
	if err != nil {
		return err
	}
	return r.call.scanned(r.call.columns().Row(row, dest))
}

// ScanStruct copies the row's columns to the fields of the struct that dest
// points to, by name.
func (r *Rows) ScanStruct(dest any) error {
	row, err := r.row("scan")
	if err != nil {
		return err
	}
	return r.call.scanned(r.call.columns().Struct(row, dest))
}

// Values returns the row as it is: int64, float64, bool, string, []byte,
// time.Time or nil on every database. The caller may keep it.
func (r *Rows) Values() ([]any, error) {
	row, err := r.row("values")
	if err != nil {
		return nil, err
	}
	values := make([]any, len(row))
	for i, v := range row {
		values[i] = scanning.Natural(r.call.Columns[i].Type, v)
	}
	return values, nil
}

// Get returns the value of the named column in the current row.
func Get[T any](r *Rows, column string) (T, error) {
	var v T
	row, err := r.row("get")
	if err != nil {
		return v, err
	}
	columns := r.call.columns()
	i, err := columns.Find(column)
	if err != nil {
		return v, r.call.explain(fail("get", ErrScan, "%w", err))
	}
	return v, r.call.scanned(columns.Value(i, row[i], &v))
}

// Map returns the current row as a map from the names of its columns to their
// values, as [Rows.Values] has them. Of columns with the same name the last one holds.
func (r *Rows) Map() (map[string]any, error) {
	values, err := r.Values()
	if err != nil {
		return nil, err
	}
	m := make(map[string]any, len(values))
	for i, v := range values {
		m[r.call.Columns[i].Name] = v
	}
	return m, nil
}

// Columns returns the names of the columns; the caller must not change them.
func (r *Rows) Columns() []string {
	if r.names == nil {
		r.names = make([]string, len(r.call.Columns))
		for i, c := range r.call.Columns {
			r.names[i] = c.Name
		}
	}
	return r.names
}

// Err returns the error that ended the iteration early. Buffered rows have
// none: their errors come from Query. Streamed rows may.
func (r *Rows) Err() error { return r.err }

// Close ends the use of the rows. It may be called again. While another task
// waits in Next it returns ErrInUse, and the rows end when that returns.
func (r *Rows) Close() error {
	r.closed = true
	s := r.stream
	switch {
	case s == nil:
		return nil
	case s.fetching:
		return s.conn.inUse("close")
	}
	r.stream = nil
	return s.end()
}

func (r *Rows) row(op string) ([]driver.Value, error) {
	n := len(r.call.Columns)
	switch {
	case r.closed:
		return nil, fail(op, ErrClosed, "the rows are closed or at their end")
	case r.next == 0:
		return nil, misuse(op, "call Next before the first Scan")
	}
	return r.call.Values[(r.next-1)*n : r.next*n], nil
}

// Row is the first row of a query, or the error that stood in its way. It is complete; Scan may be
// called again, by one goroutine at a time.
type Row struct {
	call call
	err  error
}

// Scan copies the row's columns to what the destinations point to. It returns
// ErrNoRows if the query found none; further rows it ignores. Use [One] to be
// told of them.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	if r.call.Count() == 0 {
		return noRows(&r.call)
	}
	return r.call.scanned(r.call.columns().Row(r.call.Values[:len(r.call.Columns)], dest))
}

// Err returns the query's error without scanning. It is nil if the query found
// no row.
func (r *Row) Err() error { return r.err }

func noRows(c *call) error {
	return c.explain(&Error{Op: "query", Fault: Fault{Condition: ErrNoRows}})
}

// explain adds the statement to an error about its result.
func (c *call) explain(err error) error {
	e, ok := err.(*Error)
	if !ok {
		return err
	}
	if e.Statement == "" && c.Statement != nil {
		e.Statement = c.Statement.Source
	}
	return err
}

// columns returns the columns of the result, which know how its values become variables.
func (c *call) columns() scanning.Columns {
	return scanning.Columns{Dialect: c.conf.dialect, All: c.Columns}
}

// scanned makes an error of package scanning one of this package: it names the statement, and shows
// no more of the value than the options allow.
func (c *call) scanned(err error) error {
	if err == nil {
		return nil
	}
	if m, ok := err.(*scanning.Misfit); ok {
		err = concealMisfit(m, c.tells())
	}
	return c.explain(&Error{Op: "scan", Fault: Fault{Condition: ErrScan}, Err: err})
}

// Result is what a statement did. It is a value, which any number of goroutines can read.
type Result struct {
	affected int64
	lastID   int64
	hasID    bool
}

// RowsAffected returns how many rows the statement inserted, updated or deleted.
func (r Result) RowsAffected() int64 { return r.affected }

// LastInsertID returns the key that the database made for the last row inserted;
// MySQL and MariaDB tell that of the first one if there were several.
// Not every database can tell; RETURNING works on those that can't.
func (r Result) LastInsertID() (int64, error) {
	if !r.hasID {
		return 0, misuse("last insert id", `this database doesn't tell it; use "insert … returning id" with QueryRow`)
	}
	return r.lastID, nil
}
