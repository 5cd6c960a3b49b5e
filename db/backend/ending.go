package backend

import (
	"context"
	"fmt"
	"time"
)

// What ends something has to be done though its context has ended: a transaction is rolled back, a
// connection is made ready for the next user, or closed. On a network that is silent it would wait
// for ever. So it has a limited time, db.TeardownTimeout, which everything that follows from one
// another shares: the rollback, the reset, the closing. When it has passed, the connection is closed,
// and its place in the pool is free.
//
// A commit that is on its way is waited for in the same way from the end of its context on. Where
// the database is in this process ([Limits].Local), nothing is limited.

// endingKey marks the context of an ending, whose value is true, and of a commit.
type endingKey struct{}

// Ending returns a context for what ends something: it isn't cancelled with ctx, and ends after d;
// 0 is no limit. If ctx itself is that of an ending that is under way, Ending returns it as it is.
func Ending(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		return context.WithoutCancel(ctx), func() {}
	}
	if isEnding(ctx) {
		return ctx, func() {}
	}
	lasting := context.WithValue(context.WithoutCancel(ctx), endingKey{}, true)
	return context.WithTimeoutCause(lasting, d, &LateError{d})
}

// Committing returns a context for a commit: it outlasts ctx by d; 0 is no limit.
func Committing(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 || ctx.Done() == nil || isEnding(ctx) {
		return context.WithoutCancel(ctx), func() {}
	}
	lasting, cancel := context.WithCancelCause(context.WithValue(context.WithoutCancel(ctx), endingKey{}, false))
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(d, func() { cancel(&LateError{d}) }) // it does nothing when the commit has ended
	})
	return lasting, func() {
		stop()
		cancel(nil)
	}
}

// EndsSomething reports whether ctx is that of an [Ending] or of a commit. If it ends, the
// connection is closed.
func EndsSomething(ctx context.Context) bool {
	return ctx.Done() != nil && ctx.Value(endingKey{}) != nil
}

// isEnding reports whether ctx is that of an ending, or of a commit that has taken too long.
func isEnding(ctx context.Context) bool {
	_, tooLate := context.Cause(ctx).(*LateError)
	return tooLate || ctx.Value(endingKey{}) == true
}

// LateError is the cause of the context of an [Ending], or a commit, that has taken too long.
type LateError struct{ Limit time.Duration }

// Error says how long the database has had.
func (e *LateError) Error() string {
	return fmt.Sprintf("the database has not answered within %v, and the connection was closed", e.Limit)
}
