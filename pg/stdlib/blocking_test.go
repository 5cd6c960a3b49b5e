package stdlib_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

const (
	endless = "select generate_series(1, 1000000000)"
	// stalls gives rows, and then none for long.
	stalls = "select repeat('x', 1000), case when i > 100 then pg_sleep(600)::text end from generate_series(1, 101) i"
)

// blockers are the ways in which database/sql blocks a loop, all of those that doc.go names. Each
// runs in a process of its own, because nothing can go on afterwards. beside runs a function in
// another task until its first wait.
var blockers = map[string]func(t *testing.T, ctx context.Context, d *sql.DB, beside func(func(ctx context.Context) error)){
	"two tasks use one transaction": func(t *testing.T, ctx context.Context, d *sql.DB, beside func(func(context.Context) error)) {
		tx, err := d.BeginTx(ctx, nil)
		require.NoError(t, err)
		beside(func(ctx context.Context) error { return slow(ctx, tx) })
		_, _ = tx.ExecContext(ctx, "select 1")
	},
	"two tasks use one sql.Conn": func(t *testing.T, ctx context.Context, d *sql.DB, beside func(func(context.Context) error)) {
		conn, err := d.Conn(ctx)
		require.NoError(t, err)
		beside(func(ctx context.Context) error { return slow(ctx, conn) })
		_, _ = conn.ExecContext(ctx, "select 1")
	},
	"a statement beside Raw": func(t *testing.T, ctx context.Context, d *sql.DB, beside func(func(context.Context) error)) {
		conn, err := d.Conn(ctx)
		require.NoError(t, err)
		beside(func(ctx context.Context) error {
			return conn.Raw(func(c any) error { return repaint.Sleep(ctx, time.Hour) })
		})
		_, _ = conn.ExecContext(ctx, "select 1")
	},
	"a commit beside a statement": func(t *testing.T, ctx context.Context, d *sql.DB, beside func(func(context.Context) error)) {
		tx, err := d.BeginTx(ctx, nil)
		require.NoError(t, err)
		beside(func(ctx context.Context) error { return slow(ctx, tx) })
		_ = tx.Commit()
	},
	"a Stmt is closed beside its execution": func(t *testing.T, ctx context.Context, d *sql.DB, beside func(func(context.Context) error)) {
		s, err := d.PrepareContext(ctx, "select pg_sleep(600)")
		require.NoError(t, err)
		beside(func(ctx context.Context) error {
			_, err := s.ExecContext(ctx)
			return err
		})
		_ = s.Close()
	},
	"streamed rows are closed beside Next": func(t *testing.T, ctx context.Context, d *sql.DB, beside func(func(context.Context) error)) {
		rows, err := d.QueryContext(stdlib.Stream(ctx), stalls)
		require.NoError(t, err)
		beside(func(ctx context.Context) error {
			for rows.Next() {
			}
			return rows.Err()
		})
		_ = rows.Close()
	},
	"SetMaxOpenConns is reached": func(t *testing.T, ctx context.Context, d *sql.DB, beside func(func(context.Context) error)) {
		d.SetMaxOpenConns(1)
		beside(func(ctx context.Context) error { return slow(ctx, d) })
		_ = d.PingContext(ctx)
	},
	// The others block a goroutine in the same way, with any driver.
	"a sql.Conn is closed with rows open": func(t *testing.T, ctx context.Context, d *sql.DB, _ func(func(context.Context) error)) {
		conn, err := d.Conn(ctx)
		require.NoError(t, err)
		rows, err := conn.QueryContext(ctx, "select 1")
		require.NoError(t, err)
		require.True(t, rows.Next())
		_ = conn.Close()
	},
	"a sql.Conn is closed with a transaction open": func(t *testing.T, ctx context.Context, d *sql.DB, _ func(func(context.Context) error)) {
		conn, err := d.Conn(ctx)
		require.NoError(t, err)
		_, err = conn.BeginTx(ctx, nil)
		require.NoError(t, err)
		_ = conn.Close()
	},
	"Commit while a RawBytes is in use": func(t *testing.T, ctx context.Context, d *sql.DB, _ func(func(context.Context) error)) {
		tx, err := d.BeginTx(ctx, nil)
		require.NoError(t, err)
		rows, err := tx.QueryContext(ctx, "select 'x'")
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.NoError(t, rows.Scan(new(sql.RawBytes)))
		_ = tx.Commit()
	},
}

func slow(ctx context.Context, d interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}) error {
	_, err := d.ExecContext(ctx, "select pg_sleep(600)")
	return err
}

// The loop stands still, and says so with the place: never silently.
func TestWhatBlocksALoopIsReported(t *testing.T) {
	const asked, server = "REPAINT_TEST_BLOCKER", "REPAINT_TEST_BLOCKER_SERVER"
	if name := os.Getenv(asked); name != "" {
		block(t, name, os.Getenv(server))
		return
	}
	for name := range blockers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			child := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestWhatBlocksALoopIsReported$")
			child.Env = append(os.Environ(), asked+"="+name, server+"="+testserver.Postgres(t).Database(t).URL())
			out, err := child.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Contains(t, string(out), "held in database/sql")
		})
	}
}

func block(t *testing.T, name, url string) {
	d, err := sql.Open(stdlib.Name, url)
	require.NoError(t, err)
	err = repaint.Run(t.Context(), func(ctx context.Context) error {
		blockers[name](t, ctx, d, func(fn func(context.Context) error) {
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, fn(ctx) })
			for range 3 {
				_ = repaint.Sleep(ctx, 0) // it runs to its first wait
			}
		})
		return nil
	}, loop.Debug(100*time.Millisecond), loop.ReportTo(func(err error) {
		var held *loop.HeldError
		if errors.As(err, &held) && strings.Contains(held.Stack, "database/sql.") {
			fmt.Println("held in database/sql")
			os.Exit(0)
		}
	}))
	t.Fatal("nothing was blocked", err)
}

// Everything below is what one task, or several with a transaction each, may do: a wait suspends
// its task, and what can't be done is refused.

func TestStatementsBesideOpenRowsOfTheSameConn(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		conn, err := d.Conn(d.ctx)
		require.NoError(t, err)
		tx, err := d.BeginTx(d.ctx, nil)
		require.NoError(t, err)
		for name, q := range map[string]querier{"Conn": conn, "Tx": tx} {
			rows, err := q.QueryContext(d.ctx, "select generate_series(1, 3)")
			require.NoError(t, err)
			require.True(t, rows.Next())
			assert.Equal(t, 7, one[int](t, q, d.ctx, "select 7"), name)
			assert.True(t, rows.Next(), name)
			require.NoError(t, rows.Close())
		}
		// Streamed rows occupy what they are read from, which is said at once.
		_, err = conn.ExecContext(d.ctx, "set application_name = 'mine'")
		require.NoError(t, err)
		for name, q := range map[string]querier{"Conn": conn, "Tx": tx} {
			rows, err := q.QueryContext(stdlib.Stream(d.ctx), "select generate_series(1, 100000)")
			require.NoError(t, err)
			require.True(t, rows.Next())
			_, err = q.ExecContext(d.ctx, "select 1")
			assert.ErrorIs(t, err, pg.ErrInUse, name)
			require.NoError(t, rows.Close())
			assert.Equal(t, 7, one[int](t, q, d.ctx, "select 7"), name)
		}
		require.NoError(t, tx.Commit())
		require.NoError(t, conn.Close())
	})
}

type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// A goroutine of database/sql closes the rows, for which the loop isn't needed.
func TestATransactionEndsWithRowsOpen(t *testing.T) {
	contexts := map[string]func(context.Context) context.Context{
		"buffered": func(ctx context.Context) context.Context { return ctx },
		"streamed": stdlib.Stream,
	}
	bothColours(t, func(t *testing.T, d *door) {
		d.exec(t, "create table t (id int)")
		for name, as := range contexts {
			for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
				tx, err := d.BeginTx(d.ctx, nil)
				require.NoError(t, err, name)
				_, err = tx.ExecContext(d.ctx, "insert into t values (1)")
				require.NoError(t, err, name)
				rows, err := tx.QueryContext(as(d.ctx), "select generate_series(1, 100000)")
				require.NoError(t, err, name)
				require.True(t, rows.Next(), name)
				require.NoError(t, end(tx), name)
				assert.False(t, rows.Next(), name)
				require.NoError(t, d.PingContext(d.ctx), name)
			}
		}
		assert.Equal(t, 2, one[int](t, d, d.ctx, "select count(*) from t"))

		// Rollback doesn't wait for what is still to come.
		tx, err := d.BeginTx(d.ctx, nil)
		require.NoError(t, err)
		rows, err := tx.QueryContext(stdlib.Stream(d.ctx), stalls)
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.NoError(t, tx.Rollback())
	}, func(c *pg.Config) { c.Sessions = 1 })
}

// The context of a transaction ends while rows of it are open, or are waited for.
func TestAContextEndsWithRowsOpen(t *testing.T) {
	queries := map[string]struct {
		as    func(context.Context) context.Context
		query string
		ends  bool // the rows are read until they end
	}{
		"buffered":                 {func(ctx context.Context) context.Context { return ctx }, "select generate_series(1, 3)", false},
		"streamed":                 {stdlib.Stream, endless, false},
		"streamed, and read":       {stdlib.Stream, endless, true},
		"streamed, and waited for": {stdlib.Stream, stalls, true},
	}
	bothColours(t, func(t *testing.T, d *door) {
		for name, q := range queries {
			conn, err := d.Conn(d.ctx)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(d.ctx)
			tx, err := conn.BeginTx(ctx, nil)
			require.NoError(t, err)
			rows, err := tx.QueryContext(q.as(ctx), q.query)
			require.NoError(t, err)
			require.True(t, rows.Next(), name)
			if !q.ends {
				cancel()
			} else {
				stop := time.AfterFunc(20*time.Millisecond, cancel)
				for rows.Next() {
				}
				stop.Stop()
				assert.ErrorIs(t, rows.Err(), context.Canceled, name)
			}
			// What this says depends on how far database/sql is with the end. It says something.
			_, _ = tx.ExecContext(d.ctx, "select 1")
			if err = tx.Commit(); !errors.Is(err, sql.ErrTxDone) {
				assert.ErrorIs(t, err, context.Canceled, name)
			}
			if err = tx.Rollback(); err != nil {
				assert.ErrorIs(t, err, sql.ErrTxDone, name)
			}
			require.NoError(t, conn.Close(), name)
			again, err := d.BeginTx(d.ctx, nil) // the only session is free
			require.NoError(t, err, name)
			require.NoError(t, again.Rollback())
			cancel()
		}
	}, func(c *pg.Config) { c.Sessions = 1 })
}

// The context of rows ends, and the next statement of their sql.Conn follows at once, while a
// goroutine of database/sql closes them.
func TestAConnIsUsableAfterTheContextOfItsRows(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		conn, err := d.Conn(d.ctx)
		require.NoError(t, err)
		_, err = conn.ExecContext(d.ctx, "set application_name = 'mine'")
		require.NoError(t, err)
		for range 20 {
			ctx, cancel := context.WithCancel(d.ctx)
			rows, err := conn.QueryContext(stdlib.Stream(ctx), endless)
			require.NoError(t, err)
			require.True(t, rows.Next())
			cancel()
			require.NoError(t, rows.Close())
			assert.Equal(t, "mine", one[string](t, conn, d.ctx, "show application_name"))
		}
		require.NoError(t, conn.Close())
	}, func(c *pg.Config) { c.CancelTimeout = 30 * time.Second }) // however slow the machine is
}

// For a driver.ErrBadConn database/sql would close the sql.Conn, and wait for its rows.
func TestALostSessionWithRowsOpen(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		conn, err := d.Conn(d.ctx)
		require.NoError(t, err)
		_, err = conn.ExecContext(d.ctx, "set application_name = 'mine'")
		require.NoError(t, err)
		pid := one[int](t, conn, d.ctx, "select pg_backend_pid()")
		rows, err := conn.QueryContext(d.ctx, "select generate_series(1, 3)")
		require.NoError(t, err)
		require.True(t, rows.Next())
		assert.True(t, one[bool](t, d, d.ctx, "select pg_terminate_backend($1)", pid))
		for one[int](t, d, d.ctx, "select count(*) from pg_stat_activity where pid = $1", pid) > 0 {
		}
		for range 2 {
			_, err = conn.ExecContext(d.ctx, "select 1")
			require.Error(t, err)
			assert.NotErrorIs(t, err, driver.ErrBadConn)
		}
		require.NoError(t, rows.Close())
		_, err = conn.ExecContext(d.ctx, "select 1")
		assert.ErrorIs(t, err, driver.ErrBadConn)
		assert.ErrorIs(t, conn.Close(), sql.ErrConnDone, "database/sql has closed it")
		require.NoError(t, d.PingContext(d.ctx))
	}, func(c *pg.Config) { c.Sessions = 1 })
}

// The limit of sessions is pg's: a task that waits for one is suspended, and others go on.
func TestTransactionsWaitForASession(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		d.exec(t, "create table t (id int)")
		fns := make([]func(context.Context), 20)
		for i := range fns {
			fns[i] = func(ctx context.Context) {
				tx, err := d.BeginTx(ctx, nil)
				if !assert.NoError(t, err) {
					return
				}
				defer tx.Rollback()
				_, err = tx.ExecContext(ctx, "insert into t values ($1)", i)
				assert.NoError(t, err)
				assert.NoError(t, tx.Commit())
			}
		}
		d.run(fns...)
		assert.Equal(t, 20, one[int](t, d, d.ctx, "select count(*) from t"))

		tx, err := d.BeginTx(d.ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(d.ctx, "select 1")
		require.NoError(t, err)
		short, cancel := context.WithTimeout(d.ctx, 20*time.Millisecond)
		defer cancel()
		d.run(func(context.Context) {
			second, err := d.BeginTx(short, nil)
			if err == nil { // a BEGIN is sent with the first statement
				_, err = second.ExecContext(short, "select 1")
				_ = second.Rollback()
			}
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		}, func(ctx context.Context) {
			assert.Equal(t, 1, one[int](t, d, ctx, "select 1"), "statements need none")
		})
		require.NoError(t, tx.Rollback())
	}, func(c *pg.Config) { c.Sessions = 1 })
}

// A deadline ends a wait for one of SetMaxOpenConns, too: it holds the loop no longer than that.
func TestAWaitForAnOpenConnEndsWithItsDeadline(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		d.SetMaxOpenConns(1)
		conn, err := d.Conn(d.ctx)
		require.NoError(t, err)
		for _, with := range []func(context.Context, time.Duration) (context.Context, context.CancelFunc){context.WithTimeout, repaint.WithTimeout} {
			short, cancel := with(d.ctx, 20*time.Millisecond)
			assert.ErrorIs(t, d.PingContext(short), context.DeadlineExceeded)
			cancel()
		}
		require.NoError(t, conn.Close())
		require.NoError(t, d.PingContext(d.ctx))
	})
}
