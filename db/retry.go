package db

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/seed1239206e/repaint"
)

// Retry runs fn in a transaction and commits it, as InTx does. After [ErrConflict], that is, a
// serialization failure or a deadlock, it does so again, so fn may run several times.
// [RetryPolicy] says how often and when. Retry returns the last error.
//
// Retry doesn't repeat a transaction that ended with [ErrUnknownOutcome], because it may have been
// committed; [RetryPolicy].Unknown asks for that.
//
// q is an Engine or a Conn. With a Tx, Retry returns [ErrMisuse]: the database rolls back the whole
// transaction, so a part of it can't run again.
func Retry(ctx context.Context, q Querier, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	return RetryPolicy{}.InTx(ctx, q, fn, opts...)
}

// RetryPolicy says how often to retry, and how long to wait before each attempt. [Retry] uses the zero
// value. Any number of goroutines can use a policy at once.
type RetryPolicy struct {
	Attempts int           // how often fn runs at most; 0 is 10
	Wait     time.Duration // the limit of the first wait, which doubles for each further one; 0 is 5 ms
	MaxWait  time.Duration // the limit of all waits; 0 is 500 ms
	// Unknown also repeats after [ErrUnknownOutcome], when the transaction may have been
	// committed. It is for a fn that finds out by itself, or that has the same effect whether it is
	// applied once or twice.
	Unknown bool
	// Retrying is called before each wait, with the number of the failed attempt, from 1, and its
	// error. It may be nil.
	Retrying func(attempt int, err error)
}

// InTx is [Retry] with this policy. Each wait is random, between 0 and its limit, so that transactions
// that were in each other's way don't meet again.
func (p RetryPolicy) InTx(ctx context.Context, q Querier, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	if p.Attempts <= 0 {
		p.Attempts = 10
	}
	if p.Wait <= 0 {
		p.Wait = 5 * time.Millisecond
	}
	if p.MaxWait <= 0 {
		p.MaxWait = 500 * time.Millisecond
	}
	switch q := q.(type) {
	case *Tx:
		return misuse("retry", "the database rolls back the whole transaction, so a part of it can't run again; retry the whole transaction")
	case *Conn:
		if q.conf.begin {
			return misuse("retry", "the Conn was opened with AutoBegin, so its earlier statements would be rolled back, too; use the Engine")
		}
	}
	limit := min(p.Wait, p.MaxWait)
	for attempt := 1; ; attempt++ {
		err := q.InTx(ctx, fn, opts...)
		if err == nil || attempt >= p.Attempts || !p.repeats(err) || ctx.Err() != nil {
			return err
		}
		if p.Retrying != nil {
			p.Retrying(attempt, err)
		}
		if repaint.Sleep(ctx, rand.N(limit)+1) != nil {
			return err
		}
		limit = min(2*limit, p.MaxWait)
	}
}

// repeats reports whether fn is to run again after an error.
func (p RetryPolicy) repeats(err error) bool {
	if errors.Is(err, ErrUnknownOutcome) {
		return p.Unknown
	}
	return errors.Is(err, ErrConflict)
}
