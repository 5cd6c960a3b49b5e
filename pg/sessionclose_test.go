package pg

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// A closed session goes to no other owner. The next owner gets another connection, and the
// statements under way are cancelled.
func TestSessionClose(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		_, err := db.Exec(ctx, "create table t (id int)")
		require.NoError(t, err)
		const backends = "select count(*) from pg_stat_activity where pid = $1"
		for name, before := range map[string]func(s *Session) (wait func() error){
			"idle": func(s *Session) func() error { return nil },
			"in a transaction": func(s *Session) func() error {
				tx, err := s.Begin(ctx)
				require.NoError(t, err)
				_, err = tx.Exec(ctx, "insert into t values (1)")
				require.NoError(t, err)
				return nil
			},
			"running a statement": func(s *Session) func() error {
				wait := c.start(ctx, func(ctx context.Context) error { _, err := s.Exec(ctx, "select pg_sleep(50)"); return err })
				running(t, ctx, target, "pg_sleep(50)")
				return wait
			},
			"with an open stream": func(s *Session) func() error {
				rows, err := s.Stream(ctx, "select generate_series(1, 100000000)")
				require.NoError(t, err)
				require.True(t, rows.Next())
				return func() error {
					for rows.Next() {
					}
					return rows.Err()
				}
			},
		} {
			s, err := db.Acquire(ctx)
			require.NoError(t, err, name)
			pid := s.PID()
			wait := before(s)
			next := c.start(ctx, func(ctx context.Context) error { // waits for the connection
				other, err := db.Acquire(ctx)
				if err == nil {
					other.Release()
				}
				return err
			})
			until(t, ctx, "the next owner", func() bool { return db.Stats().Waiting == 1 })
			require.NoError(t, s.Close(ctx), name)
			require.NoError(t, s.Close(ctx), name)
			s.Release()
			require.NoError(t, next(), name)
			if wait != nil {
				require.Error(t, wait(), name)
			}
			_, err = s.Exec(ctx, "select 1")
			require.ErrorIs(t, err, ErrClosed, name)
			require.ErrorIs(t, s.QueryRow(ctx, "select 1").Scan(new(int)), ErrClosed, name)
			require.ErrorIs(t, s.SendBatch(ctx, batchOf("select 1")).Close(), ErrClosed, name)
			_, err = s.Begin(ctx)
			require.ErrorIs(t, err, ErrClosed, name)
			_, err = s.Stream(ctx, "select 1")
			require.ErrorIs(t, err, ErrClosed, name)
			_, err = s.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows(nil))
			require.ErrorIs(t, err, ErrClosed, name)
			_, err = s.Prepare(ctx, "one", "select 1")
			require.ErrorIs(t, err, ErrClosed, name)
			require.ErrorIs(t, s.Ping(ctx), ErrClosed, name)
			until(t, ctx, "the end of the server's process", func() bool {
				var n int
				require.NoError(t, db.QueryRow(ctx, backends, pid).Scan(&n))
				return n == 0
			})
			require.Zero(t, count(t, ctx, db, "t"), name)
		}
		require.EqualValues(t, 5, db.Stats().SessionOpens)
	})
}

// Close doesn't wait longer than its context for a server that can't be reached. The connection is
// closed nevertheless.
func TestSessionCloseWithoutAServer(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, target := proxied(t, "&pool_sessions=1")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		wait := c.start(ctx, func(ctx context.Context) error { _, err := s.Exec(ctx, "select pg_sleep(50)"); return err })
		running(t, ctx, target, "pg_sleep(50)")
		proxy.Stall()
		limited, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, s.Close(limited), context.DeadlineExceeded)
		require.ErrorIs(t, wait(), ErrClosed)
		require.ErrorIs(t, s.Ping(ctx), ErrClosed)
		proxy.Resume()
		s, err = db.Acquire(ctx)
		require.NoError(t, err)
		require.NoError(t, s.Ping(ctx))
		require.NoError(t, s.Close(ctx))
	})
}
