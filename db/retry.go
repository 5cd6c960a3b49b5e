package db

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/seed1239206e/repaint"
)

// Retry runs fn in a transaction and commits it, as InTx does, and does so again
// if it failed with [ErrConflict]: after a serialization failure or a deadlock. fn
// must be fit for running several times. See [RetryPolicy] for how often and when.
//
// What ended with [ErrUnknownOutcome] isn't repeated, because it may have been
// committed; [RetryPolicy].Unknown asks for that.
//
// q is an Engine or a Conn: a part of a transaction can't be run again, because the
// whole of it has to.
func Retry(ctx context.Context, q Querier, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	return RetryPolicy{}.InTx(ctx, q, fn, opts...)
}

// RetryPolicy says how often to retry, and how long to wait before. The zero value
// is what [Retry] does.
type RetryPolicy struct {
	Attempts int           // in all; 0 is 10
	Wait     time.Duration // at most, before the second attempt; it doubles with each further one; 0 is 5 ms
	MaxWait  time.Duration // the longest wait; 0 is 500 ms
	// Unknown has fn run again also after [ErrUnknownOutcome], when its transaction may
	// have been committed. It is for a fn that finds out by itself, or that leaves the
	// same behind whether it is applied once or twice.
	Unknown bool
	// Retrying is called before each wait; nil does nothing.
	Retrying func(attempt int, err error)
}

// InTx is [Retry] by this policy. Each wait is random, between nothing and its
// limit, so that those who were in each other's way don't meet again.
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
		return misuse("retry", "the database rolls back the whole transaction, so a part of it can't be run again; retry what begins it")
	case *Conn:
		if q.conf.begin {
			return misuse("retry", "the Conn was opened with AutoBegin, and what it did before would be rolled back too; use the Engine")
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
