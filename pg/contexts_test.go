package pg

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/contexttest"
)

// waitsForAPlace are calls that wait for a session, or for room on the only lane, each with a check
// that the call waits.
var waitsForAPlace = map[string]struct {
	call    func(ctx context.Context, db *DB) error
	waiting func(db *DB) int
	hold    func(t *testing.T, ctx context.Context, c colour, db *DB) (release func() error)
}{
	"Acquire": {call: func(ctx context.Context, db *DB) error {
		s, err := db.Acquire(ctx)
		if err != nil {
			return err
		}
		defer s.Release()
		return s.Ping(ctx)
	}, waiting: waitingForASession, hold: holdTheSession},
	"Begin": {call: func(ctx context.Context, db *DB) error {
		tx, err := db.Begin(ctx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "select 1")
		return errors.Join(err, tx.Rollback(context.WithoutCancel(ctx)))
	}, waiting: waitingForASession, hold: holdTheSession},
	"Stream": {call: func(ctx context.Context, db *DB) error {
		rows, err := db.Stream(ctx, "select 1")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
		}
		return rows.Err()
	}, waiting: waitingForASession, hold: holdTheSession},
	"a statement": {call: func(ctx context.Context, db *DB) error {
		_, err := db.Exec(ctx, "select 1")
		return err
	}, waiting: func(db *DB) int { return db.Stats().Queued }, hold: holdTheLane},
}

func waitingForASession(db *DB) int { return db.Stats().Waiting }

func holdTheSession(t *testing.T, ctx context.Context, _ colour, db *DB) func() error {
	s, err := db.Acquire(ctx)
	require.NoError(t, err)
	return func() error { s.Release(); return nil }
}

// holdTheLane puts a statement on the lane that waits for a lock.
func holdTheLane(t *testing.T, ctx context.Context, c colour, db *DB) func() error {
	s, err := db.Acquire(ctx)
	require.NoError(t, err)
	_, err = s.Exec(ctx, "select pg_advisory_lock(1)")
	require.NoError(t, err)
	wait := c.start(ctx, func(ctx context.Context) error {
		_, err := db.Exec(ctx, "select pg_advisory_xact_lock(1)")
		return err
	})
	for db.Stats().InFlight == 0 {
		require.NoError(t, repaint.Sleep(ctx, 0))
	}
	return func() error {
		_, err := s.Exec(ctx, "select pg_advisory_unlock(1)")
		s.Release()
		return errors.Join(err, wait())
	}
}

func TestContextsOfEveryMakeInWaitsForAPlace(t *testing.T) {
	inEachMake := func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1&pool_sessions=1&pipeline_depth=1")
		for name, w := range waitsForAPlace {
			for _, m := range contexttest.Makes {
				release := w.hold(t, ctx, c, db)
				err := c.together(ctx, 2, func(ctx context.Context, i int) error {
					if i == 0 {
						inner, end := m.New(ctx)
						if end != nil {
							go func() {
								for w.waiting(db) == 0 {
									runtime.Gosched()
								}
								end()
							}()
						}
						return w.call(inner, db)
					}
					if m.Want == nil {
						for w.waiting(db) == 0 {
							if err := repaint.Sleep(ctx, 0); err != nil {
								return err
							}
						}
						return release()
					}
					return nil
				})
				require.NoError(t, err[1], "%s, %s", name, m.Name)
				if m.Want == nil {
					require.NoError(t, err[0], "%s, %s", name, m.Name)
				} else {
					require.NoError(t, release())
				}
				for _, want := range m.Want {
					require.ErrorIs(t, err[0], want, "%s, %s", name, m.Name)
				}
				require.Zero(t, w.waiting(db), "%s, %s", name, m.Name)
			}
		}
	}
	bothColours(t, inEachMake)
	withVirtualClock(t, inEachMake)
}

// A deadline of a virtual clock ends a wait for a session like any other wait, at its time: nothing
// is under way for such a wait.
func TestAVirtualDeadlineEndsTheWaitForASession(t *testing.T) {
	withVirtualClock(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1&pool_sessions=1")
		for name, w := range waitsForAPlace {
			if name == "a statement" { // the statement waits for another one, for which the clock stands still
				continue
			}
			release := w.hold(t, ctx, c, db)
			begin := repaint.CurrentLoop().Now()
			inner, cancel := repaint.WithTimeout(ctx, time.Hour)
			require.ErrorIs(t, w.call(inner, db), context.DeadlineExceeded, name)
			cancel()
			require.Equal(t, time.Hour, repaint.CurrentLoop().Now().Sub(begin), name)
			require.NoError(t, release())
		}
	})
}
