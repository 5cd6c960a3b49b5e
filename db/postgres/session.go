package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/pg"
)

// session is a connection in the Engine's pool. The server learns of a transaction from its first
// statement.
type session struct {
	own     *pg.Session
	tx      pgx.Tx // nil outside of a transaction
	status  backend.Status
	calling bool // a call has begun and hasn't returned
	reading bool // the transaction is read-only
}

var (
	_ backend.Resetter    = (*session)(nil)
	_ backend.Pinger      = (*session)(nil)
	_ backend.Batcher     = (*session)(nil)
	_ backend.Streamer    = (*session)(nil)
	_ backend.Lender      = (*session)(nil)
	_ backend.CallTracker = (*session)(nil)
)

// on returns the executor of the next statement: the transaction if there is one, or else the
// connection.
func (s *session) on() executor {
	if s.tx != nil {
		return s.tx
	}
	return s.own
}

// Do returns when the call's context ends, even if the server isn't done: the next call on the
// connection waits for the server.
func (s *session) Do(ctx context.Context, call *backend.Call) error {
	args, err := arguments(call)
	if err != nil {
		return err
	}
	if s.tx == nil {
		args = alone(call, args)
	}
	s.calling = true
	err = execute(ctx, s.on(), call, args)
	return s.done(err)
}

// Calling reports whether a call has begun and hasn't returned.
func (s *session) Calling() bool { return s.calling }

// done notes that a call has returned, and in which state its error has left the connection.
func (s *session) done(err error) error {
	s.calling = false
	var refused *backend.ArgumentError
	switch {
	case err == nil:
	case isLost(err):
		s.status = backend.Broken
	case errors.As(err, &refused): // the call wasn't sent
	case s.status == backend.InTx:
		// The server reported the error, or the call didn't wait for its answer.
		s.status = backend.FailedTx
	}
	return err
}

// DoMany is Do for several calls, all in one batch.
func (s *session) DoMany(ctx context.Context, calls []*backend.Call) (failed int, err error) {
	batch := &pgx.Batch{}
	for i, call := range calls {
		args, err := arguments(call)
		if err != nil {
			return i, err
		}
		batch.Queue(call.Statement.Text, args...)
	}
	s.calling = true
	results := s.on().SendBatch(ctx, batch)
	for i, call := range calls {
		if err = take(results, call); err != nil {
			failed = i
			break
		}
	}
	if err != nil {
		var which *pg.BatchError
		if errors.As(err, &which) {
			failed = which.Index
		}
		err = explain(calls[failed], err)
	}
	_ = results.Close() // Close returns the same error
	return failed, s.done(err)
}

// take reads the next result of a batch.
func take(results pgx.BatchResults, call *backend.Call) error {
	if call.Rows {
		rows, err := results.Query()
		if err != nil {
			return err
		}
		return fill(call, rows)
	}
	tag, err := results.Exec()
	if err == nil {
		note(call, tag)
	}
	return err
}

var levels = map[backend.IsolationLevel]pgx.TxIsoLevel{
	sql.LevelReadUncommitted: pgx.ReadUncommitted,
	sql.LevelReadCommitted:   pgx.ReadCommitted,
	sql.LevelRepeatableRead:  pgx.RepeatableRead,
	sql.LevelSnapshot:        pgx.RepeatableRead, // PostgreSQL's repeatable read is snapshot isolation
	sql.LevelSerializable:    pgx.Serializable,
}

func (s *session) Begin(ctx context.Context, o backend.TxOptions) error {
	opts := pgx.TxOptions{IsoLevel: levels[o.Isolation]}
	if o.ReadOnly {
		opts.AccessMode = pgx.ReadOnly
	}
	if o.Deferrable {
		opts.DeferrableMode = pgx.Deferrable
	}
	tx, err := s.own.BeginTx(ctx, opts)
	if err == nil {
		s.tx, s.status, s.reading = tx, backend.InTx, o.ReadOnly
	}
	return s.done(err)
}

func (s *session) Commit(ctx context.Context) error {
	return s.end(ctx, pgx.Tx.Commit)
}

func (s *session) Rollback(ctx context.Context) error {
	if s.tx == nil {
		return nil
	}
	return s.end(ctx, func(tx pgx.Tx, ctx context.Context) error {
		err := tx.Rollback(ctx)
		if err == nil {
			err = context.Cause(ctx) // the rollback waits no longer, and the connection isn't ready
		}
		return err
	})
}

func (s *session) end(ctx context.Context, how func(pgx.Tx, context.Context) error) error {
	s.calling = true
	err := how(s.tx, ctx)
	s.tx, s.calling = nil, false
	if s.status != backend.Broken {
		s.status = backend.Idle
	}
	if err != nil && (isLost(err) || !fromServer(err) && !errors.Is(err, pgx.ErrTxCommitRollback)) {
		s.status = backend.Broken // its state is unknown
	}
	return uncertain(err)
}

func (s *session) Savepoint(ctx context.Context, name string) error {
	return s.control(ctx, "savepoint "+name)
}

func (s *session) Release(ctx context.Context, name string) error {
	return s.control(ctx, "release savepoint "+name)
}

func (s *session) RollbackTo(ctx context.Context, name string) error {
	err := s.control(ctx, "rollback to savepoint "+name)
	if err != nil {
		return err
	}
	if s.status == backend.FailedTx {
		s.status = backend.InTx // the transaction is back before the error
	}
	return s.control(ctx, "release savepoint "+name)
}

// control runs a statement about a savepoint.
func (s *session) control(ctx context.Context, text string) error {
	s.calling = true
	_, err := s.tx.Exec(ctx, text)
	return s.done(err)
}

// Ping checks the connection with a round trip to the server.
func (s *session) Ping(ctx context.Context) error {
	s.calling = true
	return s.done(s.own.Ping(ctx))
}

func (s *session) Status() backend.Status { return s.status }

// resetTimeout is how long a reset may take if nothing else limits it.
const resetTimeout = 3 * time.Second

// Reset undoes what the user has left behind, as far as pg can.
func (s *session) Reset(ctx context.Context, thorough bool) error {
	if !thorough && s.own.Tidy() {
		return nil
	}
	ctx, done := backend.Ending(ctx, resetTimeout)
	defer done()
	renewed, err := s.own.Renew(ctx)
	if err == nil {
		s.own = renewed
	}
	return err
}

// Keep makes Reset restore the settings that the connection has now.
func (s *session) Keep(ctx context.Context) error { return s.own.Keep(ctx) }

// Close closes the connection. If its caller was killed during a statement, the statement ends with
// it.
func (s *session) Close(ctx context.Context) error { return s.own.Close(ctx) }

// Stream runs a query whose rows are read as they arrive.
func (s *session) Stream(ctx context.Context, call *backend.Call) (backend.Cursor, error) {
	if call.Statement.Script {
		return nil, driver.ErrSkip
	}
	args, err := arguments(call)
	if err != nil {
		return nil, err
	}
	from, ok := s.on().(interface {
		Stream(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	})
	if !ok {
		return nil, pg.ErrUnsupported
	}
	if s.tx == nil {
		args = alone(call, args)
	}
	s.calling = true
	rows, err := from.Stream(ctx, call.Statement.Text, args...)
	if err != nil {
		return nil, s.done(explain(call, err))
	}
	s.calling = false
	c := &cursor{s: s, rows: rows, reader: newReader(rows)}
	c.reader.describe(call)
	return c, nil
}

// cursor is a query whose rows are read as they arrive.
type cursor struct {
	s      *session
	rows   pgx.Rows
	reader *reader
}

func (c *cursor) Fetch(_ context.Context, call *backend.Call, most int) (more bool, err error) {
	clear(call.Values)
	call.Values = call.Values[:0]
	for n := 0; n < most; n++ {
		if !c.rows.Next() {
			if err := c.rows.Err(); err != nil {
				return false, c.s.done(explain(call, err))
			}
			return false, nil
		}
		if call.Values, err = c.reader.row(call.Values); err != nil {
			return false, err
		}
	}
	return true, nil
}

// Close ends the query. It returns no error: Fetch has returned the query's error, if there was
// one.
func (c *cursor) Close(context.Context) error {
	c.rows.Close()
	return nil
}
