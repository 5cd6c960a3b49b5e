package pg

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// Rows is the result of a query. It implements pgx.Rows. All rows are in memory when the query
// returns. So reading them neither waits nor fails because of the network, and unread rows occupy
// no connection.
//
// The rows of a Stream come while they are read, and Next waits for more.
//
// Rows belong to one goroutine or task at a time.
type Rows struct {
	db     *DB
	q      *query
	fields []pgconn.FieldDescription
	cursor rowCursor
	row    storedRow
	values [][]byte // the row's, if they were asked for
	tag    pgconn.CommandTag
	err    error
	closed bool
	stream *stream // nil if all rows are in memory
	codec  *codec
}

var (
	_ pgx.Rows = (*Rows)(nil)
	_ pgx.Row  = (*row)(nil)
)

func (r *Rows) start(st *step, q *query) {
	if r.fields, r.err = st.resultFields(); r.err != nil {
		r.err, r.closed = q.failed(StageRead, r.err), true
		return
	}
	r.cursor = st.rows.cursor()
	r.tag = st.tag
}

// Close ends the reading. A Stream that isn't read to its end needs it. For other rows, and when it
// is called again, it does no harm.
func (r *Rows) Close() {
	st := r.stream // which has the memory of its rows
	if st == nil && r.cursor.store != nil {
		r.cursor.store.recycle()
	}
	if r.codec != nil {
		r.db.release(r.codec)
		r.codec = nil
	}
	r.closed = true
	r.row, r.values, r.cursor, r.stream = storedRow{}, nil, rowCursor{}, nil
	if st != nil {
		st.close() // last, since it calls the tracer
	}
}

// Err returns the error of the query, or of a Scan or Values that failed. Its errors are those of
// [DB.Query].
func (r *Rows) Err() error { return r.err }

// CommandTag returns the server's command tag. For a Stream it is known after the last row.
func (r *Rows) CommandTag() pgconn.CommandTag { return r.tag }

// FieldDescriptions describes the columns. The caller must not change the result.
func (r *Rows) FieldDescriptions() []pgconn.FieldDescription { return r.fields }

// Next goes to the next row, and reports whether there is one. After the last row, and after an
// error, it closes the rows and returns false.
func (r *Rows) Next() bool {
	if r.closed {
		return false
	}
	var ok bool
	r.values = r.values[:0]
	r.row, ok = r.cursor.next()
	if !ok && r.stream != nil {
		ok = r.nextOfStream()
	}
	if !ok {
		r.Close()
	}
	return ok
}

// RawValues returns the row's values as the server sent them, nil for NULL. They are valid until
// the next call of Next or Close.
func (r *Rows) RawValues() [][]byte {
	if len(r.values) == 0 {
		if cap(r.values) < r.row.count {
			r.values = make([][]byte, 0, r.row.count)
		}
		for row := r.row; row.count > 0; {
			r.values = append(r.values, row.value())
		}
	}
	return r.values
}

// EachRaw calls fn with each of the row's values as the server sent it, nil for NULL. It stops at
// the first error of fn, and returns that. Unlike RawValues it makes no list. The bytes are valid
// until the next call of Next or Close.
func (r *Rows) EachRaw(fn func(i int, raw []byte) error) error {
	row := r.row
	for i := 0; row.count > 0; i++ {
		if err := fn(i, row.value()); err != nil {
			return err
		}
	}
	return nil
}

// Conn returns nil: there is no pgx.Conn.
func (r *Rows) Conn() *pgx.Conn { return nil }

// TypeMap returns the type map that decodes the values. The caller must not use it after the rows
// have been closed. A call after that returns another map, which knows the same types.
func (r *Rows) TypeMap() *pgtype.Map {
	if r.codec == nil {
		if r.db == nil {
			return nil
		}
		r.codec = r.db.codec()
	}
	return r.codec.types
}

// fail closes the rows with an error.
func (r *Rows) fail(err error) error {
	if r.err == nil {
		r.err = err
	}
	r.Close()
	return err
}

// Scan reads the row's values into the destinations, one for each column; nil skips a column. A
// single destination that is a pgx.RowScanner gets the whole row. An error closes the rows. If a
// value doesn't fit its destination, it is a pgx.ScanArgError.
func (r *Rows) Scan(dest ...any) error {
	if r.closed {
		return errors.New("pg: Scan of closed rows")
	}
	if len(dest) == 1 {
		if scanner, ok := dest[0].(pgx.RowScanner); ok {
			if err := scanner.ScanRow(r); err != nil {
				return r.fail(err)
			}
			return nil
		}
	}
	if len(r.fields) != r.row.count {
		return r.fail(fmt.Errorf("number of field descriptions must equal number of values, got %d and %d", len(r.fields), r.row.count))
	}
	if len(r.fields) != len(dest) {
		return r.fail(fmt.Errorf("number of field descriptions must equal number of destinations, got %d and %d", len(r.fields), len(dest)))
	}
	types := r.TypeMap()
	row := r.row
	for i, to := range dest {
		v, field := row.value(), &r.fields[i]
		if to == nil {
			continue
		}
		if err := r.codec.scanPlan(i, field, to).Scan(v, to); err != nil {
			return r.fail(pgx.ScanArgError{ColumnIndex: i, FieldName: field.Name, Err: r.db.unscannable(unknownType(types, field.DataTypeOID, err), v)})
		}
	}
	return nil
}

// Values decodes the row's values into the Go types that pgtype prefers for the columns. A value of
// an unknown type becomes a string or, in binary, a []byte. An error closes the rows.
func (r *Rows) Values() ([]any, error) {
	if r.closed {
		return nil, errors.New("pg: Values of closed rows")
	}
	if len(r.fields) != r.row.count {
		return nil, r.fail(fmt.Errorf("number of field descriptions must equal number of values, got %d and %d", len(r.fields), r.row.count))
	}
	types := r.TypeMap()
	values := make([]any, 0, r.row.count)
	for i, row := 0, r.row; row.count > 0; i++ {
		b, f := row.value(), &r.fields[i]
		switch t, known := types.TypeForOID(f.DataTypeOID); {
		case b == nil:
			values = append(values, nil)
		case known:
			v, err := t.Codec.DecodeValue(types, f.DataTypeOID, f.Format, b)
			if err != nil {
				return nil, r.fail(r.db.unscannable(err, b))
			}
			values = append(values, v)
		case f.Format == pgx.TextFormatCode:
			values = append(values, string(b))
		default:
			values = append(values, append([]byte(nil), b...))
		}
	}
	return values, nil
}

// row is the result of QueryRow.
type row Rows

// Scan reads the first row, and closes the rows. If there is no row, it returns pgx.ErrNoRows.
func (o *row) Scan(dest ...any) error {
	r := (*Rows)(o)
	if r.err != nil {
		return r.err
	}
	defer r.Close()
	for _, d := range dest {
		if _, ok := d.(*pgtype.DriverBytes); ok {
			return r.fail(errors.New("pg: QueryRow can't scan into *pgtype.DriverBytes, which would outlive the row"))
		}
	}
	if !r.Next() {
		if r.err != nil {
			return r.err
		}
		return pgx.ErrNoRows
	}
	return r.Scan(dest...)
}
