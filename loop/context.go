package loop

import (
	"context"
	"errors"
)

// ContextError returns nil while the context isn't done. Then it returns its cause: an error for which
// errors.Is holds with context.Cause(ctx) and with ctx.Err().
// A cause that says how the context ended is that error already: one that was handed on, by cancelling with it what
// was waited for, doesn't grow.
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
