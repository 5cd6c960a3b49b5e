package pg

import (
	"context"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// Async is the red view of a DB: each method returns at once, with a future. In a loop the
// statement is sent when the tick ends, together with the others of that tick. Cancelling the
// future cancels the statement. Any number of goroutines, loops and tasks can use it.
type Async struct{ db *DB }

// Async returns the red view.
func (db *DB) Async() Async { return Async{db} }

// red makes a future of a blue function: in a loop it is a task, elsewhere a goroutine.
func red[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) *loop.Future[T] {
	if repaint.CurrentLoop() != nil {
		return repaint.Spawn(ctx, fn).AsFuture()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	p := loop.NewPromise[T](nil)
	p.OnCancel(func(cause error) { cancel(cause) })
	go func() {
		defer cancel(nil)
		p.Complete(func() (T, error) { return fn(ctx) })
	}()
	return p.Future()
}

// Exec is [DB.Exec].
func (a Async) Exec(ctx context.Context, sql string, args ...any) *loop.Future[pgconn.CommandTag] {
	return red(ctx, func(ctx context.Context) (pgconn.CommandTag, error) { return a.db.Exec(ctx, sql, args...) })
}

// Query is [DB.Query].
func (a Async) Query(ctx context.Context, sql string, args ...any) *loop.Future[pgx.Rows] {
	return red(ctx, func(ctx context.Context) (pgx.Rows, error) { return a.db.Query(ctx, sql, args...) })
}

// Stream is [DB.Stream]. Next of its rows waits, so it is for tasks and goroutines.
func (a Async) Stream(ctx context.Context, sql string, args ...any) *loop.Future[pgx.Rows] {
	return red(context.WithoutCancel(ctx), func(context.Context) (pgx.Rows, error) { return a.db.Stream(ctx, sql, args...) })
}

// QueryRow is [DB.QueryRow]. The future doesn't fail; the row's Scan returns the error.
func (a Async) QueryRow(ctx context.Context, sql string, args ...any) *loop.Future[pgx.Row] {
	return red(ctx, func(ctx context.Context) (pgx.Row, error) { return a.db.QueryRow(ctx, sql, args...), nil })
}

// SendBatch is [DB.SendBatch]. The future doesn't fail; the results' Close returns the error.
func (a Async) SendBatch(ctx context.Context, b *pgx.Batch) *loop.Future[pgx.BatchResults] {
	return red(ctx, func(ctx context.Context) (pgx.BatchResults, error) { return a.db.SendBatch(ctx, b), nil })
}

// BeginTx is [DB.BeginTx].
func (a Async) BeginTx(ctx context.Context, options pgx.TxOptions) *loop.Future[pgx.Tx] {
	return red(ctx, func(ctx context.Context) (pgx.Tx, error) { return a.db.BeginTx(ctx, options) })
}

// Acquire is [DB.Acquire].
func (a Async) Acquire(ctx context.Context) *loop.Future[*Session] {
	return red(ctx, func(ctx context.Context) (*Session, error) { return a.db.Acquire(ctx) })
}

// CopyFrom is [DB.CopyFrom].
func (a Async) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) *loop.Future[int64] {
	return red(ctx, func(ctx context.Context) (int64, error) { return a.db.CopyFrom(ctx, table, columns, rows) })
}

// CopyFromReader is [DB.CopyFromReader].
func (a Async) CopyFromReader(ctx context.Context, r io.Reader, sql string) *loop.Future[pgconn.CommandTag] {
	return red(ctx, func(ctx context.Context) (pgconn.CommandTag, error) { return a.db.CopyFromReader(ctx, r, sql) })
}

// CopyTo is [DB.CopyTo].
func (a Async) CopyTo(ctx context.Context, w io.Writer, sql string) *loop.Future[pgconn.CommandTag] {
	return red(ctx, func(ctx context.Context) (pgconn.CommandTag, error) { return a.db.CopyTo(ctx, w, sql) })
}

// Listen is [DB.Listen].
func (a Async) Listen(ctx context.Context, channels ...string) *loop.Future[*Listener] {
	return red(ctx, func(ctx context.Context) (*Listener, error) { return a.db.Listen(ctx, channels...) })
}

// LoadTypes is [DB.LoadTypes].
func (a Async) LoadTypes(ctx context.Context, names ...string) *loop.Future[struct{}] {
	return red(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, a.db.LoadTypes(ctx, names...) })
}

// Ping is [DB.Ping].
func (a Async) Ping(ctx context.Context) *loop.Future[struct{}] {
	return red(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, a.db.Ping(ctx) })
}
