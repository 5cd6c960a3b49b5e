package pg

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/loop"
)

// onAVirtualClock runs a test in a loop with a virtual clock, on a DB of its own, which has no
// connection yet.
func onAVirtualClock(t *testing.T, options string, test func(t *testing.T, ctx context.Context, db *DB)) {
	t.Helper()
	testserver.Postgres(t) // whose goroutine isn't a leak
	leakcheck.Test(t)
	db, _ := open(t, options)
	require.NoError(t, repaint.Run(context.Background(), func(ctx context.Context) error {
		test(t, ctx, db)
		return nil
	}, loop.VirtualClock(time.Unix(0, 0))))
}

func elapsed() time.Duration { return repaint.CurrentLoop().Now().Sub(time.Unix(0, 0)) }

const slow = "select 1 from pg_sleep(0.03)"

func TestAVirtualClockStandsStillForWhatTheServerDoes(t *testing.T) {
	onAVirtualClock(t, "", func(t *testing.T, real context.Context, db *DB) {
		ctx, cancel := repaint.WithTimeout(real, time.Hour)
		defer cancel()
		exec := func(q interface {
			Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
		}) {
			t.Helper()
			rows, err := q.Query(ctx, slow)
			require.NoError(t, err)
			_, err = pgx.CollectRows(rows, pgx.RowTo[int])
			require.NoError(t, err)
			require.Zero(t, elapsed())
		}
		exec(db) // this opens a lane
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		exec(s)
		tx, err := s.Begin(ctx)
		require.NoError(t, err)
		exec(tx)
		require.NoError(t, tx.Commit(ctx))
		_, err = s.Exec(ctx, "set application_name = 'x'") // for Release to undo
		require.NoError(t, err)
		s, err = s.Renew(ctx)
		require.NoError(t, err)
		s.Release()

		rows, err := db.Stream(ctx, "select g, pg_sleep(0.01) from generate_series(1, 3) g")
		require.NoError(t, err)
		for rows.Next() {
		}
		require.NoError(t, rows.Err())

		_, err = db.Exec(ctx, "create table copied(id integer default length(pg_sleep(0.01)::text), v integer)")
		require.NoError(t, err)
		n, err := db.CopyFrom(ctx, pgx.Identifier{"copied"}, []string{"v"}, pgx.CopyFromRows([][]any{{int32(1)}, {int32(2)}, {int32(3)}}))
		require.NoError(t, err)
		require.EqualValues(t, 3, n)

		b := new(pgx.Batch)
		b.Queue(slow)
		b.Queue(slow)
		require.NoError(t, db.SendBatch(ctx, b).Close())

		l, err := db.Listen(ctx, "channel")
		require.NoError(t, err)
		l.Close()
		_, err = repaint.Await(ctx, db.Async().Exec(ctx, slow))
		require.NoError(t, err)
		require.Zero(t, elapsed())
	})
}

func TestAVirtualClockStandsStillWhileSessionsAreMade(t *testing.T) {
	onAVirtualClock(t, "&pool_sessions=2", func(t *testing.T, real context.Context, db *DB) {
		ctx, cancel := repaint.WithTimeout(real, time.Hour)
		defer cancel()
		var fns []func(context.Context) (int, error)
		for range 6 { // more than there may be, each of which leaves something to undo
			fns = append(fns, func(ctx context.Context) (int, error) {
				s, err := db.Acquire(ctx)
				if err != nil {
					return 0, err
				}
				defer s.Release()
				_, err = s.Exec(ctx, "create temporary table left_behind as "+slow)
				return 0, err
			})
		}
		_, err := repaint.Gather(ctx, fns...)
		require.NoError(t, err)
		require.Zero(t, elapsed())
	})
}

func TestAWaitForASessionPassesInVirtualTime(t *testing.T) {
	onAVirtualClock(t, "&pool_sessions=1", func(t *testing.T, ctx context.Context, db *DB) {
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		owner := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			defer s.Release()
			return 0, repaint.Sleep(ctx, time.Hour)
		})
		within := func(d time.Duration) error {
			ctx, cancel := repaint.WithTimeout(ctx, d)
			defer cancel()
			s, err := db.Acquire(ctx)
			if err == nil {
				s.Release()
			}
			return err
		}
		require.ErrorIs(t, within(time.Minute), context.DeadlineExceeded)
		require.Equal(t, time.Minute, elapsed())
		require.NoError(t, within(2*time.Hour))
		require.Equal(t, time.Hour, elapsed())
		_, err = repaint.Await(ctx, owner)
		require.NoError(t, err)
	})
}

func TestAVirtualClockGoesOnWhenAStatementIsGivenUp(t *testing.T) {
	onAVirtualClock(t, "", func(t *testing.T, ctx context.Context, db *DB) {
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			_, err := db.Exec(ctx, "select pg_sleep(60)")
			return 0, err
		})
		begin := time.Now()
		for db.Stats().Statements == 0 {
			require.NoError(t, repaint.Sleep(ctx, 0))
		}
		task.Cancel(nil)
		_, err := repaint.Await(ctx, task)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, repaint.Sleep(ctx, time.Hour))
		require.Less(t, time.Since(begin), 30*time.Second)
	})
}
