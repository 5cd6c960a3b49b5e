package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// A Cursor is a query whose rows the caller fetches, as many at a time as it likes. Unlike with
// [Tx.Stream], which is faster, the transaction can run other statements between two fetches. One
// goroutine or task at a time may use a Cursor. After its Close, methods return [ErrClosed]; after
// the end of its transaction, pgx.ErrTxClosed.
type Cursor struct {
	tx     *Tx
	name   string
	closed bool
}

// Cursor declares a cursor for a query. The cursor ends with the transaction, or with Close.
func (tx *Tx) Cursor(ctx context.Context, sql string, args ...any) (*Cursor, error) {
	c := &Cursor{tx: tx, name: fmt.Sprintf("cursor_%d", tx.root().points.Add(1))}
	q := &query{text: "declare " + c.name + " no scroll cursor for " + sql, args: args, local: true, inner: sql}
	if len(args) > 0 {
		q.mode = pgx.QueryExecModeDescribeExec // the text won't be seen again
	}
	err := tx.within(ctx, q, func() error { _, err := tx.s.executor().exec(ctx, q); return err })
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Fetch returns the next n rows, all of them in memory. At the end it returns fewer, or none.
func (c *Cursor) Fetch(ctx context.Context, n int) (pgx.Rows, error) {
	r := c.run(ctx, &query{text: fmt.Sprintf("fetch forward %d from %s", n, c.name)})
	return r, r.err
}

func (c *Cursor) run(ctx context.Context, q *query) *Rows {
	q.mode, q.local = pgx.QueryExecModeExec, true
	if c.closed {
		q.row.err, q.row.closed = q.failed(StageRun, fmt.Errorf("%w: the cursor", ErrClosed)), true
		return &q.row
	}
	if err := c.tx.within(ctx, q, func() error { return c.tx.s.executor().query(ctx, q).err }); err != nil {
		q.row.err, q.row.closed = err, true
	}
	return &q.row
}

// Close ends the cursor. Further calls do nothing.
func (c *Cursor) Close(ctx context.Context) error {
	if c.closed {
		return nil
	}
	q := &query{text: "close " + c.name}
	q.soon = true
	r := c.run(ctx, q)
	c.closed = true
	return r.err
}
