package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// BEGIN travels with the first statement of a transaction. Until the outcome of that statement is
// known, other statements wait.

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
