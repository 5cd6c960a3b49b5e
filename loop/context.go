package loop

import (
	"context"
	"errors"
)

// ContextError returns nil while the context isn't done. After that it returns the context's cause:
// errors.Is is true for it with context.Cause(ctx) and with ctx.Err(). If the cause already
// includes the context's error, ContextError returns the cause itself. So an error that is passed
// on as a cause doesn't grow.
func ContextError(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return contextError{err: err, cause: cause}
}

type contextError struct{ err, cause error }

func (e contextError) Error() string   { return e.err.Error() + ": " + e.cause.Error() }
func (e contextError) Unwrap() []error { return []error{e.cause, e.err} }
