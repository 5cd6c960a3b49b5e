package db

import (
	"database/sql/driver"

	"github.com/seed1239206e/repaint/db/internal/scanning"
)

// Rows is the result of a query. It is complete when Query returns: reading it does no I/O, never
// suspends, and needs no connection, so the rows stay readable after their Conn, Tx or Engine is
// closed. Use Rows from one goroutine at a time. In a loop any task can use them, and Close streamed
// ones while another task waits in Next. The methods have the semantics of sql.Rows.
//
// Rows of Stream are different: Next fetches them from the database, and the caller must read them to
// the end or close them.
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

// Next moves to the next row and reports whether there is one. After the last row, or an error, it
// closes the rows.
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

// Scan copies the row's columns, in their order, to what the destinations point to. The package's
// documentation says which values fit which variables; one that doesn't is [ErrScan].
func (r *Rows) Scan(dest ...any) error {
	row, err := r.row("scan")
	if err != nil {
		return err
	}
	return r.call.scanned(r.call.columns().Row(row, dest))
}

// ScanStruct copies the row's columns to the fields of the struct that dest points to, by name. A
// column without a field is [ErrScan].
func (r *Rows) ScanStruct(dest any) error {
	row, err := r.row("scan")
	if err != nil {
		return err
	}
	return r.call.scanned(r.call.columns().Struct(row, dest))
}

// Values returns the row's values: int64, float64, bool, string, []byte, time.Time or nil on every
// database. The caller may keep them.
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

// Get returns the value of the named column in the current row. A column that doesn't exist, or whose
// value doesn't fit a T, is [ErrScan].
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

// Map returns the current row as a map from the names of its columns to their values, see
// [Rows.Values]. If columns have the same name, the map has the last one.
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

// Err returns the error that ended the iteration early. Only streamed rows can have one: the errors of
// buffered rows come from Query.
func (r *Rows) Err() error { return r.err }

// Close ends the use of the rows. A second Close does nothing. While another task waits in Next, Close
// returns [ErrInUse], and the rows end when Next returns.
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
		return nil, fail(op, ErrClosed, "the rows are closed or have been read to the end")
	case r.next == 0:
		return nil, misuse(op, "call Next before the first Scan")
	}
	return r.call.Values[(r.next-1)*n : r.next*n], nil
}

// Row is the first row of a query, or the query's error. Like buffered [Rows] it needs no connection.
// Scan may be called several times, from one goroutine at a time.
type Row struct {
	call call
	err  error
}

// Scan copies the row's columns to what the destinations point to, see [Rows.Scan]. It returns
// [ErrNoRows] if the query found no row. It ignores further rows; [One] returns an error for them.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	if r.call.Count() == 0 {
		return noRows(&r.call)
	}
	return r.call.scanned(r.call.columns().Row(r.call.Values[:len(r.call.Columns)], dest))
}

// Err returns the query's error without scanning. That a query found no row isn't an error of the
// query.
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

// columns returns the columns of the result, which scan its values.
func (c *call) columns() scanning.Columns {
	return scanning.Columns{Dialect: c.conf.dialect, All: c.Columns}
}

// scanned turns an error of package scanning into an Error, which names the statement and shows no
// more of the value than the options allow.
func (c *call) scanned(err error) error {
	if err == nil {
		return nil
	}
	if m, ok := err.(*scanning.Misfit); ok {
		err = concealMisfit(m, c.tells())
	}
	return c.explain(&Error{Op: "scan", Fault: Fault{Condition: ErrScan}, Err: err})
}

// Result is what a statement did. It is a value that any number of goroutines can read.
type Result struct {
	affected int64
	lastID   int64
	hasID    bool
}

// RowsAffected returns how many rows the statement inserted, updated or deleted.
func (r Result) RowsAffected() int64 { return r.affected }

// LastInsertID returns the key that the database made for the last row inserted. On MySQL and MariaDB
// it is the key of the first row if there are several. On a database without such keys, such as
// PostgreSQL, it returns [ErrMisuse]; use RETURNING there.
func (r Result) LastInsertID() (int64, error) {
	if !r.hasID {
		return 0, misuse("last insert id", `this database doesn't report it; use "insert … returning id" with QueryRow`)
	}
	return r.lastID, nil
}
