package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/sqltext"
)

// A Reader is a view of a DB that only reads. Its lanes are connections of their own, on which the
// server refuses what writes: they have default_transaction_read_only = on from the beginning, and
// nothing that could change that is sent there. So statements of strangers can share a Sync, and with it the
// transaction in which the server executes them: those that are put into one write do, at most
// reader_group of them. That is what most of the server's work for a short query is.
//
// Callers notice nothing of it. An error is that of its statement alone: those before it have their
// answers, those after it are sent again, each with a Sync of its own. It is the same if a cancel hits another
// statement, if a statement is deadlocked, or if the connection breaks.
//
// What a group shares is its transaction. now() is the time at which the first statement of the group
// began, which is after each of them was asked for. What a statement locks, as reading a table does,
// stays locked until the last one has ended. Each statement has its own snapshot, and its own time for
// statement_timeout. Where that would be different, nothing is shared: if the server's
// default_transaction_isolation isn't READ COMMITTED, for a batch, for a statement with a [Timeout],
// and for one that calls functions other than the database's own: such a function could set or lock
// something for the transaction. What the text doesn't show, in a view, an operator or a policy, can't
// be known: views that call functions which set something for their transaction are not for a Reader.
//
// A query of which the text shows that it only computes is sent again if its connection breaks. What
// calls other functions is treated as on lanes, since such a function can have an effect outside of the
// transaction, as dblink has: its error is a [LostError].
//
// What lanes refuse is refused with [ErrRefusedOnLane], and so is set_config in any form. What writes
// is sent, and refused by the server (25006), also in functions. Where there are no lanes, with
// pipeline=off and in a loop that explores schedules, each statement has a session while it runs, and
// is a read-only transaction there.
//
// A Reader is no more than a name for its DB: it is closed with that, and any number of goroutines and
// tasks can use it. It has no transactions: for several reads of one snapshot, use [DB.BeginTx] with
// pgx.RepeatableRead and pgx.ReadOnly.
type Reader struct{ db *DB }

// Reader returns the DB's view that only reads. Its connections are opened with its first statement,
// as lanes are, and are more than those of pool_lanes and pool_sessions: pool_reader_lanes of them at
// most.
func (db *DB) Reader() *Reader { return &Reader{db} }

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
	if r.db.pipelines() {
		return r.db.readers.executor().query(ctx, &query{text: sql, args: args, access: ofReader})
	}
	o := &owning{query: query{text: sql, args: args, access: ofReader}}
	if err := r.db.pool.acquire(ctx, &o.lease); err != nil {
		o.row.err, o.row.closed = o.failed(StageWait, err), true
		return &o.row
	}
	defer r.db.pool.recycle(&o.lease, false)
	return o.lease.executor().query(ctx, &o.query)
}

// Exec runs a statement whose rows aren't wanted, as [DB.Exec] does. It is there for code that wants
// it, as what sqlc generates does.
func (r *Reader) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if r.db.pipelines() {
		return r.db.readers.executor().exec(ctx, &query{text: sql, args: args, access: ofReader})
	}
	o := &owning{query: query{text: sql, args: args, access: ofReader}}
	if err := r.db.pool.acquire(ctx, &o.lease); err != nil {
		return pgconn.CommandTag{}, o.failed(StageWait, err)
	}
	defer r.db.pool.recycle(&o.lease, false)
	return o.lease.executor().exec(ctx, &o.query)
}

// SendBatch runs the batch's queries in one go and as one transaction, which they have for themselves,
// as [DB.SendBatch] does. A batch that begins a transaction, see [pgx.Batch.BeginTx], is refused.
func (r *Reader) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if beginsTx(b) {
		return pgx.FailedBatchResults(b, fmt.Errorf("%w: Batch.BeginTx on a Reader: send the batch to the DB", ErrUnsupported))
	}
	if r.db.pipelines() {
		return r.db.readers.executor().batchOf(ctx, b, nil, ofReader)
	}
	s := new(lease)
	if err := r.db.pool.acquire(ctx, s); err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	defer r.db.pool.recycle(s, false)
	return s.executor().batchOf(ctx, b, nil, ofReader)
}

// Ping asks the server for a sign of life, on one of the Reader's connections.
func (r *Reader) Ping(ctx context.Context) error {
	if r.db.pipelines() {
		return r.db.readers.executor().ping(ctx)
	}
	return r.db.Ping(ctx)
}

// Stats returns the figures of the Reader's lanes; those of sessions are 0. Statements/Syncs is how many
// statements share a Sync.
func (r *Reader) Stats() Stats {
	return r.db.readers.laneStats()
}

// forReader notes of a query of a Reader what follows from its text. An error refuses it.
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
		return fmt.Errorf("%w: set_config on a Reader would concern the statements of others, too: use a transaction, or Acquire a session", ErrRefusedOnLane)
	}
	return nil
}

// onlyReads reports whether the text shows that the statements have no effect.
func (v verdict) onlyReads() bool {
	return !v.effects.Any(sqltext.Writes | sqltext.CommitsItself | sqltext.RunsCode | sqltext.CallsCode | sqltext.Redefines)
}
