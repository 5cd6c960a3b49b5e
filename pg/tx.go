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

	"github.com/seed1239206e/repaint"
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
	parent *Tx // of a savepoint
	begin  string
	commit string
	back   string
	owns   *pool // to which its session goes back with its end; nil if it isn't its own
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

// enter is called before each statement. If it returns a BEGIN, that must be executed in the same
// segment before the statement, and started called after it.
func (tx *Tx) enter(ctx context.Context) (begin string, err error) {
	if tx.s.ended() {
		return "", errTxOver
	}
	if tx.parent != nil {
		return tx.parent.enter(ctx)
	}
	for {
		tx.mu.Lock()
		state := tx.state
		switch state {
		case txPending:
			tx.state = txStarting
		case txStarting:
			tx.awaitFirst()
		case txBegun:
			if !tx.s.inTransaction() {
				err = errEndedItself
			}
		}
		first := tx.first
		tx.mu.Unlock()
		switch state {
		case txPending:
			return tx.begin, nil
		case txBegun:
			return "", err
		case txGone:
			return "", errEndedItself
		case txStarting:
			if err := watch(ctx, first); err != nil {
				return "", err
			}
		case txUnsure:
			if err := tx.settle(ctx); err != nil {
				return "", err
			}
		}
	}
}

var errEndedItself = fmt.Errorf("%w: one of its statements ended it", pgx.ErrTxClosed)

// started ends the state txStarting.
func (tx *Tx) started(gaveUp bool) {
	root := tx.root()
	root.mu.Lock()
	root.state = txUnsure
	if !gaveUp {
		root.state = root.known()
	}
	first := root.first
	root.first = nil
	root.mu.Unlock()
	if first != nil {
		first.Resolve(struct{}{})
	}
}

// awaitFirst makes the promise for callers that wait for the end of txStarting. The caller must
// hold the mutex.
func (tx *Tx) awaitFirst() {
	if tx.first == nil {
		tx.first = loop.NewPromise[struct{}](nil)
		tx.first.Future().SetName("the first statement of a transaction")
	}
}

// settle waits until nothing is under way, and then finds out whether the transaction has begun.
func (tx *Tx) settle(ctx context.Context) error {
	quiet := loop.NewPromise[struct{}](nil)
	quiet.Future().SetName("the end of a statement that was given up")
	quiet.AskedBy(repaint.CurrentLoop())
	quiet.UnderWay(true)
	if err := tx.s.whenIdle(func() { quiet.Resolve(struct{}{}) }); err != nil {
		return err
	}
	if _, err := repaint.Await(ctx, quiet.Future()); err != nil {
		return err
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.state == txUnsure {
		tx.state = tx.known()
	}
	return nil
}

// known returns the state after the first statement, once its outcome is known. If that statement
// ended the transaction, the state is still txBegun: the transaction isn't begun again, and can't
// be committed.
func (tx *Tx) known() txState {
	if tx.s.hasBegun() || tx.s.inTransaction() {
		return txBegun
	}
	return txPending // BEGIN failed, or wasn't sent
}

// watch waits for a promise that other callers wait for, too. So the end of this context doesn't
// cancel it.
func watch(ctx context.Context, p *loop.Promise[struct{}]) error {
	mine := loop.NewPromise[struct{}](nil)
	mine.AskedBy(repaint.CurrentLoop())
	var w loop.Waiter
	w.Notify(nil, resolve{mine})
	if !p.Future().Subscribe(&w) {
		return nil
	}
	_, err := repaint.Await(ctx, mine.Future())
	p.Future().Unsubscribe(&w)
	return err
}

// resolve is a Runnable that resolves a promise, in whatever goroutine it runs.
type resolve struct{ promise *loop.Promise[struct{}] }

func (r resolve) RunInLoop() { r.promise.Resolve(struct{}{}) }

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

// These functions begin the transaction that a query needs, if any. Code that serves sessions and
// transactions alike gets one of them.
type (
	inside  func(ctx context.Context, q *query, run func() error) error // in one segment with run's query: within
	opening func(ctx context.Context, q *query) error                   // in a segment of its own: start
)

// within prepares a query for the transaction, runs it, and records whether BEGIN succeeded. If the
// first statement fails because it was prepared before the schema changed, within sends both again:
// nothing else has happened in the transaction.
func (tx *Tx) within(ctx context.Context, q *query, run func() error) error {
	if explorer() != nil { // there BEGIN is a step of its own
		if err := tx.start(ctx, q); err != nil {
			return err
		}
		return run()
	}
	for attempt := 1; ; attempt++ {
		begin, err := tx.enter(ctx)
		if err != nil {
			return q.notBegun(err)
		}
		q.inTx = true
		if again, err := tx.lead(ctx, q, begin, attempt, run); !again {
			return err
		}
	}
}

// lead runs a query, after begin if that isn't empty, and records whether begin succeeded. It
// reports whether both had no effect and should be tried again.
func (tx *Tx) lead(ctx context.Context, q *query, begin string, attempt int, run func() error) (again bool, err error) {
	q.begin, q.begins = begin, nil
	if begin == "" {
		return false, run()
	}
	q.begins = &tx.root().s
	returned := false
	defer tx.unwound(q, &returned)
	err = run()
	gaveUp := err != nil && q.unfinished()
	again = err != nil && !gaveUp && q.stale && attempt < maxAttempts && tx.undo(ctx)
	returned = true
	tx.started(gaveUp)
	if again {
		q.renew()
	}
	return again, err
}

// unwound ends the state txStarting if the first statement didn't return, because an argument or a
// tracer panicked or the greenlet is being unwound.
func (tx *Tx) unwound(first *query, returned *bool) {
	if !*returned {
		tx.started(first.underWay())
	}
}

// underWay reports whether the segment was sent and isn't finished.
func (g *segment) underWay() bool {
	if g.lease == nil {
		return false
	}
	g.lease.mu.Lock()
	defer g.lease.mu.Unlock()
	return g.state == stateSent
}

// renew resets a query that has failed, so that it can run once more.
func (q *query) renew() {
	q.reset()
	q.row.err, q.row.closed = nil, false
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

// start sends BEGIN, if it hasn't been sent, and waits for the answer. It is for a query that can't
// share a segment with BEGIN, and that takes so long that the transaction must not stay in
// txStarting meanwhile.
func (tx *Tx) start(ctx context.Context, q *query) error {
	begin, err := tx.enter(ctx)
	if err == nil && begin != "" {
		first := &query{text: begin}
		first.inTx, first.begins = true, &tx.root().s
		returned := false
		defer tx.unwound(first, &returned)
		_, err = tx.s.executor().exec(ctx, first)
		returned = true
		tx.started(err != nil && first.unfinished())
	}
	if err != nil {
		return q.notBegun(err)
	}
	q.inTx = true
	return nil
}

// notBegun returns the error of a statement whose transaction couldn't be begun or has ended.
func (q *query) notBegun(err error) error {
	if errors.Is(err, pgx.ErrTxClosed) {
		return q.failed(StageRun, err)
	}
	return q.failed(StageBegin, err)
}

// undo rolls back a transaction whose first statement has failed, and in which nothing else has
// happened.
func (tx *Tx) undo(ctx context.Context) bool {
	q := &query{text: "rollback"}
	q.inTx = true
	_, err := tx.s.executor().exec(ctx, q)
	if err != nil || tx.s.inTransaction() {
		return false
	}
	tx.s.undone()
	return true
}

// unfinished reports whether the caller gave the segment up, so that it may still be in use.
func (g *segment) unfinished() bool {
	if g.lease == nil {
		return false
	}
	g.lease.mu.Lock()
	defer g.lease.mu.Unlock()
	return g.abandoned.Load()
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
