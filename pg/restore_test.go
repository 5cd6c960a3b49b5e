package pg

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// owners are the ways to own a session, from its beginning to its end.
var owners = map[string]func(ctx context.Context, db *DB, sql string) error{
	"session": func(ctx context.Context, db *DB, sql string) error {
		s, err := db.Acquire(ctx)
		if err != nil {
			return err
		}
		defer s.Release()
		_, err = s.Exec(ctx, sql)
		return err
	},
	"failed session": func(ctx context.Context, db *DB, sql string) error {
		s, err := db.Acquire(ctx)
		if err != nil {
			return err
		}
		defer s.Release()
		if _, err = s.Exec(ctx, sql); err == nil {
			_, _ = s.Exec(ctx, "begin")
			_, _ = s.Exec(ctx, "select 1/0")
		}
		return err
	},
	"transaction": func(ctx context.Context, db *DB, sql string) error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, sql)
			return err
		})
	},
	"batch of a transaction": func(ctx context.Context, db *DB, sql string) error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			b := new(pgx.Batch)
			b.Queue("select 1")
			b.Queue(sql)
			return tx.SendBatch(ctx, b).Close()
		})
	},
	"stream": func(ctx context.Context, db *DB, sql string) error {
		rows, err := db.Stream(ctx, sql)
		if err != nil {
			return err
		}
		rows.Close()
		return rows.Err()
	},
}

// The next owner of a session has the role with which the connection was opened.
func TestReleaseGivesBackTheRole(t *testing.T) {
	for _, sql := range []string{
		"set role low",
		"set session authorization low",
		"select set_config('role', 'low', false)",
		"select set_config('session_authorization', 'low', false)",
		"do $$ begin set role low; end $$",
		"do $$ begin perform set_config('session_authorization', 'low', false); end $$",
		"select change('role', 'low')", // is_superuser shows it
		"call assume('low')",
	} {
		t.Run(sql, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
				for _, options := range []string{"&pool_sessions=1", "&pool_sessions=1&pipeline=off"} {
					db, target := open(t, options)
					prepareSetting(t, ctx, db)
					_, err := db.Exec(ctx, "create procedure assume(r text) language plpgsql as $$ begin perform set_config('role', r, false); end $$")
					require.NoError(t, err)
					for name, own := range owners {
						require.NoError(t, own(ctx, db, sql), name)
						requireUsers(t, ctx, db, target.User+" "+target.User)
					}
				}
			})
		})
	}
}

// requireUsers checks which user and role the next owner of a session has.
func requireUsers(t *testing.T, ctx context.Context, db *DB, want string) {
	t.Helper()
	tx, err := db.Begin(ctx)
	require.NoError(t, err)
	got, err := only(tx.Query(ctx, "select session_user || ' ' || current_user"))
	require.NoError(t, err)
	require.NoError(t, tx.Commit(ctx))
	require.Equal(t, want, got)
}

// A role can have a default that isn't the user's name. The next owner then gets that default.
func TestReleaseGivesBackTheDefaultRole(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
		db, target := open(t, "&pool_sessions=1")
		prepareSetting(t, ctx, db)
		target.MustQuery(t, fmt.Sprintf("alter database %s set role to low", target.DBName))
		requireUsers(t, ctx, db, target.User+" low")
		for _, sql := range []string{"reset session authorization", "set role none", "do $$ begin set role none; end $$"} {
			for name, own := range owners {
				require.NoError(t, own(ctx, db, sql), name)
				requireUsers(t, ctx, db, target.User+" low")
			}
		}
	})
}

// The driver can't repeat what AfterConnect has set up on a connection. If that has changed, the
// driver closes the connection.
func TestWhatAfterConnectHasSetIsKept(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
		plain, target := open(t, "")
		prepareSetting(t, ctx, plain)
		config, err := ParseConfig(target.URL() + "&pool_sessions=1")
		require.NoError(t, err)
		config.Conn.AfterConnect = func(ctx context.Context, c *pgconn.PgConn) error {
			return c.Exec(ctx, "set work_mem = '7MB'; set role low").Close()
		}
		db, err := OpenConfig(config)
		require.NoError(t, err)
		shown(t, db)
		defer func() { require.NoError(t, db.Close(ctx)) }()
		pid := func(sql string) (pid uint32) {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			defer s.Release()
			got, err := only(s.Query(ctx, "select current_user || ' ' || current_setting('work_mem')"))
			require.NoError(t, err)
			require.Equal(t, "low 7MB", got)
			_, err = s.Exec(ctx, sql)
			require.NoError(t, err)
			return s.PID()
		}
		first := pid("select 1")
		require.Equal(t, first, pid("select pg_try_advisory_xact_lock(1)"))
		for _, sql := range []string{
			"set work_mem = '8MB'", "do $$ begin set work_mem = '8MB'; end $$", "do $$ begin set role none; end $$",
			"reset all", "do $$ begin reset role; end $$", "select set_config('my.setting', 'x', false)",
		} {
			require.Equal(t, first, pid(sql), sql)
			second := pid("select 1")
			require.NotEqual(t, first, second, sql)
			first = second
		}
	})
}

// Renew is Release and Acquire, on the same connection.
func TestRenew(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
		db, target := open(t, "&pool_sessions=2")
		prepareSetting(t, ctx, db)
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		pid := s.PID()
		require.True(t, s.Tidy())
		for sql, tidy := range map[string]bool{
			"select 1": true, "select change('my.setting', 'x')": true, "select change('timezone', 'Asia/Tokyo')": false,
			"set role low": false, "do $$ begin set role low; end $$": false, "create temp table u (id int)": false, "begin": false,
		} {
			_, err = s.Exec(ctx, sql)
			require.NoError(t, err)
			require.Equal(t, tidy, s.Tidy(), sql)
			tx, err := s.Begin(ctx)
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "insert into t values (1)")
			require.NoError(t, err)
			old := s
			s, err = s.Renew(ctx)
			require.NoError(t, err, sql)
			require.Equal(t, pid, s.PID(), sql)
			require.True(t, s.Tidy())

			_, err = old.Exec(ctx, "select 1")
			require.ErrorIs(t, err, ErrClosed)
			_, err = old.Renew(ctx)
			require.ErrorIs(t, err, ErrClosed)
			old.Release()
			require.NoError(t, old.Close(ctx))
			_, err = tx.Exec(ctx, "insert into t values (2)")
			require.ErrorIs(t, err, pgx.ErrTxClosed)
			got, err := only(s.Query(ctx, "select current_user || ' ' || coalesce(current_setting('my.setting', true), '') || ' ' || (select count(*) from t)"))
			require.NoError(t, err)
			require.Equal(t, target.User+"  0", got, sql)
		}
		s.Release()
		require.NoError(t, db.Ping(ctx))
		require.Equal(t, 1, db.Stats().Sessions)
	})
}

// A connection whose owner doesn't wait for it goes to the next owner when it is ready.
func TestRenewGivenUp(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		pid := s.PID()
		unlock := lock(t, ctx, target)
		defer unlock()
		wait := c.start(ctx, func(ctx context.Context) error { _, err := s.Exec(ctx, waitSQL); return err })
		until(t, ctx, "the statement", func() bool { return db.sessionsWritten() > 0 })
		limited, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		_, err = s.Renew(limited)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		unlock()
		require.NoError(t, wait())
		next, err := db.Acquire(ctx)
		require.NoError(t, err)
		require.Equal(t, pid, next.PID())

		// A connection that can't be made ready is closed, and the pool opens another one.
		_, _ = next.Exec(ctx, "select pg_terminate_backend(pg_backend_pid())")
		_, err = next.Renew(ctx)
		require.ErrorContains(t, err, "renewing a session")
		next, err = db.Acquire(ctx)
		require.NoError(t, err)
		require.NotEqual(t, pid, next.PID())
		next.Release()
	})
}

// A session has the kept settings, or it is closed.
func TestKeep(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
		db, _ := open(t, "&pool_sessions=1")
		prepareSetting(t, ctx, db)
		kept := func() *Session {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			_, err = s.Exec(ctx, "set role low; set work_mem = '7MB'")
			require.NoError(t, err)
			require.False(t, s.Tidy())
			require.NoError(t, s.Keep(ctx))
			require.True(t, s.Tidy())
			return s
		}
		s := kept()
		pid := s.PID()
		for _, sql := range []string{"select 1", "select pg_advisory_xact_lock(1)", "do $$ begin null; end $$"} {
			_, err := s.Exec(ctx, sql)
			require.NoError(t, err)
			s, err = s.Renew(ctx)
			require.NoError(t, err, sql)
			got, err := only(s.Query(ctx, "select current_user || ' ' || current_setting('work_mem')"))
			require.NoError(t, err)
			require.Equal(t, "low 7MB", got)
		}
		require.Equal(t, pid, s.PID())
		s.Release() // the session doesn't go to the next owner
		for _, sql := range []string{"reset role", "do $$ begin reset role; end $$", "select change('work_mem', '8MB')", "discard all"} {
			s = kept()
			require.NotEqual(t, pid, s.PID())
			pid = s.PID()
			_, err := s.Exec(ctx, sql)
			require.NoError(t, err)
			_, err = s.Renew(ctx)
			require.ErrorContains(t, err, "can't be undone", sql)
		}
	})
}
