package pg

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// through returns the database as clients reach it through another server.
func through(target testserver.Target, by *testserver.Server) testserver.Target {
	target.Host, target.Port = by.Host, by.Port
	return target
}

// The settings that doc.go recommends for PgBouncer work for everything that many callers do at
// once.
func TestThroughPgBouncer(t *testing.T) {
	for _, test := range []struct{ mode, options string }{
		{"session", ""},
		{"session", "&pipeline=off"},
		{"transaction", "&default_query_exec_mode=exec"},
		{"transaction", "&default_query_exec_mode=exec&pipeline=off"},
		{"transaction", "&default_query_exec_mode=cache_describe"},
		{"transaction", "&default_query_exec_mode=describe_exec"},
	} {
		t.Run(test.mode+test.options, func(t *testing.T) {
			srv := testserver.Postgres(t)
			size := 40 // in session mode each of our connections needs one
			if test.mode == "transaction" {
				size = 3
			}
			bouncer := testserver.PgBouncer(t, srv.Target, test.mode, fmt.Sprintf("default_pool_size=%d", size))
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				db := openAt(t, through(srv.Database(t), bouncer).URL()+test.options)
				_, err := db.Exec(ctx, "create table t (id int primary key, name text)")
				require.NoError(t, err)
				const n = 200
				for i, err := range c.together(ctx, n, func(ctx context.Context, i int) error { return bouncedCalls(ctx, db, i) }) {
					require.NoError(t, err, i)
				}
				require.Equal(t, 4*n, count(t, ctx, db, "t"))
				require.Zero(t, db.Stats().Lost)
			})
		})
	}
}

// bouncedCalls makes one caller's calls: a one-shot statement, a batch, and transactions that end
// in both ways. It leaves four rows.
func bouncedCalls(ctx context.Context, db *DB, i int) error {
	name := fmt.Sprint("caller ", i)
	var id int
	if err := db.QueryRow(ctx, "insert into t values ($1, $2) returning id", 10*i, name).Scan(&id); err != nil || id != 10*i {
		return fmt.Errorf("insert: %d, %w", id, err)
	}
	b := new(pgx.Batch)
	b.Queue("insert into t values ($1, $2)", 10*i+1, name)
	b.Queue("select name from t where id = $1", 10*i)
	br := db.SendBatch(ctx, b)
	_, err := br.Exec()
	var got string
	if err = errors.Join(err, br.QueryRow().Scan(&got), br.Close()); err != nil || got != name {
		return fmt.Errorf("batch: %q, %w", got, err)
	}
	undo := errors.New("undo")
	for k, end := range []error{nil, undo, nil} {
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "insert into t values ($1, $2)", 10*i+2+k, name); err != nil {
				return err
			}
			var n int
			if err := tx.QueryRow(ctx, "select count(*) from t where name = $1", name).Scan(&n); err != nil || n != 3+min(k, 1) {
				return fmt.Errorf("count: %d, %w", n, err)
			}
			return end
		})
		if err != end {
			return fmt.Errorf("transaction %d: %w", k, err)
		}
	}
	var n int
	if err := db.QueryRow(ctx, "select count(*) from t where name = $1", name).Scan(&n); err != nil || n != 4 {
		return fmt.Errorf("count at the end: %d, %w", n, err)
	}
	return nil
}

// With the simple protocol, texts without arguments work. For others the error says what to use.
func TestSimpleProtocolThroughPgBouncer(t *testing.T) {
	srv := testserver.Postgres(t)
	bouncer := testserver.PgBouncer(t, srv.Target, "transaction", "default_pool_size=3")
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db := openAt(t, through(srv.Database(t), bouncer).URL()+"&default_query_exec_mode=simple_protocol")
		for i, err := range c.together(ctx, 200, func(ctx context.Context, i int) error {
			var got int
			if err := db.QueryRow(ctx, fmt.Sprintf("select %d", i)).Scan(&got); err != nil || got != i {
				return fmt.Errorf("%d, %w", got, err)
			}
			return nil
		}) {
			require.NoError(t, err, i)
		}
		_, err := db.Exec(ctx, "select $1::int", 1)
		require.ErrorIs(t, err, ErrUnsupported)
		require.ErrorContains(t, err, "use the mode exec")
		require.ErrorContains(t, err, "default_query_exec_mode=exec in the URL")
		var got int
		require.NoError(t, db.QueryRow(ctx, "select $1::int", pgx.QueryExecModeExec, 1).Scan(&got))
		require.Equal(t, 1, got)
	})
}

// In the default mode a prepared statement may be missing on the connection that PgBouncer has
// chosen. If nothing has happened yet, the driver prepares it again. In a transaction it is too
// late for that, and the error says what to set.
func TestDefaultModeThroughPgBouncerInTransactionMode(t *testing.T) {
	srv := testserver.Postgres(t)
	bouncer := testserver.PgBouncer(t, srv.Target, "transaction", "default_pool_size=1")
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := srv.Database(t)
		db := openAt(t, through(target, bouncer).URL()+"&pool_lanes=1&pool_sessions=1")
		another := func() { // another connection of PgBouncer to the server
			target.Terminate(t, "datname = current_database()")
		}
		const sql = "select $1::int + 1"
		var got int
		for range 2 {
			require.NoError(t, db.QueryRow(ctx, sql, 41).Scan(&got))
			require.Equal(t, 42, got)
			another()
		}
		inTx := func() error {
			return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "select 1"); err != nil {
					return err
				}
				return tx.QueryRow(ctx, sql, 41).Scan(&got)
			})
		}
		require.NoError(t, inTx())
		another()
		err := inTx()
		require.ErrorContains(t, err, "26000")
		require.ErrorContains(t, err, "default_query_exec_mode=exec")
		require.Zero(t, db.Stats().Lost)
	})
}

// The end of a context cancels the statement through PgBouncer, and closes no connection.
func TestCancelThroughPgBouncer(t *testing.T) {
	srv := testserver.Postgres(t)
	for _, mode := range []string{"session", "transaction"} {
		t.Run(mode, func(t *testing.T) {
			bouncer := testserver.PgBouncer(t, srv.Target, mode)
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				target := srv.Database(t)
				db := openAt(t, through(target, bouncer).URL()+"&pool_lanes=1&default_query_exec_mode=exec")
				for range 3 {
					limited, cancel := context.WithCancel(ctx)
					wait := c.start(limited, func(ctx context.Context) error { _, err := db.Exec(ctx, "select pg_sleep(50)"); return err })
					running(t, ctx, target, "pg_sleep(50)")
					cancel()
					require.ErrorIs(t, wait(), context.Canceled)
					for _, err := range c.together(ctx, 9, func(ctx context.Context, i int) error {
						var got int
						if err := db.QueryRow(ctx, "select $1::int", i).Scan(&got); err != nil || got != i {
							return fmt.Errorf("%d, %w", got, err)
						}
						return nil
					}) {
						require.NoError(t, err)
					}
				}
				require.EqualValues(t, 1, db.Stats().Connects)
				require.NotZero(t, db.Stats().Cancels)
				require.Equal(t, "0", target.MustQuery(t, "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(50)%' and pid <> pg_backend_pid()"))
			})
		})
	}
}

// In session mode a listener works as without PgBouncer, and survives PgBouncer's restart.
func TestListenThroughPgBouncer(t *testing.T) {
	srv := testserver.Postgres(t)
	bouncer := testserver.PgBouncer(t, srv.Target, "session")
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db := openAt(t, through(srv.Database(t), bouncer).URL())
		l, err := db.Listen(ctx, "news")
		require.NoError(t, err)
		defer l.Close()
		for _, end := range []func() error{nil, bouncer.Stop, bouncer.Kill} {
			if end != nil {
				require.NoError(t, end())
				require.NoError(t, bouncer.Start())
				n, err := l.Next(ctx)
				require.NoError(t, err)
				require.True(t, n.Missed)
			}
			for {
				if err := db.Notify(ctx, "news", "it works"); !errors.Is(err, ErrConnLost) {
					require.NoError(t, err)
					break
				}
			}
			n, err := l.Next(ctx)
			require.NoError(t, err)
			require.Equal(t, []string{"news", "it works"}, []string{n.Channel, n.Payload})
		}
	})
}

// A server stops, or crashes, while clients reach it through PgBouncer.
func TestServerRestartedBehindPgBouncer(t *testing.T) {
	srv := testserver.Postgres(t, testserver.Private())
	for mode, options := range map[string]string{"session": "", "transaction": "&default_query_exec_mode=exec"} {
		t.Run(mode, func(t *testing.T) {
			bouncer := testserver.PgBouncer(t, srv.Target, mode)
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				target := srv.Database(t)
				db := openAt(t, through(target, bouncer).URL()+"&pool_lanes=3"+options)
				_, err := db.Exec(ctx, "create table t (id int)")
				require.NoError(t, err)
				acknowledged, _, stop := insertLoad(t, ctx, c, db, 20)
				for _, end := range []func() error{srv.Stop, srv.Kill} {
					before := acknowledged.Load()
					until(t, ctx, "inserts", func() bool { return acknowledged.Load() > before+100 })
					require.NoError(t, end())
					require.NoError(t, srv.Start())
				}
				before := acknowledged.Load()
				until(t, ctx, "inserts", func() bool { return acknowledged.Load() > before+100 })
				stop(target)
			})
		})
	}
}

// When PgBouncer loses the server, it sends an error that ends the connection. No party knows how
// far the server came: what was sent after the first statement may have been applied, too, and must
// not be sent again.
func TestConnectionBehindPgBouncerIsCut(t *testing.T) {
	srv := testserver.Postgres(t)
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		proxy := faultproxy.New(t, srv.Addr())
		behind := srv.Target
		behind.Host, behind.Port = proxy.Host(), proxy.Port()
		bouncer := testserver.PgBouncer(t, behind, "transaction")
		target := srv.Database(t)
		db := openAt(t, through(target, bouncer).URL()+"&pool_lanes=1&pipeline_depth=32&default_query_exec_mode=exec")
		_, err := db.Exec(ctx, "create table t (id int)")
		require.NoError(t, err)
		acknowledged, _, stop := insertLoad(t, ctx, c, db, 20)
		for round := range 10 {
			// The answers are lost, so what the server has done by then isn't known here. PgBouncer
			// may also replace a connection without a word, if no client had it.
			for before := db.Stats().Lost; db.Stats().Lost == before; {
				proxy.CutAfter(faultproxy.ToClient, int64(100*round))
				since := acknowledged.Load()
				until(t, ctx, "a lost lane", func() bool { return db.Stats().Lost > before || acknowledged.Load() > since+50 })
			}
			before := acknowledged.Load()
			until(t, ctx, "inserts", func() bool { return acknowledged.Load() > before+20 })
		}
		stop(target)
	})
}

// PgBouncer can't keep a setting for a client, so the driver must not leave one behind that others
// would get.
func TestAReaderThroughPgBouncer(t *testing.T) {
	srv := testserver.Postgres(t)
	for _, test := range []struct {
		ignores  bool // PgBouncer ignores the startup parameter
		defaults bool // the database has it as its default
		works    bool
	}{{false, false, false}, {true, false, false}, {true, true, true}} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			settings := []string{"default_pool_size=3"}
			if test.ignores {
				settings = append(settings, "ignore_startup_parameters=default_transaction_read_only")
			}
			bouncer := testserver.PgBouncer(t, srv.Target, "transaction", settings...)
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				target := srv.Database(t)
				target.MustQuery(t, "create table t (id int); create function writes() returns int language sql as 'insert into t values (1) returning id'")
				if test.defaults {
					target.MustQuery(t, "alter database \""+target.DBName+"\" set default_transaction_read_only = on")
				}
				db := openAt(t, through(target, bouncer).URL()+"&default_query_exec_mode=exec")
				r := db.Reader()
				for i, err := range c.together(ctx, 100, func(ctx context.Context, i int) error {
					var got int
					if err := r.QueryRow(ctx, "select $1::int", i).Scan(&got); err != nil || got != i {
						return fmt.Errorf("%d, %w", got, err)
					}
					return nil
				}) {
					if test.works {
						require.NoError(t, err, i)
						continue
					}
					require.ErrorIs(t, err, ErrUnsupported)
					require.ErrorContains(t, err, "PgBouncer")
				}
				_, err := r.Exec(ctx, "select writes()")
				if test.works {
					requireReadOnly(t, err, "select writes()")
					require.Less(t, r.Stats().Syncs, r.Stats().Statements)
				} else {
					_, err = db.Exec(ctx, "select writes()")
					require.NoError(t, err, "nothing is left behind on PgBouncer's connections")
				}
			})
		})
	}
}
