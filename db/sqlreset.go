package db

import (
	"context"
	"time"
)

// resettable is a sqlSession of a dialect that can undo what can't be seen.
type resettable struct{ *sqlSession }

var _ Resetter = resettable{}

// resetTimeout is how long a connection may take until it is ready for the next user.
const resetTimeout = 5 * time.Second

func (s resettable) Reset(ctx context.Context, thorough bool) error {
	if !thorough {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resetTimeout)
	defer cancel()
	err := s.block(ctx, func(ctx context.Context) error { return s.d.Reset(ctx, &s.conn) })
	if err != nil {
		s.dirty = true // so that nobody else gets it from the sql.DB either
	}
	return err
}

func (s resettable) Keep(ctx context.Context) error {
	s.dirty = false
	return s.block(ctx, func(ctx context.Context) error { return s.d.Keep(ctx, &s.conn) })
}
