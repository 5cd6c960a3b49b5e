package rolestest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/laststate"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/pg"
)

// everyColour runs a test in a goroutine, as a task, and as a task of a loop with a virtual clock.
func everyColour(t *testing.T, fn func(t *testing.T, ctx context.Context)) {
	t.Helper()
	limited := func(t *testing.T) context.Context {
		leakcheck.Test(t)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		t.Cleanup(cancel)
		return ctx
	}
	t.Run("goroutine", func(t *testing.T) { fn(t, limited(t)) })
	for name, opts := range map[string][]loop.Option{"loop": nil, "virtual clock": {loop.VirtualClock(time.Unix(0, 0))}} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, repaint.Run(limited(t), func(ctx context.Context) error {
				_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					fn(t, ctx)
					return 0, nil
				}))
				return err
			}, opts...))
		})
	}
}

func open(t *testing.T, url string) *pg.DB {
	t.Helper()
	db, err := pg.Open(url)
	require.NoError(t, err)
	closing(t, db)
	return db
}

func closing(t *testing.T, db *pg.DB) {
	laststate.Add(t, func() any { return fmt.Sprintf("%+v\n%+v", db.Stats(), db.Hosts()) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, db.Close(ctx))
	})
}

func port(t *testing.T, ctx context.Context, row pgx.Row) (port int) {
	t.Helper()
	require.NoError(t, row.Scan(&port))
	return port
}

const askPort = "select inet_server_port()"

func portOf(t *testing.T, ctx context.Context, r *pg.Reader) int {
	return port(t, ctx, r.QueryRow(ctx, askPort))
}

// waitUntil waits for a condition, which the servers and the DB bring about by themselves. The
// clock is not that of a loop, which may be a virtual one. If the context ends first, it shows what
// the test's DBs know.
func waitUntil(t *testing.T, ctx context.Context, what string, holds func() bool) {
	t.Helper()
	for !holds() {
		_, err := repaint.Block(ctx, func(context.Context) (int, error) { time.Sleep(5 * time.Millisecond); return 0, nil })
		if err = errors.Join(ctx.Err(), err); err != nil {
			require.NoError(t, err, what+laststate.Of(t))
		}
	}
}

func host(db *pg.DB, s *testserver.Server) pg.HostState {
	for _, h := range db.Hosts() {
		if h.Host == s.Addr() {
			return h
		}
	}
	return pg.HostState{}
}

// What doesn't change the cluster for good.
func TestRoles(t *testing.T) {
	cluster := testserver.NewCluster(t, 2, testserver.Config("max_standby_streaming_delay = 100ms"))
	primary, one, two := cluster.Primary, cluster.Standbys[0], cluster.Standbys[1]
	primary.MustQuery(t, "create table t (id int)")

	t.Run("connections lead where they are to", func(t *testing.T) {
		everyColour(t, func(t *testing.T, ctx context.Context) {
			for _, options := range []string{"", "&pipeline=off", "&target_session_attrs=read-write"} {
				db := open(t, cluster.URL("postgres", "&reader_target=standby"+options))
				require.Equal(t, primary.Port, port(t, ctx, db.QueryRow(ctx, askPort)))
				s, err := db.Acquire(ctx)
				require.NoError(t, err)
				require.Equal(t, primary.Port, port(t, ctx, s.QueryRow(ctx, askPort)))
				s.Release()
				waitUntil(t, ctx, "both standbys", func() bool { return host(db, one).Fit && host(db, two).Fit })
				times := map[int]int{}
				for range 20 {
					times[portOf(t, ctx, db.Reader())]++
				}
				require.Equal(t, map[int]int{one.Port: 10, two.Port: 10}, times)
				require.NoError(t, db.Reader().Ping(ctx))
				var b pgx.Batch
				b.Queue(askPort)
				results := db.Reader().SendBatch(ctx, &b)
				require.NotEqual(t, primary.Port, port(t, ctx, results.QueryRow()))
				require.NoError(t, results.Close())
				require.Equal(t, primary.Port, portOf(t, ctx, db.ReadFrom(pg.ReadPrimary)))
				_, err = db.Reader().Exec(ctx, "insert into t values (1)")
				var server *pgconn.PgError
				require.ErrorAs(t, err, &server)
				require.Equal(t, "25006", server.Code)
				require.Zero(t, db.Reader().Stats().Repeats)
				require.Equal(t, pg.RolePrimary, host(db, primary).Role)
				require.Positive(t, host(db, primary).Lanes+host(db, primary).Sessions)
				require.Positive(t, host(db, one).Reads)
			}
		})
	})

	t.Run("a DB that knows no roles says so", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		db := open(t, primary.URL())
		require.Nil(t, db.Hosts())
		_, err := db.ReadFrom(pg.PreferStandby).Query(ctx, "select 1")
		require.ErrorIs(t, err, pg.ErrUnsupported)
		any := open(t, cluster.URL("postgres", "&target_session_attrs=any"))
		require.NoError(t, any.Ping(ctx))
		require.Nil(t, any.Hosts())
	})

	t.Run("reads see what their token stands for", func(t *testing.T) {
		everyColour(t, func(t *testing.T, ctx context.Context) {
			db := open(t, cluster.URL("postgres", "&reader_target=standby&token_wait=20s"))
			for id := range 5 {
				_, err := db.Exec(ctx, "insert into t values ($1)", id)
				require.NoError(t, err)
				token, err := db.Token(ctx)
				require.NoError(t, err)
				token, err = pg.ParseToken(token.String())
				require.NoError(t, err)
				var n int
				require.NoError(t, db.Reader().QueryRow(pg.WaitFor(ctx, token), "select count(*) from t where id = $1", id).Scan(&n))
				require.Positive(t, n)
			}
		})
	})

	t.Run("a standby that doesn't replay is left", func(t *testing.T) {
		one.PauseReplay(t)
		two.PauseReplay(t)
		resume := sync.OnceFunc(func() { one.ResumeReplay(t); two.ResumeReplay(t) })
		defer resume()
		everyColour(t, func(t *testing.T, ctx context.Context) {
			db := open(t, cluster.URL("postgres", "&token_wait=50ms&reader_target=standby"))
			lagging := open(t, cluster.URL("postgres", "&max_lag=50ms&host_check_period=20ms&reader_target=prefer-standby"))
			waitUntil(t, ctx, "standbys without a lag", func() bool {
				return portOf(t, ctx, lagging.Reader()) != primary.Port || host(lagging, one).LagBytes > 0
			})
			_, err := db.Exec(ctx, "create table if not exists later (id int)")
			require.NoError(t, err)
			token, err := db.Token(ctx)
			require.NoError(t, err)
			waiting := pg.WaitFor(ctx, token)
			_, err = db.Reader().Query(waiting, "select count(*) from later")
			require.ErrorIs(t, err, pg.ErrNoStandby)
			require.ErrorContains(t, err, "token_wait")
			require.ErrorContains(t, err, token.String())
			require.True(t, pgconn.SafeToRetry(err))
			_, err = db.ReadFrom(pg.PreferStandby).Query(waiting, "select count(*) from later")
			require.NoError(t, err, "the primary has it")
			st := db.Reader().Stats()
			require.EqualValues(t, 1, st.ToPrimary)
			require.EqualValues(t, 2, st.TokenWaits)
			require.Positive(t, st.TokenWaitTime)

			waitUntil(t, ctx, "the lag", func() bool { return portOf(t, ctx, lagging.Reader()) == primary.Port })
			h := host(lagging, one)
			require.False(t, h.Fit)
			require.Greater(t, h.Lag, 50*time.Millisecond)
			require.Positive(t, h.LagBytes)
		})
		resume()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		db := open(t, cluster.URL("postgres", "&max_lag=1ms&host_check_period=20ms&reader_target=standby"))
		waitUntil(t, ctx, "that an idle primary makes no standby look behind", func() bool {
			return host(db, one).Fit && host(db, two).Fit || portOf(t, ctx, db.ReadFrom(pg.PreferStandby)) == 0
		})
	})

	t.Run("a conflict with the replay is repeated elsewhere", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		db := open(t, cluster.URL("postgres", "&reader_target=prefer-standby"))
		waitUntil(t, ctx, "both standbys", func() bool {
			return host(db, one).Fit && host(db, two).Fit || portOf(t, ctx, db.Reader()) == 0
		})
		_, err := db.Exec(ctx, "drop table if exists victim; create table victim as select 1 as id")
		require.NoError(t, err)
		token, err := db.Token(ctx)
		require.NoError(t, err)
		// It sleeps until the column is there, which its own lock keeps away.
		const conflicts = `select count(*) from victim, pg_sleep(case when exists (select from pg_attribute
			where attrelid = 'victim'::regclass and attname = 'more') then 0 else 60 end)`
		read := make(chan error, 1)
		go func() {
			var n int
			read <- db.Reader().QueryRow(pg.WaitFor(ctx, token), conflicts).Scan(&n)
		}()
		busy := func() bool { // which of them executes it
			const asks = "select count(*) > 0 from pg_stat_activity where query like '%pg_sleep(case%' and state = 'active' and pid <> pg_backend_pid()"
			return one.MustQuery(t, asks) == "t" || two.MustQuery(t, asks) == "t"
		}
		waitUntil(t, ctx, "the read", busy)
		_, err = db.Exec(ctx, "alter table victim add column more int") // its replay needs a lock
		require.NoError(t, err)
		require.NoError(t, <-read)
		met := db.Reader().Stats()
		require.Positive(t, met.Conflicts)
		require.GreaterOrEqual(t, met.Repeats, met.Conflicts)
		_, err = db.Reader().Query(ctx, "do $$ begin raise exception 'mine' using errcode = '40001'; end $$")
		require.ErrorContains(t, err, "mine", "it isn't the server's")
		require.Equal(t, met.Conflicts, db.Reader().Stats().Conflicts)
	})

	t.Run("one with few rights knows as much as it may", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		primary.MustQuery(t, "create role plain login password 'plain'; grant select, insert on t to plain")
		url := strings.Replace(cluster.URL("postgres", "&reader_target=standby&token_wait=20s"), primary.User+":"+primary.Password, "plain:plain", 1)
		waitUntil(t, ctx, "the role on the standbys", func() bool {
			return one.MustQuery(t, "select count(*) from pg_roles where rolname = 'plain'") == "1" && two.MustQuery(t, "select count(*) from pg_roles where rolname = 'plain'") == "1"
		})
		db := open(t, url)
		_, err := db.Exec(ctx, "insert into t values (4711)")
		require.NoError(t, err)
		token, err := db.Token(ctx)
		require.NoError(t, err)
		var n int
		require.NoError(t, db.Reader().QueryRow(pg.WaitFor(ctx, token), "select count(*) from t where id = 4711").Scan(&n))
		require.Positive(t, n)
	})

	t.Run("what is gone is left, and comes back", func(t *testing.T) {
		log := &lines{}
		config, err := pg.ParseConfig(cluster.URL("postgres", "&reader_target=standby&cancel_timeout=1s&connect_timeout=2&host_check_period=50ms"))
		require.NoError(t, err)
		config.Tracer = &pg.LogTracer{Logger: slog.New(slog.NewTextHandler(log, nil))}
		db, err := pg.OpenConfig(config)
		require.NoError(t, err)
		closing(t, db)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		waitUntil(t, ctx, "both standbys", func() bool {
			return host(db, one).Fit && host(db, two).Fit || portOf(t, ctx, db.Reader()) == 0
		})
		require.NoError(t, one.Suspend())
		for range 20 { // also those that were sent there: the server isn't waited for
			require.Equal(t, two.Port, portOf(t, ctx, db.Reader()))
		}
		require.Equal(t, pg.RoleGone, host(db, one).Role)
		require.NoError(t, two.Crash())
		_, err = db.Reader().Query(ctx, "select 1")
		require.ErrorIs(t, err, pg.ErrNoStandby)
		require.ErrorContains(t, err, two.Addr())
		require.Equal(t, primary.Port, portOf(t, ctx, db.ReadFrom(pg.PreferStandby)))
		require.NoError(t, one.Resume())
		waitUntil(t, ctx, "the one that hung", func() bool { return host(db, one).Fit })
		require.Equal(t, one.Port, portOf(t, ctx, db.Reader()))
		require.NoError(t, two.Start())
		waitUntil(t, ctx, "the one that crashed", func() bool { return host(db, two).Fit })
		require.Contains(t, log.String(), "to=gone")
		require.Contains(t, log.String(), "from=gone to=standby")
	})

	// From here on the cluster is another one.
	t.Run("a write that a server refuses that was the primary goes to the new one", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		db := open(t, cluster.URL("postgres", "&host_check_period=1h&reader_target=prefer-standby"))
		other := open(t, cluster.URL("postgres", "&host_check_period=1h"))
		for _, db := range []*pg.DB{db, other} {
			require.Equal(t, primary.Port, port(t, ctx, db.QueryRow(ctx, askPort)))
		}
		waitUntil(t, ctx, "both standbys", func() bool { return host(db, one).Fit && host(db, two).Fit })
		require.Equal(t, one.Port+two.Port, portOf(t, ctx, db.Reader())+portOf(t, ctx, db.Reader()))
		old, err := db.Token(ctx)
		require.NoError(t, err)
		waitUntil(t, ctx, "the replay", func() bool { return one.MustQuery(t, "select pg_last_wal_replay_lsn() >= '"+lsn(old)+"'") == "t" })

		listener, err := db.Listen(ctx, "news")
		require.NoError(t, err)

		one.Promote(t)
		primary.MustQuery(t, "insert into t values (-1)") // it will be lost
		lost := old
		lost.LSN += 1 << 30
		primary.MustQuery(t, "alter system set default_transaction_read_only = on")
		primary.MustQuery(t, "select pg_reload_conf()")
		waitUntil(t, ctx, "the reload", func() bool { return primary.MustQuery(t, "show default_transaction_read_only") == "on" })
		_, err = db.Exec(ctx, "insert into t values (815)")
		require.NoError(t, err)
		require.Equal(t, "1", one.MustQuery(t, "select count(*) from t where id = 815"))
		var b pgx.Batch
		b.Queue("insert into t values (816)")
		require.NoError(t, other.SendBatch(ctx, &b).Close())
		require.Equal(t, "1", one.MustQuery(t, "select count(*) from t where id = 816"))
		require.Equal(t, pg.RolePrimary, host(db, primary).Role, "it says so itself, but nothing leads there")
		require.Zero(t, host(db, primary).Lanes)
		heard, err := listener.Next(ctx)
		require.NoError(t, err)
		require.True(t, heard.Missed, "it listens to the new primary")
		one.MustQuery(t, "notify news, 'from the new one'")
		heard, err = listener.Next(ctx)
		require.NoError(t, err)
		require.Equal(t, "from the new one", heard.Payload)

		token, err := db.Token(ctx)
		require.NoError(t, err)
		require.Equal(t, old.Timeline+1, token.Timeline)
		require.Equal(t, one.Port, port(t, ctx, db.Reader().QueryRow(pg.WaitFor(ctx, token), askPort)), "the other standby has another log")
		_, err = db.Reader().Query(pg.WaitFor(ctx, lost), "select 1")
		require.ErrorIs(t, err, pg.ErrTokenLost)
		_, err = db.Reader().Query(pg.WaitFor(ctx, old), "select 1")
		require.NoError(t, err, "this one is in both logs")
		beyond := token
		beyond.LSN += 1 << 30
		_, err = db.Reader().Query(pg.WaitFor(ctx, beyond), "select 1")
		require.ErrorIs(t, err, pg.ErrTokenLost, "the log isn't as long")
		_, err = db.Exec(ctx, "insert into t values (817)", pgx.ReadOnly)
		var server *pgconn.PgError
		require.ErrorAs(t, err, &server)
		require.Equal(t, "25006", server.Code, "the caller's own")
	})
}

func lsn(t pg.Token) string { return strings.TrimPrefix(t.String(), "1:") }

// lines is a log that is read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
