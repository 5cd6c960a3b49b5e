package pg

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// A greenlet that is killed leaves nothing behind, wherever it waits: the driver cancels its
// statement, as if its context had ended, and others can use the connection. Only a loop has
// greenlets, so there is one colour.
func TestKilledGreenlet(t *testing.T) {
	srv := testserver.Postgres(t)
	const waiting = "select count(*) from pg_stat_activity where state = 'active' and query like '%wait here%' and pid <> pg_backend_pid()"
	source := pgx.CopyFromSlice(1, func(int) ([]any, error) { return []any{1}, nil })
	for name, do := range map[string]func(ctx context.Context, db *DB) error{
		"a statement on a lane": func(ctx context.Context, db *DB) error {
			_, err := db.Exec(ctx, "select pg_sleep(50) /* wait here */")
			return err
		},
		"a query on a lane": func(ctx context.Context, db *DB) error {
			return db.QueryRow(ctx, "select pg_sleep($1) /* wait here */", 50).Scan(nil)
		},
		"a batch": func(ctx context.Context, db *DB) error {
			return db.SendBatch(ctx, batchOf("select 1", "select pg_sleep(50) /* wait here */")).Close()
		},
		"a session": func(ctx context.Context, db *DB) error {
			s, err := db.Acquire(ctx)
			if err != nil {
				return err
			}
			defer s.Release()
			_, err = s.Exec(ctx, "select pg_sleep(50) /* wait here */")
			return err
		},
		"a transaction": func(ctx context.Context, db *DB) error {
			return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "insert into t values (1)"); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, "select pg_sleep(50) /* wait here */")
				return err
			})
		},
		"a transaction's first statement": func(ctx context.Context, db *DB) error {
			return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, "select pg_sleep(50) /* wait here */")
				return err
			})
		},
		"a stream": func(ctx context.Context, db *DB) error {
			rows, err := db.Stream(ctx, "select pg_sleep(50) /* wait here */")
			if err == nil {
				rows.Close()
			}
			return err
		},
		"a stream's later rows": func(ctx context.Context, db *DB) error {
			rows, err := db.Stream(ctx, "select pg_sleep(case when i < 20000 then 0 else 50 end) /* wait here */ from generate_series(1, 30000) i")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
			}
			return rows.Err()
		},
		"a COPY": func(ctx context.Context, db *DB) error {
			_, err := db.CopyFrom(ctx, pgx.Identifier{"wait here"}, []string{"id"}, source)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Test(t)
			target := srv.Database(t)
			target.MustQuery(t, `create table t (id int); create table "wait here" (id int)`)
			db := openAt(t, target.URL()+"&pool_lanes=1&pool_sessions=1")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			blocker, err := openAt(t, target.URL()).Begin(ctx)
			require.NoError(t, err)
			if name == "a COPY" {
				_, err := blocker.Exec(ctx, `lock table "wait here"`)
				require.NoError(t, err)
			}
			require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
				var own *greenlet.Greenlet
				task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					own = greenlet.Current()
					return 0, do(ctx, db)
				})
				until(t, ctx, "the statement", func() bool { return target.MustQuery(t, waiting) == "1" })
				_ = own.Kill() // its error is about what the deferred functions couldn't do any more
				_, err := repaint.Await(ctx, task)
				require.Error(t, err)
				until(t, ctx, "the statement's end", func() bool { return target.MustQuery(t, waiting) == "0" })
				require.NoError(t, blocker.Rollback(ctx))
				require.NoError(t, db.Ping(ctx))
				s, err := db.Acquire(ctx)
				require.NoError(t, err)
				require.NoError(t, s.Ping(ctx))
				s.Release()
				require.Zero(t, count(t, ctx, db, "t"))
				st := db.Stats()
				require.Equal(t, []uint64{1, 1}, []uint64{st.Connects, st.SessionOpens}, "no connection was lost")
				return nil
			}))
		})
	}
}

// A statement that was never sent is dropped. A session that comes for a killed caller goes to the
// next one.
func TestKilledGreenletThatHasNothingYet(t *testing.T) {
	srv := testserver.Postgres(t)
	leakcheck.Test(t)
	target := srv.Database(t)
	db := openAt(t, target.URL()+"&pool_lanes=1&pool_sessions=1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
		require.NoError(t, db.Ping(ctx))
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		kill := func(fn func(ctx context.Context) error) {
			var own *greenlet.Greenlet
			task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				own = greenlet.Current()
				return 0, fn(ctx)
			})
			require.NoError(t, own.Kill())
			_, err := repaint.Await(ctx, task)
			require.Error(t, err)
		}
		sent := db.Stats().Statements
		kill(func(ctx context.Context) error { _, err := db.Exec(ctx, "select pg_sleep(50)"); return err })
		require.Equal(t, sent, db.Stats().Statements)
		kill(func(ctx context.Context) error { _, err := db.Acquire(ctx); return err })
		require.Zero(t, db.Stats().Waiting)
		s.Release()
		s, err = db.Acquire(ctx)
		require.NoError(t, err)
		s.Release()
		return db.Ping(ctx)
	}))
}
