package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/sqltext"
)

// A Reader is a view of a DB that only reads. It has lanes of its own, on which the server refuses
// to write: they have default_transaction_read_only = on from the beginning, and no statement that
// could change it is sent there. So statements of different callers can share a Sync, and with it
// the transaction in which the server executes them. Those that travel in one write do, up to
// reader_group of them. Beginning and ending transactions is most of the server's work for short
// queries.
//
// Callers don't notice. An error concerns its statement alone: the statements before it have their
// answers, and those after it are sent again, each with a Sync of its own. The same happens if a
// cancel hits another statement, if a statement is deadlocked, or if the connection breaks.
//
// A group shares its transaction. now() is the time at which the first statement of the group
// began, which is after each of them was called. A lock that a statement takes, as reading a table
// does, lasts until the last statement has ended. Each statement has its own snapshot, and its own
// time for statement_timeout. Nothing is shared where that would be different: if the server's
// default_transaction_isolation isn't READ COMMITTED, for a batch, for a statement with a
// [Timeout], and for one that calls functions other than the database's own, because such a
// function could set or lock something for the transaction. The driver can't know what the text
// doesn't show, in a view, an operator or a policy. So don't read views with a Reader that call
// functions which set something for their transaction.
//
// If the connection breaks, a query whose text shows that it only computes is sent again. A query
// that calls other functions may have an effect outside the transaction, as dblink has. So it fails
// with a [LostError], as on other lanes.
//
// Statements that lanes refuse get [ErrRefusedOnLane], and so does set_config in any form. A
// statement that writes is sent, and the server refuses it with the SQLSTATE 25006, also in
// functions. Where there are no lanes, with pipeline=off and in a loop that explores schedules,
// each statement has a session while it runs, and is a read-only transaction there.
//
// A Reader is only a view: it ends with its DB. Any number of goroutines and tasks may use it at
// once. It has no transactions: for several reads of one snapshot, use [DB.BeginTx] with
// pgx.RepeatableRead and pgx.ReadOnly.
//
// Config.ReaderTarget, or [DB.ReadFrom], says where a Reader reads: on the primary, or on standbys,
// among which its lanes are divided. A read on a standby may fail for a reason of that server: it
// is in the way of the replay, say, or the connection breaks. Then the Reader sends it to another
// server. A read from a standby shows that standby's state: see Config.MaxLag, and [WaitFor] for
// reading what was just written. In a loop that explores schedules a Reader reads from the primary.
type Reader struct {
	db     *DB
	target ReaderTarget
}

// Reader returns the DB's view that only reads. All Readers of a DB share their connections. Like
// lanes, these are opened when they are needed. There are up to pool_reader_lanes of them, apart
// from pool_lanes and pool_sessions.
func (db *DB) Reader() *Reader { return &Reader{db, db.config.ReaderTarget} }

// ReadFrom is [DB.Reader] with another target. A target with standbys needs a DB that knows the
// roles of its servers: it must have several hosts and want the primary, or a Config.ReaderTarget
// with standbys. Otherwise the Reader's calls fail with [ErrUnsupported].
func (db *DB) ReadFrom(target ReaderTarget) *Reader { return &Reader{db, target} }

// onLanes reports whether the Reader's statements run on lanes.
func (r *Reader) onLanes() bool {
	return r.db.pipelines() || r.target != ReadPrimary && explorer() == nil
}

// Query runs a query and returns its rows, as [DB.Query] does.
func (r *Reader) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows := r.query(ctx, sql, args)
	return rows, rows.err
}

// QueryRow runs a query and returns its first row, as [DB.QueryRow] does.
func (r *Reader) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return (*row)(r.query(ctx, sql, args))
}

func (r *Reader) query(ctx context.Context, sql string, args []any) *Rows {
	if r.onLanes() {
		return r.db.readers.executor().query(ctx, &query{text: sql, args: args, access: r.target.access()})
	}
	o := &owning{query: query{text: sql, args: args, access: r.target.access()}}
	if err := r.db.pool.acquire(ctx, &o.lease); err != nil {
		o.row.err, o.row.closed = o.failed(StageWait, err), true
		return &o.row
	}
	defer r.db.pool.recycle(&o.lease, false)
	return o.lease.executor().query(ctx, &o.query)
}

// Exec runs a statement and throws its rows away, as [DB.Exec] does. Code that sqlc generates needs
// it.
func (r *Reader) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if r.onLanes() {
		return r.db.readers.executor().exec(ctx, &query{text: sql, args: args, access: r.target.access()})
	}
	o := &owning{query: query{text: sql, args: args, access: r.target.access()}}
	if err := r.db.pool.acquire(ctx, &o.lease); err != nil {
		return pgconn.CommandTag{}, o.failed(StageWait, err)
	}
	defer r.db.pool.recycle(&o.lease, false)
	return o.lease.executor().exec(ctx, &o.query)
}

// SendBatch runs the batch's queries in one round trip and as one transaction of their own, as
// [DB.SendBatch] does. A batch that begins a transaction, see [pgx.Batch.BeginTx], gets
// [ErrUnsupported].
func (r *Reader) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if beginsTx(b) {
		return pgx.FailedBatchResults(b, fmt.Errorf("%w: Batch.BeginTx on a Reader: send the batch to the DB", ErrUnsupported))
	}
	if r.onLanes() {
		return r.db.readers.executor().batchOf(ctx, b, nil, r.target.access())
	}
	s := new(lease)
	if err := r.db.pool.acquire(ctx, s); err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	defer r.db.pool.recycle(s, false)
	return s.executor().batchOf(ctx, b, nil, r.target.access())
}

// Ping sends the server an empty statement, on one of the Reader's connections, and waits for the
// answer.
func (r *Reader) Ping(ctx context.Context) error {
	if r.onLanes() {
		if r.db.roles != nil || r.target != ReadPrimary {
			return r.db.roles.read(ctx, r.target, func(on executor) error { return on.ping(ctx) })
		}
		return r.db.readers.executor().ping(ctx)
	}
	return r.db.Ping(ctx)
}

// Stats returns the figures of the Readers' lanes; those of sessions are 0. Statements/Syncs is how
// many statements share a Sync.
func (r *Reader) Stats() Stats {
	st := r.db.readers.laneStats()
	if r.db.roles != nil {
		st = r.db.roles.readerStats(st)
	}
	return st
}

// forReader records what follows from the text of a Reader's query. An error refuses the query.
func (s executor) forReader(q *query) error {
	if err := readerRefuses(q.what); err != nil {
		return err
	}
	if s.session() != nil {
		q.access = readOnly
		return nil
	}
	q.access = asItIs // the connection only reads
	q.harmless = q.what.onlyReads()
	q.joins = q.harmless && q.what.statements == 1 && q.what.effects.Any(sqltext.ReturnsRows) && q.limit == 0
	return nil
}

// readerRefuses returns why a statement isn't for a Reader.
func readerRefuses(what verdict) error {
	switch {
	case what.effects.Any(copies) || !what.effects.Pipelines():
		return refused(what)
	case what.effects.Any(sqltext.Sets):
		return fmt.Errorf("%w: set_config on a Reader would affect other callers: use a transaction, or Acquire a session", ErrRefusedOnLane)
	}
	return nil
}

// onlyReads reports whether the text shows that the statements have no effect.
func (v verdict) onlyReads() bool {
	return !v.effects.Any(sqltext.Writes | sqltext.CommitsItself | sqltext.RunsCode | sqltext.CallsCode | sqltext.Redefines)
}
