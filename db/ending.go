package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/loop"
)

// late returns err, the error of an ending whose context is limited. If the ending took too long, the
// error says so.
func late(ctx, limited context.Context, err error) error {
	why, ok := context.Cause(limited).(*backend.LateError)
	if err == nil || !ok {
		return err
	}
	result := error(why)
	if cause := loop.ContextError(ctx); cause != nil {
		result = fmt.Errorf("%w: %w", why, cause)
	}
	if errors.Is(err, ErrUnknownOutcome) {
		return backend.UnknownOutcome(result)
	}
	return result
}
