package backend

import (
	"context"
	"fmt"
	"time"
)

// An ending must run though its context has ended: it rolls back a transaction, makes a connection
// ready for its next user, or closes it. On a silent network it would wait forever. So
// db.TeardownTimeout limits it. An ending that leads to another one, such as a rollback to a reset
// and a close, shares the limit with it. After that the connection is closed, and its place in the
// pool is free.
//
// A commit that is on its way when its context ends gets the same limit from then on. If the
// database is in this process ([Limits].Local), there is no limit.

// endingKey marks the context of an ending, whose value is true, and of a commit.
type endingKey struct{}

// Ending returns a context for an ending. The end of ctx doesn't cancel it. It ends after d; 0 is
// no limit. If ctx itself is the context of an ending, Ending returns it as it is.
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

// Committing returns a context for a commit, which outlasts ctx by d; 0 is no limit.
func Committing(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 || ctx.Done() == nil || isEnding(ctx) {
		return context.WithoutCancel(ctx), func() {}
	}
	lasting, cancel := context.WithCancelCause(context.WithValue(context.WithoutCancel(ctx), endingKey{}, false))
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(d, func() { cancel(&LateError{d}) }) // no effect after the commit
	})
	return lasting, func() {
		stop()
		cancel(nil)
	}
}

// EndsSomething reports whether ctx comes from [Ending] or [Committing]. If such a context ends,
// the connection must be closed.
func EndsSomething(ctx context.Context) bool {
	return ctx.Done() != nil && ctx.Value(endingKey{}) != nil
}

// isEnding reports whether ctx is the context of an ending, or of a commit that took too long.
func isEnding(ctx context.Context) bool {
	_, tooLate := context.Cause(ctx).(*LateError)
	return tooLate || ctx.Value(endingKey{}) == true
}

// LateError is the cause of an [Ending] or [Committing] context that ended because its time was
// over.
type LateError struct{ Limit time.Duration }

// Error says how long the database had.
func (e *LateError) Error() string {
	return fmt.Sprintf("the database didn't answer within %v, so the connection was closed", e.Limit)
}
