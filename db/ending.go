package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed1239206e/repaint/loop"
)

// What ends something has to be done though its context has ended: a transaction is rolled back, a
// connection is made ready for the next user, or closed. On a network that is silent it would wait
// for ever. So it has a limited time, the Engine's [TeardownTimeout], which everything that follows
// from one another shares: the rollback, the reset, the closing. When it has passed the connection
// is closed, and its place in the pool is free.
//
// A commit that is on its way is waited for in the same way from the end of its context on. Where
// the database is in this process ([Limits].Local), nothing is limited.

// endingKey marks the context of an ending, whose value is true, and of a commit.
type endingKey struct{}

// Ending returns a context for what ends something, for authors of dialects: it isn't cancelled
// with ctx, and ends after d. If ctx itself is that of an ending that is under way, it is returned
// as it is.
func Ending(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if isEnding(ctx) {
		return ctx, func() {}
	}
	lasting := context.WithValue(context.WithoutCancel(ctx), endingKey{}, true)
	return context.WithTimeoutCause(lasting, d, &lateError{d})
}

// isEnding tells whether ctx is that of an ending, or of a commit that has taken too long.
func isEnding(ctx context.Context) bool {
	_, tooLate := context.Cause(ctx).(*lateError)
	return tooLate || ctx.Value(endingKey{}) == true
}

// endsSomething tells whether ctx is that of an ending or of a commit.
func endsSomething(ctx context.Context) bool {
	return ctx.Done() != nil && ctx.Value(endingKey{}) != nil
}

// lateError says that an ending has taken too long.
type lateError struct{ limit time.Duration }

func (e *lateError) Error() string {
	return fmt.Sprintf("the database has not answered within %v, and the connection was closed", e.limit)
}

// late returns the error of an ending, whose context is limited: that it has taken too long, if so.
func late(ctx, limited context.Context, err error) error {
	why, ok := context.Cause(limited).(*lateError)
	if err == nil || !ok {
		return err
	}
	result := error(why)
	if cause := loop.ContextError(ctx); cause != nil {
		result = fmt.Errorf("%w: %w", why, cause)
	}
	if errors.Is(err, ErrUnknownOutcome) {
		return UnknownOutcome(result)
	}
	return result
}

// limited is [Ending] with a limit that may not exist: 0 is none.
func limited(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit == 0 {
		return context.WithoutCancel(ctx), func() {}
	}
	return Ending(ctx, limit)
}

// committing returns the context of a commit: it outlasts ctx by the limit.
func committing(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit == 0 || ctx.Done() == nil || isEnding(ctx) {
		return limited(ctx, 0)
	}
	lasting, cancel := context.WithCancelCause(context.WithValue(context.WithoutCancel(ctx), endingKey{}, false))
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(limit, func() { cancel(&lateError{limit}) }) // it does nothing when the commit has ended
	})
	return lasting, func() {
		stop()
		cancel(nil)
	}
}
