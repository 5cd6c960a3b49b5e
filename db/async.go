package db

import (
	"context"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/red"
	"github.com/seed1239206e/repaint/loop"
)

// AsyncEngine is the red face of an Engine: each method returns a future at once. In a loop the blue
// method runs as a task, and elsewhere in a goroutine of its own. Cancelling the future cancels the
// call. The future fails with the blue method's error.
//
// Its methods may be called from any number of goroutines, loops and tasks.
type AsyncEngine struct{ e *Engine }

// Async returns the Engine's red face.
func (e *Engine) Async() AsyncEngine { return AsyncEngine{e} }

// Async returns the Conn's red face.
func (c *Conn) Async() AsyncConn { return AsyncConn{c} }

// Async returns the transaction's red face.
func (tx *Tx) Async() AsyncTx { return AsyncTx{tx} }

// Sync returns the blue Engine.
func (a AsyncEngine) Sync() *Engine { return a.e }

// RunSync runs blue code with a connection of its own, as a task or in a goroutine, and closes the
// connection afterwards. SQLAlchemy's AsyncConnection.run_sync does the same.
func RunSync[T any](ctx context.Context, a AsyncEngine, fn func(ctx context.Context, conn *Conn) (T, error), opts ...ConnOption) *loop.Future[T] {
	return red.Call(ctx, func(ctx context.Context) (T, error) {
		conn, err := a.e.Connect(ctx, opts...)
		if err != nil {
			var none T
			return none, err
		}
		defer conn.Close()
		return fn(ctx, conn)
	})
}

// redDone is red.Call for a function that returns only an error.
func redDone(ctx context.Context, fn func(ctx context.Context) error) *loop.Future[struct{}] {
	return red.Call(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
}

func redExec(ctx context.Context, q Querier, query string, args []any) *loop.Future[Result] {
	return red.Call(ctx, func(ctx context.Context) (Result, error) { return q.Exec(ctx, query, args...) })
}

func redQuery(ctx context.Context, q Querier, query string, args []any) *loop.Future[*Rows] {
	return red.Call(ctx, func(ctx context.Context) (*Rows, error) { return q.Query(ctx, query, args...) })
}

func redQueryRow(ctx context.Context, q Querier, query string, args []any) *loop.Future[*Row] {
	return red.Call(ctx, func(ctx context.Context) (*Row, error) {
		row := q.QueryRow(ctx, query, args...)
		return row, row.Err()
	})
}

func redBegin(ctx context.Context, q Querier, fn func(ctx context.Context, tx *Tx) error, opts []TxOption) *loop.Future[struct{}] {
	return redDone(ctx, func(ctx context.Context) error { return q.InTx(ctx, fn, opts...) })
}

type txBeginner interface {
	BeginTx(ctx context.Context, opts ...TxOption) (*Tx, error)
}

func redBeginTx(ctx context.Context, q txBeginner, opts []TxOption) *loop.Future[AsyncTx] {
	return red.Call(ctx, func(ctx context.Context) (AsyncTx, error) {
		tx, err := q.BeginTx(ctx, opts...)
		return AsyncTx{tx}, err
	})
}

type rowStreamer interface {
	Stream(ctx context.Context, query string, args ...any) (*Rows, error)
}

// redStream gives the stream the caller's context, because the task's context ends with the task.
func redStream(ctx context.Context, q rowStreamer, query string, args []any) *loop.Future[AsyncRows] {
	return red.Call(ctx, func(context.Context) (AsyncRows, error) {
		rows, err := q.Stream(ctx, query, args...)
		return AsyncRows{rows}, err
	})
}

// Exec is [Engine.Exec] as a future.
func (a AsyncEngine) Exec(ctx context.Context, query string, args ...any) *loop.Future[Result] {
	return redExec(ctx, a.e, query, args)
}

// Query is [Engine.Query] as a future.
func (a AsyncEngine) Query(ctx context.Context, query string, args ...any) *loop.Future[*Rows] {
	return redQuery(ctx, a.e, query, args)
}

// QueryRow is [Engine.QueryRow] as a future, which has the query's error.
func (a AsyncEngine) QueryRow(ctx context.Context, query string, args ...any) *loop.Future[*Row] {
	return redQueryRow(ctx, a.e, query, args)
}

// Stream is [Engine.Stream] as a future.
func (a AsyncEngine) Stream(ctx context.Context, query string, args ...any) *loop.Future[AsyncRows] {
	return redStream(ctx, a.e, query, args)
}

// InTx is [Engine.InTx] as a future. fn is blue code.
func (a AsyncEngine) InTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) *loop.Future[struct{}] {
	return redBegin(ctx, a.e, fn, opts)
}

// BeginTx is [Engine.BeginTx] as a future.
func (a AsyncEngine) BeginTx(ctx context.Context, opts ...TxOption) *loop.Future[AsyncTx] {
	return redBeginTx(ctx, a.e, opts)
}

// Connect is [Engine.Connect] as a future.
func (a AsyncEngine) Connect(ctx context.Context, opts ...ConnOption) *loop.Future[AsyncConn] {
	return red.Call(ctx, func(ctx context.Context) (AsyncConn, error) {
		c, err := a.e.Connect(ctx, opts...)
		return AsyncConn{c}, err
	})
}

// Close is [Engine.Close] as a future.
func (a AsyncEngine) Close(ctx context.Context) *loop.Future[struct{}] {
	return redDone(ctx, a.e.Close)
}

// Reader is the red face of [Engine.Reader].
func (a AsyncEngine) Reader() AsyncReader { return a.e.Reader().Async() }

// AsyncReader is the red face of a [Reader], see [AsyncEngine].
//
// Any number of goroutines, loops and tasks can use it.
type AsyncReader struct{ r *Reader }

// Async returns the Reader's red face.
func (r *Reader) Async() AsyncReader { return AsyncReader{r} }

// Sync returns the blue Reader.
func (a AsyncReader) Sync() *Reader { return a.r }

// Exec is [Reader.Exec] as a future.
func (a AsyncReader) Exec(ctx context.Context, query string, args ...any) *loop.Future[Result] {
	return redExec(ctx, a.r, query, args)
}

// Query is [Reader.Query] as a future.
func (a AsyncReader) Query(ctx context.Context, query string, args ...any) *loop.Future[*Rows] {
	return redQuery(ctx, a.r, query, args)
}

// QueryRow is [Reader.QueryRow] as a future, which has the query's error.
func (a AsyncReader) QueryRow(ctx context.Context, query string, args ...any) *loop.Future[*Row] {
	return redQueryRow(ctx, a.r, query, args)
}

// Stream is [Reader.Stream] as a future.
func (a AsyncReader) Stream(ctx context.Context, query string, args ...any) *loop.Future[AsyncRows] {
	return redStream(ctx, a.r, query, args)
}

// InTx is [Reader.InTx] as a future. fn is blue code.
func (a AsyncReader) InTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) *loop.Future[struct{}] {
	return redBegin(ctx, a.r, fn, opts)
}

// AsyncConn is the red face of a Conn, see [AsyncEngine].
//
// As with the Conn, one task or goroutine at a time can use it.
type AsyncConn struct{ c *Conn }

// Sync returns the blue Conn.
func (a AsyncConn) Sync() *Conn { return a.c }

// Exec is [Conn.Exec] as a future.
func (a AsyncConn) Exec(ctx context.Context, query string, args ...any) *loop.Future[Result] {
	return redExec(ctx, a.c, query, args)
}

// Query is [Conn.Query] as a future.
func (a AsyncConn) Query(ctx context.Context, query string, args ...any) *loop.Future[*Rows] {
	return redQuery(ctx, a.c, query, args)
}

// QueryRow is [Conn.QueryRow] as a future, which has the query's error.
func (a AsyncConn) QueryRow(ctx context.Context, query string, args ...any) *loop.Future[*Row] {
	return redQueryRow(ctx, a.c, query, args)
}

// Stream is [Conn.Stream] as a future.
func (a AsyncConn) Stream(ctx context.Context, query string, args ...any) *loop.Future[AsyncRows] {
	return redStream(ctx, a.c, query, args)
}

// InTx is [Conn.InTx] as a future. fn is blue code.
func (a AsyncConn) InTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) *loop.Future[struct{}] {
	return redBegin(ctx, a.c, fn, opts)
}

// BeginTx is [Conn.BeginTx] as a future.
func (a AsyncConn) BeginTx(ctx context.Context, opts ...TxOption) *loop.Future[AsyncTx] {
	return redBeginTx(ctx, a.c, opts)
}

// Commit is [Conn.Commit] as a future.
func (a AsyncConn) Commit(ctx context.Context) *loop.Future[struct{}] {
	return redDone(ctx, a.c.Commit)
}

// Rollback is [Conn.Rollback] as a future.
func (a AsyncConn) Rollback(ctx context.Context) *loop.Future[struct{}] {
	return redDone(ctx, a.c.Rollback)
}

// Close is [Conn.Close] as a future. It closes the Conn even if ctx has ended.
func (a AsyncConn) Close(ctx context.Context) *loop.Future[struct{}] {
	return redDone(context.WithoutCancel(ctx), func(context.Context) error { return a.c.Close() })
}

// AsyncTx is the red face of a Tx, see [AsyncEngine]. As with the Tx, one task or goroutine at a time
// can use it.
type AsyncTx struct{ tx *Tx }

// Sync returns the blue Tx.
func (a AsyncTx) Sync() *Tx { return a.tx }

// Exec is [Tx.Exec] as a future.
func (a AsyncTx) Exec(ctx context.Context, query string, args ...any) *loop.Future[Result] {
	return redExec(ctx, a.tx, query, args)
}

// Query is [Tx.Query] as a future.
func (a AsyncTx) Query(ctx context.Context, query string, args ...any) *loop.Future[*Rows] {
	return redQuery(ctx, a.tx, query, args)
}

// QueryRow is [Tx.QueryRow] as a future, which has the query's error.
func (a AsyncTx) QueryRow(ctx context.Context, query string, args ...any) *loop.Future[*Row] {
	return redQueryRow(ctx, a.tx, query, args)
}

// Stream is [Tx.Stream] as a future.
func (a AsyncTx) Stream(ctx context.Context, query string, args ...any) *loop.Future[AsyncRows] {
	return redStream(ctx, a.tx, query, args)
}

// InTx is [Tx.InTx] as a future. fn is blue code.
func (a AsyncTx) InTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) *loop.Future[struct{}] {
	return redBegin(ctx, a.tx, fn, opts)
}

// BeginTx is [Tx.BeginTx] as a future.
func (a AsyncTx) BeginTx(ctx context.Context, opts ...TxOption) *loop.Future[AsyncTx] {
	return redBeginTx(ctx, a.tx, opts)
}

// Commit is [Tx.Commit] as a future.
func (a AsyncTx) Commit(ctx context.Context) *loop.Future[struct{}] { return redDone(ctx, a.tx.Commit) }

// Rollback is [Tx.Rollback] as a future.
func (a AsyncTx) Rollback(ctx context.Context) *loop.Future[struct{}] {
	return redDone(context.WithoutCancel(ctx), a.tx.Rollback)
}

// AsyncRows are streamed rows whose Next returns a future. The blue Rows of [AsyncRows.Sync] read the
// row that has come, without I/O.
//
// One task or goroutine at a time can use them.
type AsyncRows struct{ r *Rows }

// Sync returns the blue Rows, for Scan and the like.
func (a AsyncRows) Sync() *Rows { return a.r }

// Next is [Rows.Next] as a future. The future is done at once while there are rows that have come
// already, so that awaiting it doesn't switch.
func (a AsyncRows) Next(ctx context.Context) *loop.Future[bool] {
	if a.r.closed || (a.r.next+1)*len(a.r.call.Columns) <= len(a.r.call.Values) {
		p := loop.NewPromise[bool](repaint.CurrentLoop())
		p.Resolve(a.r.Next())
		return p.Future()
	}
	return red.Call(ctx, func(context.Context) (bool, error) { return a.r.Next(), a.r.Err() })
}

// Close is [Rows.Close] as a future. It closes the rows even if ctx has ended.
func (a AsyncRows) Close(ctx context.Context) *loop.Future[struct{}] {
	return redDone(context.WithoutCancel(ctx), func(context.Context) error { return a.r.Close() })
}
