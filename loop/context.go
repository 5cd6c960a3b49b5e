package loop

import "context"

// ContextError returns nil while the context isn't done. Then it returns its cause: an error for which
// errors.Is holds with context.Cause(ctx) and with ctx.Err().
func ContextError(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != err {
		return &contextError{err: err, cause: cause}
	}
	return err
}

type contextError struct{ err, cause error }

func (e *contextError) Error() string   { return e.err.Error() + ": " + e.cause.Error() }
func (e *contextError) Unwrap() []error { return []error{e.cause, e.err} }
