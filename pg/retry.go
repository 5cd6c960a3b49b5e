package pg

import "errors"

// SafeToRetry reports whether the statement certainly had no effect, as pgconn.SafeToRetry asks.
func (e *LostError) SafeToRetry() bool { return !e.MaybeApplied }

// SafeToRetry reports whether the statement certainly had no effect because its connection broke, or couldn't be had, as pgconn.SafeToRetry asks.
func (e *StatementError) SafeToRetry() bool {
	var lost *LostError
	return errors.As(e.Err, &lost) && lost.SafeToRetry()
}
