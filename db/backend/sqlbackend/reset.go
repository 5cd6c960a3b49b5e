package sqlbackend

import (
	"context"

	"github.com/seed1239206e/repaint/db/backend"
)

// resettable is a session of a driver that can undo what the texts don't show.
type resettable struct{ *session }

var _ backend.Resetter = resettable{}

func (s resettable) Reset(ctx context.Context, thorough bool) error {
	if !thorough {
		return nil
	}
	ctx, done := backend.Ending(ctx, s.c.cleanup)
	defer done()
	err := s.block(ctx, func(ctx context.Context) error { return s.conn.aside(func() error { return s.d.Reset(ctx, &s.conn) }) })
	if err != nil {
		s.dirty = true // so that the sql.DB gives it to no other caller either
	}
	return err
}

func (s resettable) Keep(ctx context.Context) error {
	s.dirty = false
	return s.block(ctx, func(ctx context.Context) error { return s.conn.aside(func() error { return s.d.Keep(ctx, &s.conn) }) })
}
