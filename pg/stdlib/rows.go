package stdlib

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/internal/pgvalues"
	"github.com/seed1239206e/repaint/pg"
)

type streamKey struct{}

// Stream returns a context under which the rows of a query come as they are read, in bounded
// memory, instead of being in memory when Query returns. Such rows own a session until they have
// been read or closed. In a transaction, other calls return pg.ErrInUse meanwhile. It is for
// results that are larger than result_limit, also through an ORM:
//
//	gormDB.WithContext(stdlib.Stream(ctx)).Model(&Event{}).Rows()
func Stream(ctx context.Context) context.Context { return context.WithValue(ctx, streamKey{}, true) }

func streamed(ctx context.Context) bool { return ctx.Value(streamKey{}) != nil }

// rowsOf is a result. newRows asks for its first row before database/sql sees it, because an error
// in place of the first row belongs to the query.
type rowsOf struct {
	conn    *Conn // of which they are open; nil after Close
	rows    *pg.Rows
	columns []string
	decode  []pgvalues.Decoder // for each column; made with the first row
	ahead   bool               // Next has been called, with the result more
	more    bool
}

func newRows(conn *Conn, rows *pg.Rows) (*rowsOf, error) {
	r := &rowsOf{conn: conn, rows: rows, ahead: true, more: rows.Next()}
	if err := rows.Err(); err != nil {
		rows.Close()
		return nil, err
	}
	conn.open++
	return r, nil
}

func (r *rowsOf) fields() []pgconn.FieldDescription { return r.rows.FieldDescriptions() }

func (r *rowsOf) Columns() []string {
	if r.columns == nil {
		fields := r.fields()
		r.columns = make([]string, len(fields))
		for i := range fields {
			r.columns[i] = fields[i].Name
		}
	}
	return r.columns
}

func (r *rowsOf) Close() error {
	if r.conn != nil {
		r.conn.open--
		r.conn = nil
	}
	r.rows.Close()
	return asDriver(r.rows.Err())
}

// Next implements driver.Rows. Its bytes are valid until the next call, as database/sql expects.
func (r *rowsOf) Next(dest []driver.Value) error {
	if err := r.advance(); err != nil {
		return err
	}
	for i, src := range r.rows.RawValues() {
		v, err := r.value(i, src)
		if err != nil {
			return err
		}
		dest[i] = v
	}
	return nil
}

// advance goes to the next row, or returns io.EOF.
func (r *rowsOf) advance() error {
	if r.ahead {
		r.ahead = false
	} else {
		r.more = r.rows.Next()
	}
	switch {
	case r.more:
		return nil
	case r.rows.Err() != nil:
		return asDriver(r.rows.Err())
	}
	return io.EOF
}

// value returns a column of the row, as database/sql gets it.
func (r *rowsOf) value(i int, src []byte) (driver.Value, error) {
	if src == nil {
		return nil, nil
	}
	if r.decode == nil {
		fields := r.fields()
		r.decode = make([]pgvalues.Decoder, len(fields))
		for i := range fields {
			r.decode[i] = pgvalues.DecoderOf(r.rows.TypeMap(), &fields[i])
		}
	}
	v, err := r.decode[i](src)
	if err != nil {
		return nil, fmt.Errorf("pg/stdlib: column %d, %q: %w", i+1, r.fields()[i].Name, err)
	}
	return v, nil
}
