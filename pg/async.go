package pg

import (
	"context"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/internal/red"
	"github.com/seed1239206e/repaint/loop"
)

// Async is the red face of a DB: each method returns at once, with a future that gets the result
// and the error of the blue method. In a loop, also in its callbacks, the blue method runs as a
// task, and its statement is sent when the tick ends, together with the others of that tick. In a
// plain goroutine it runs in a goroutine of its own. Cancelling the future cancels the statement.
// Any number of goroutines, loops and tasks may use an Async at once.
type Async struct{ db *DB }

// Async returns the DB's red face.
func (db *DB) Async() Async { return Async{db} }

// Exec is [DB.Exec].
func (a Async) Exec(ctx context.Context, sql string, args ...any) *loop.Future[pgconn.CommandTag] {
	return red.Call(ctx, func(ctx context.Context) (pgconn.CommandTag, error) { return a.db.Exec(ctx, sql, args...) })
}

// Query is [DB.Query].
func (a Async) Query(ctx context.Context, sql string, args ...any) *loop.Future[pgx.Rows] {
	return red.Call(ctx, func(ctx context.Context) (pgx.Rows, error) { return a.db.Query(ctx, sql, args...) })
}

// Stream is [DB.Stream]. The rows' Next waits, so only tasks and goroutines can read them.
func (a Async) Stream(ctx context.Context, sql string, args ...any) *loop.Future[pgx.Rows] {
	return red.Call(context.WithoutCancel(ctx), func(context.Context) (pgx.Rows, error) { return a.db.Stream(ctx, sql, args...) })
}

// QueryRow is [DB.QueryRow]. The future fails with the query's error. If the query finds no row,
// the row's Scan says so.
func (a Async) QueryRow(ctx context.Context, sql string, args ...any) *loop.Future[pgx.Row] {
	return red.Call(ctx, func(ctx context.Context) (pgx.Row, error) {
		rows := a.db.query(ctx, sql, args)
		return (*row)(rows), rows.err
	})
}

// SendBatch is [DB.SendBatch]. The future doesn't fail: the results say which statement failed, and
// their Close returns the error.
func (a Async) SendBatch(ctx context.Context, b *pgx.Batch) *loop.Future[pgx.BatchResults] {
	return red.Call(ctx, func(ctx context.Context) (pgx.BatchResults, error) { return a.db.SendBatch(ctx, b), nil })
}

// BeginTx is [DB.BeginTx].
func (a Async) BeginTx(ctx context.Context, options pgx.TxOptions) *loop.Future[pgx.Tx] {
	return red.Call(ctx, func(ctx context.Context) (pgx.Tx, error) { return a.db.BeginTx(ctx, options) })
}

// Acquire is [DB.Acquire].
func (a Async) Acquire(ctx context.Context) *loop.Future[*Session] {
	return red.Call(ctx, func(ctx context.Context) (*Session, error) { return a.db.Acquire(ctx) })
}

// CopyFrom is [DB.CopyFrom].
func (a Async) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) *loop.Future[int64] {
	return red.Call(ctx, func(ctx context.Context) (int64, error) { return a.db.CopyFrom(ctx, table, columns, rows) })
}

// CopyFromReader is [DB.CopyFromReader].
func (a Async) CopyFromReader(ctx context.Context, r io.Reader, sql string) *loop.Future[pgconn.CommandTag] {
	return red.Call(ctx, func(ctx context.Context) (pgconn.CommandTag, error) { return a.db.CopyFromReader(ctx, r, sql) })
}

// CopyTo is [DB.CopyTo].
func (a Async) CopyTo(ctx context.Context, w io.Writer, sql string) *loop.Future[pgconn.CommandTag] {
	return red.Call(ctx, func(ctx context.Context) (pgconn.CommandTag, error) { return a.db.CopyTo(ctx, w, sql) })
}

// Listen is [DB.Listen].
func (a Async) Listen(ctx context.Context, channels ...string) *loop.Future[*Listener] {
	return red.Call(ctx, func(ctx context.Context) (*Listener, error) { return a.db.Listen(ctx, channels...) })
}

// LoadTypes is [DB.LoadTypes].
func (a Async) LoadTypes(ctx context.Context, names ...string) *loop.Future[struct{}] {
	return red.Call(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, a.db.LoadTypes(ctx, names...) })
}

// Ping is [DB.Ping].
func (a Async) Ping(ctx context.Context) *loop.Future[struct{}] {
	return red.Call(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, a.db.Ping(ctx) })
}

// AsyncReader is the red face of a [Reader], as [Async] is that of a DB. What the tasks of a loop
// ask for in one tick is sent when the tick ends, and may share a Sync.
type AsyncReader struct{ r *Reader }

// Async returns the Reader's red face.
func (r *Reader) Async() AsyncReader { return AsyncReader{r} }

// Reader is the red face of [DB.Reader].
func (a Async) Reader() AsyncReader { return a.db.Reader().Async() }

// ReadFrom is the red face of [DB.ReadFrom].
func (a Async) ReadFrom(target ReaderTarget) AsyncReader { return a.db.ReadFrom(target).Async() }

// Exec is [Reader.Exec].
func (a AsyncReader) Exec(ctx context.Context, sql string, args ...any) *loop.Future[pgconn.CommandTag] {
	return red.Call(ctx, func(ctx context.Context) (pgconn.CommandTag, error) { return a.r.Exec(ctx, sql, args...) })
}

// Query is [Reader.Query].
func (a AsyncReader) Query(ctx context.Context, sql string, args ...any) *loop.Future[pgx.Rows] {
	return red.Call(ctx, func(ctx context.Context) (pgx.Rows, error) { return a.r.Query(ctx, sql, args...) })
}

// QueryRow is [Reader.QueryRow]. The future fails with the query's error. If the query finds no
// row, the row's Scan says so.
func (a AsyncReader) QueryRow(ctx context.Context, sql string, args ...any) *loop.Future[pgx.Row] {
	return red.Call(ctx, func(ctx context.Context) (pgx.Row, error) {
		rows := a.r.query(ctx, sql, args)
		return (*row)(rows), rows.err
	})
}

// SendBatch is [Reader.SendBatch]. The future doesn't fail: the results say which statement failed,
// and their Close returns the error.
func (a AsyncReader) SendBatch(ctx context.Context, b *pgx.Batch) *loop.Future[pgx.BatchResults] {
	return red.Call(ctx, func(ctx context.Context) (pgx.BatchResults, error) { return a.r.SendBatch(ctx, b), nil })
}

// Ping is [Reader.Ping].
func (a AsyncReader) Ping(ctx context.Context) *loop.Future[struct{}] {
	return red.Call(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, a.r.Ping(ctx) })
}
