package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/loop"
)

// A Tx is a transaction, or a savepoint in one. It implements pgx.Tx. BEGIN travels with the first
// statement, in one segment. A transaction that ends without a statement never reaches the server.
// Begin of a transaction makes a savepoint.
//
// Several goroutines or tasks may use it at once: their statements are pipelined. Methods return a
// [*StatementError], as those of DB do. After Commit or Rollback, or the end of its session or
// outer transaction, every call returns pgx.ErrTxClosed and sends nothing. That holds, too, for a
// call that began before and hasn't sent anything yet.
//
//	pending   BEGIN is still to be sent
//	starting  the first statement is being sent; others wait for it
//	begun     the server has begun it
//	unsure    the caller gave up the first statement; the next one waits until its outcome is known
//	gone      one of its statements has ended it, and the session has another transaction
type Tx struct {
	s      lease
	parent *Tx // the transaction around a savepoint; nil otherwise
	begin  string
	commit string
	back   string
	owns   *pool // to which its session goes back at its end; nil if the transaction doesn't own the session
	points atomic.Int64

	mu    sync.Mutex // held for moments; the line's may be taken inside
	state txState
	first *loop.Promise[struct{}] // done when the starting state ends; nil without a waiter
}

type txState uint8

const (
	txPending txState = iota
	txStarting
	txBegun
	txUnsure
	txGone
)

var _ pgx.Tx = (*Tx)(nil)

// newTx makes a transaction that has no session yet.
func newTx(o pgx.TxOptions) *Tx {
	tx := &Tx{s: lease{tx: true}, begin: o.BeginQuery, commit: o.CommitQuery, back: "rollback"}
	if tx.begin == "" {
		words := []string{"begin"}
		if o.IsoLevel != "" {
			words = append(words, "isolation level", string(o.IsoLevel))
		}
		if o.AccessMode != "" {
			words = append(words, string(o.AccessMode))
		}
		if o.DeferrableMode != "" {
			words = append(words, string(o.DeferrableMode))
		}
		tx.begin = strings.Join(words, " ")
	}
	if tx.commit == "" {
		tx.commit = "commit"
	}
	return tx
}

var errEndedItself = fmt.Errorf("%w: one of its statements ended it", pgx.ErrTxClosed)

func (tx *Tx) root() *Tx {
	for tx.parent != nil {
		tx = tx.parent
	}
	return tx
}

// inTransaction reports whether the connection is in a transaction, or may be because something is
// under way.
func (s *line) inTransaction() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		return c.status != 'I' || c.sent.len() > 0
	}
	if o := s.session(); o != nil && o.replaceable() {
		return false // it gets another connection, where nothing has begun
	}
	return true // lost: the statement itself will tell
}

// isOpen reports whether the transaction can still be used, as far as is known.
func (tx *Tx) isOpen() bool {
	if tx.s.ended() {
		return false
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.state != txGone && (tx.state != txBegun || tx.s.inTransaction())
}

// replaced records that the session begins another transaction, because a statement of this one has
// ended it. So the end of this one doesn't end the other.
func (tx *Tx) replaced() {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.state == txBegun {
		tx.state = txGone
	}
}

// Exec is [DB.Exec] in the transaction.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	q := &query{text: sql, args: args}
	err = tx.within(ctx, q, func() error {
		tag, err = tx.s.executor().exec(ctx, q)
		return err
	})
	return tag, err
}

// Query is [DB.Query] in the transaction.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	r := tx.query(ctx, sql, args)
	return r, r.err
}

// QueryRow is [DB.QueryRow] in the transaction.
func (tx *Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return (*row)(tx.query(ctx, sql, args))
}

func (tx *Tx) query(ctx context.Context, sql string, args []any) *Rows {
	q := &query{text: sql, args: args}
	err := tx.within(ctx, q, func() error { return tx.s.executor().query(ctx, q).err })
	if err != nil {
		q.row.err, q.row.closed = err, true
	}
	return &q.row
}

// SendBatch is [DB.SendBatch] in the transaction.
func (tx *Tx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if beginsTx(b) {
		return pgx.FailedBatchResults(b, errBatchInTx)
	}
	return tx.s.executor().batch(ctx, b, tx.within)
}

// Begin makes a savepoint. The result's Commit releases the savepoint, and its Rollback goes back
// to it.
func (tx *Tx) Begin(ctx context.Context) (pgx.Tx, error) {
	name := fmt.Sprintf("sp_%d", tx.root().points.Add(1))
	sp := &Tx{s: lease{line: tx.s.line, within: &tx.s, tx: true}, parent: tx, state: txBegun}
	sp.commit, sp.back = "release savepoint "+name, "rollback to savepoint "+name
	q := &query{text: "savepoint " + name}
	q.opens = &sp.s
	err := tx.within(ctx, q, func() error { _, err := tx.s.executor().exec(ctx, q); return err })
	if err != nil {
		sp.s.drop()
		return nil, err
	}
	return sp, nil
}

// Commit commits the transaction, or releases the savepoint. It returns pgx.ErrTxCommitRollback if
// the server rolls the transaction back instead, because a statement had failed, and
// pgx.ErrTxClosed if the transaction is over. If the context ends before the COMMIT is sent, the
// transaction is rolled back. If it ends after that, the outcome is unknown, and the error's
// MaybeApplied is true.
func (tx *Tx) Commit(ctx context.Context) error {
	pending, err := tx.finish(ctx)
	if err != nil {
		return err
	}
	defer tx.giveBack()
	if pending {
		return nil
	}
	q := &query{text: tx.commit}
	q.commits, q.inTx, q.last = tx.parent == nil, true, true
	defer tx.abort(q)
	tag, err := tx.s.executor().exec(ctx, q)
	if err == nil && tag.String() == "ROLLBACK" {
		return pgx.ErrTxCommitRollback
	}
	return err
}

// finish ends the lease for a Commit, and reports whether BEGIN was never sent.
func (tx *Tx) finish(ctx context.Context) (pending bool, err error) {
	for {
		tx.s.flush()
		tx.mu.Lock()
		if tx.state == txStarting {
			tx.awaitFirst()
		}
		state, first := tx.state, tx.first
		err := tx.s.tryEnd(state != txStarting && state != txUnsure)
		tx.mu.Unlock()
		switch {
		case err != nil:
		case state == txStarting:
			err = watch(ctx, first)
		case state == txUnsure:
			err = tx.settle(ctx)
		case state == txGone:
			return false, errEndedItself
		default:
			return state == txPending, nil
		}
		switch {
		case err == errOccupied:
			return false, &StatementError{SQL: tx.commit, Stage: StageRun, Err: err}
		case err != nil:
			return false, err
		}
	}
}

// Rollback rolls the transaction back, or goes back to the savepoint. If the context has ended, it
// doesn't wait for the server. It returns pgx.ErrTxClosed if the transaction is over, so a deferred
// Rollback after Commit does no harm.
func (tx *Tx) Rollback(ctx context.Context) error {
	tx.s.flush()
	tx.mu.Lock()
	state := tx.state
	begun, occupant, first := tx.s.end()
	tx.mu.Unlock()
	if !first {
		return pgx.ErrTxClosed
	}
	// What is under way comes first on the connection, so there is nothing to wait for; and when
	// that is given back, a transaction that is still open is rolled back.
	defer tx.giveBack()
	if occupant != nil {
		occupant.evict()
	}
	if tx.parent == nil {
		tx.s.session().abandonUnread()
	}
	if state == txPending || state == txGone || state == txStarting && !begun {
		return nil
	}
	if ctx.Err() != nil {
		if tx.owns == nil {
			tx.s.fire(&segment{sql: tx.back, inTx: true, last: true}, func(error) {})
		}
		return nil
	}
	q := &query{text: tx.back}
	q.inTx, q.last, q.soon = true, true, true
	defer tx.abort(q)
	_, err := tx.s.executor().exec(ctx, q)
	if ctx.Err() != nil && !errors.Is(err, ErrConnLost) {
		return nil
	}
	return err
}

// abort rolls back, without waiting, if the statement that should end the transaction was never
// sent: its context has ended, a tracer has panicked, or the greenlet is being unwound. Otherwise
// the session would stay in the transaction. A session that the transaction gives back is rolled
// back anyway.
func (tx *Tx) abort(end *query) {
	if tx.owns != nil {
		return
	}
	tx.s.mu.Lock()
	sent := end.conn != nil
	if !sent {
		tx.s.standing.Store(leaseEnding) // it may have been accepted, and dropped
	}
	tx.s.mu.Unlock()
	if !sent {
		tx.s.fire(&segment{sql: tx.back, inTx: true, last: true}, func(error) {})
	}
}

// giveBack gives the session back if the transaction owns one.
func (tx *Tx) giveBack() {
	if tx.owns != nil {
		tx.owns.recycle(&tx.s, false)
	}
}

// Conn returns nil: there is no pgx.Conn.
func (tx *Tx) Conn() *pgx.Conn { return nil }
