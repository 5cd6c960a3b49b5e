package pg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// A use is a way to insert a row with the first statement on a connection.
type use struct {
	name string
	do   func(ctx context.Context, db *DB, pause func(), id int) error
}

const insertSQL = "insert into t values ($1)"

// uses are all uses. They call pause between getting a connection and using it.
var uses = []use{
	{"exec", func(ctx context.Context, db *DB, _ func(), id int) error {
		_, err := db.Exec(ctx, insertSQL, id)
		return err
	}},
	{"query", func(ctx context.Context, db *DB, _ func(), id int) error {
		return db.QueryRow(ctx, "insert into t values ($1) returning id", id).Scan(&id)
	}},
	{"batch", func(ctx context.Context, db *DB, _ func(), id int) error {
		b := &pgx.Batch{}
		b.Queue("select 1")
		b.Queue(insertSQL, id)
		return db.SendBatch(ctx, b).Close()
	}},
	{"begin", func(ctx context.Context, db *DB, pause func(), id int) error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			pause()
			_, err := tx.Exec(ctx, insertSQL, id)
			return err
		})
	}},
	{"begin with options, script", func(ctx context.Context, db *DB, pause func(), id int) error {
		return pgx.BeginTxFunc(ctx, db, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
			pause()
			_, err := tx.Exec(ctx, fmt.Sprintf("select 1; insert into t values (%d)", id))
			return err
		})
	}},
	{"savepoint", func(ctx context.Context, db *DB, pause func(), id int) error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			pause()
			return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, insertSQL, id)
				return err
			})
		})
	}},
	{"batch that begins", func(ctx context.Context, db *DB, _ func(), id int) error {
		b := &pgx.Batch{}
		b.BeginTx(pgx.TxOptions{})
		b.Queue(insertSQL, id)
		br := db.SendBatch(ctx, b)
		if err := br.Close(); err != nil {
			return errors.Join(err, br.Tx().Rollback(ctx))
		}
		return br.Tx().Commit(ctx)
	}},
	{"session", func(ctx context.Context, db *DB, pause func(), id int) error {
		s, err := db.Acquire(ctx)
		if err != nil {
			return err
		}
		defer s.Release()
		pause()
		_, err = s.Exec(ctx, insertSQL, id)
		return err
	}},
	{"transaction of a session", func(ctx context.Context, db *DB, pause func(), id int) error {
		s, err := db.Acquire(ctx)
		if err != nil {
			return err
		}
		defer s.Release()
		return pgx.BeginFunc(ctx, s, func(tx pgx.Tx) error {
			pause()
			_, err := tx.Exec(ctx, insertSQL, id)
			return err
		})
	}},
	{"dialed session", func(ctx context.Context, db *DB, pause func(), id int) error {
		s, err := db.Dial(ctx)
		if err != nil {
			return err
		}
		defer s.Release()
		pause()
		_, err = s.Exec(ctx, insertSQL, id)
		return err
	}},
	{"copy", func(ctx context.Context, db *DB, _ func(), id int) error {
		_, err := db.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{id}}))
		return err
	}},
	{"copy in a transaction", func(ctx context.Context, db *DB, pause func(), id int) error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			pause()
			_, err := tx.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{id}}))
			return err
		})
	}},
	{"stream", func(ctx context.Context, db *DB, _ func(), id int) error {
		rows, err := db.Stream(ctx, "insert into t values ($1) returning id", id)
		if err != nil {
			return err
		}
		_, err = pgx.CollectRows(rows, pgx.RowTo[int])
		return err
	}},
}

// each makes all uses insert a row each, so many times at once. It requires that none fails and
// that each row is there once.
func each(t *testing.T, ctx context.Context, c colour, db *DB, target testserver.Target, rounds, at int, before func(round int), pause func()) {
	n := at * len(uses)
	for round := range rounds {
		before(round)
		errs := c.together(ctx, n, func(ctx context.Context, i int) error {
			pause()
			return uses[i%len(uses)].do(ctx, db, pause, round*n+i)
		})
		for i, err := range errs {
			require.NoError(t, err, "round %d, %s", round, uses[i%len(uses)].name)
		}
	}
	require.Equal(t, fmt.Sprintf("%d\n%d", rounds*n, rounds*n), target.MustQuery(t, "select count(*) from t union all select count(distinct id) from t"))
}

// connects returns how many connections have been opened.
func connects(db *DB) int { return int(db.Stats().Connects + db.Stats().SessionOpens) }

// settled waits until no connection is being made.
func settled(t *testing.T, ctx context.Context, db *DB) {
	until(t, ctx, "connections that are being made", func() bool {
		db.pool.mu.Lock()
		connecting := db.pool.connecting
		db.pool.mu.Unlock()
		return connecting == 0 && db.Stats().Connecting == 0
	})
}

// The server ends connections that are idle for a certain time, and callers use theirs at about
// that moment. None of them notices.
func TestIdleSessionTimeoutAtTheMomentOfUse(t *testing.T) {
	testserver.Postgres(t).Needs(t, 14, "idle_session_timeout")
	const idle = 300 * time.Millisecond
	for _, options := range []string{"", "&pipeline=off"} {
		t.Run("pipeline"+options, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				target := testserver.Postgres(t).Database(t)
				target.MustQuery(t, "create table t (id int)")
				db := openAt(t, target.URL()+options+fmt.Sprintf("&pool_sessions=15&idle_session_timeout=%d", idle.Milliseconds()))
				pause := func() { // this pause is what the test tries; it waits for nothing
					_ = repaint.Sleep(ctx, idle*9/10+rand.N(idle/5))
				}
				each(t, ctx, c, db, target, 4, 1, func(int) {}, pause)
				require.Greater(t, connects(db), 15, "connections that were lost have been replaced")
			})
		})
	}
}

// An administrator ends all connections just before callers use them.
func TestTerminatedBackendsAtTheMomentOfUse(t *testing.T) {
	for _, options := range []string{"", "&pipeline=off"} {
		t.Run("pipeline"+options, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				target := testserver.Postgres(t).Database(t)
				target.MustQuery(t, "create table t (id int)")
				db := openAt(t, target.URL()+options+"&pool_sessions=30&application_name=ends")
				killer, err := openAt(t, target.URL()).Acquire(ctx)
				require.NoError(t, err)
				defer killer.Release()
				before := func(int) {
					settled(t, ctx, db) // connections that are being opened aren't in use yet
					_, err := killer.Exec(ctx, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ends' and datname = current_database()")
					require.NoError(t, err)
				}
				each(t, ctx, c, db, target, 4, 1, before, func() {})
				require.Greater(t, connects(db), 15, "connections that were lost have been replaced")
			})
		})
	}
}

// PgBouncer ends clients that are idle.
func TestPgBouncersIdleTimeoutAtTheMomentOfUse(t *testing.T) {
	srv := testserver.Postgres(t)
	bouncer := testserver.PgBouncer(t, srv.Target, "transaction", "default_pool_size=20", "client_idle_timeout=1", "server_idle_timeout=1")
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := srv.Database(t)
		target.MustQuery(t, "create table t (id int)")
		db := openAt(t, through(target, bouncer).URL()+"&default_query_exec_mode=exec&pool_sessions=40")
		idle := func() { _ = repaint.Sleep(ctx, 600*time.Millisecond+rand.N(time.Second)) }
		each(t, ctx, c, db, target, 2, 2, func(int) { idle() }, func() {})
	})
}

// A connection is closed without a word while it is idle, and a caller uses it at once. Then no
// party can know what has become of a statement that was sent, so the driver doesn't send it there.
func TestClosedWithoutAWordAtTheMomentOfUse(t *testing.T) {
	for _, options := range []string{"", "&pipeline=off"} {
		t.Run("pipeline"+options, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				db, proxy, target := proxied(t, options+"&pool_sessions=30")
				target.MustQuery(t, "create table t (id int)")
				before := func(int) {
					settled(t, ctx, db)
					_ = repaint.Sleep(ctx, 2*restful) // the driver doesn't check a connection that has just answered
					proxy.Cut()
				}
				each(t, ctx, c, db, target, 4, 1, before, func() {})
				require.Greater(t, connects(db), 15, "connections that were lost have been replaced")
			})
		})
	}
}

// A session's state goes with its connection. So the driver doesn't replace the connection once
// something was executed there, or when the owner knows it by its number, or has set it up.
func TestASessionThatHasSomethingIsLostWithItsConnection(t *testing.T) {
	for name, use := range map[string]func(ctx context.Context, s *Session) error{
		"a statement":   func(ctx context.Context, s *Session) error { _, err := s.Exec(ctx, "set timezone = 'UTC'"); return err },
		"a query":       func(ctx context.Context, s *Session) error { return s.QueryRow(ctx, "select 1").Scan(new(int)) },
		"its number":    func(_ context.Context, s *Session) error { s.PID(); return nil },
		"its own setup": func(ctx context.Context, s *Session) error { return s.Keep(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				db, target := open(t, "&application_name=ends")
				s, err := db.Acquire(ctx)
				require.NoError(t, err)
				defer s.Release()
				require.NoError(t, use(ctx, s))
				target.Terminate(t, "application_name = 'ends'")
				_, err = s.Exec(ctx, "select 1")
				var lost *LostError
				require.ErrorAs(t, err, &lost)
				until(t, ctx, "the loss", func() bool { return db.Stats().Sessions == 0 })
				_, err = s.Exec(ctx, "select 1")
				require.ErrorAs(t, err, &lost)
				require.False(t, lost.MaybeApplied)
			})
		})
	}
}

// The error of a session whose connection can't be replaced says why, and its place in the pool is
// free.
func TestASessionWithoutAnotherConnection(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, _ := proxied(t, "&pool_sessions=1&pool_lanes=1")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		proxy.Refuse()
		proxy.Cut()
		_, err = s.Exec(ctx, "select 1")
		var lost *LostError
		require.ErrorAs(t, err, &lost)
		require.False(t, lost.MaybeApplied)
		require.ErrorContains(t, err, "no other connection")
		s.Release()
		proxy.Admit()
		s, err = db.Acquire(ctx)
		require.NoError(t, err)
		_, err = s.Exec(ctx, "select 1")
		require.NoError(t, err)
		s.Release()
	})
}

// Callers can give up statements that wait for another connection. Their transaction hasn't begun
// then.
func TestGivingUpWhileAnotherConnectionIsMade(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, target := proxied(t, "&pool_sessions=1&pool_lanes=1")
		target.MustQuery(t, "create table t (id int)")
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		proxy.Cut()
		proxy.Stall()
		hasty, cancel := context.WithCancel(ctx)
		wait := c.start(ctx, func(context.Context) error { _, err := tx.Exec(hasty, insertSQL, 1); return err })
		until(t, ctx, "the statement that waits", func() bool {
			s := db.pool.list()[0]
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.connecting > 0 && s.queuedNow > 0
		})
		cancel()
		require.ErrorIs(t, wait(), context.Canceled)
		proxy.Resume()
		_, err = tx.Exec(ctx, insertSQL, 2)
		require.NoError(t, err)
		require.Equal(t, "0", target.MustQuery(t, "select count(*) from t"), "it is in a transaction")
		require.NoError(t, tx.Commit(ctx))
		require.Equal(t, "2", target.MustQuery(t, "select id from t"))
	})
}

// After the first statement the driver sends nothing again, whatever the server says.
func TestATransactionThatHasBegunIsNotMovedToAnotherConnection(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := testserver.Postgres(t).Database(t)
		target.MustQuery(t, "create table t (id int)")
		db := openAt(t, target.URL()+"&"+url.Values{"idle_in_transaction_session_timeout": {"20"}}.Encode())
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, insertSQL, 1)
		require.NoError(t, err)
		until(t, ctx, "the end of the backend", func() bool {
			return target.MustQuery(t, "select count(*) from pg_stat_activity where state like 'idle in%' and datname = current_database()") == "0"
		})
		_, err = tx.Exec(ctx, insertSQL, 2)
		require.ErrorIs(t, err, ErrConnLost)
		require.ErrorIs(t, tx.Commit(ctx), ErrConnLost)
		require.Equal(t, "0", target.MustQuery(t, "select count(*) from t"))

	})
}

// A connection that replaces a lost one belongs to the pool: it has the pool's generation, and a
// lifetime of its own.
func TestAReplacementIsAsNewAsAnyOther(t *testing.T) {
	for name, outwear := range map[string]func(db *DB, s *Session){
		"generation": func(db *DB, _ *Session) { db.Reset() },
		"lifetime": func(db *DB, s *Session) {
			db.pool.mu.Lock()
			defer db.pool.mu.Unlock()
			s.s.session().expires = longPast
		},
	} {
		t.Run(name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				db, target := open(t, "&application_name=ends&pool_sessions=1&pool_max_conn_lifetime=1h")
				s, err := db.Acquire(ctx)
				require.NoError(t, err)
				outwear(db, s)
				target.Terminate(t, "application_name = 'ends'")
				var first, second int
				require.NoError(t, s.QueryRow(ctx, "select pg_backend_pid()").Scan(&first))
				s.Release()
				require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
					return tx.QueryRow(ctx, "select pg_backend_pid()").Scan(&second)
				}))
				require.Equal(t, first, second)
				require.EqualValues(t, 2, db.Stats().SessionOpens)
				require.Zero(t, db.Stats().LifetimeClosed)
			})
		})
	}
}

// Attempts to replace a connection share the pauses of the pool, and make them longer.
func TestReplacementsPauseAsOthersDo(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, _ := proxied(t, "&pool_sessions=2&pool_lanes=1")
		var sessions []*Session
		for range 2 {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			defer s.Release()
			sessions = append(sessions, s)
		}
		proxy.Refuse()
		proxy.Cut()
		_, err := sessions[0].Exec(ctx, "select 1")
		require.ErrorIs(t, err, ErrConnLost)
		require.EqualValues(t, 1, db.Stats().SessionConnectErrors)
		db.pool.mu.Lock()
		require.Error(t, db.pool.pauses.why)
		require.False(t, db.pool.pauses.notBefore.IsZero())
		db.pool.pauses.notBefore = time.Now().Add(time.Hour)
		db.pool.mu.Unlock()
		proxy.Admit()
		before := proxy.Stats().Accepted
		hasty, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		_, err = sessions[1].Exec(hasty, "select 1")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, before, proxy.Stats().Accepted, "it pauses")
	})
}

// The driver doesn't at once ask a server for the next connection if it ends each one before it is
// of any use.
func TestConnectionsOfNoUseMakePauses(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, _ := proxied(t, "&pool_sessions=1&pool_lanes=1")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		proxy.Cut()
		until(t, ctx, "the pause", func() bool {
			db.pool.mu.Lock()
			defer db.pool.mu.Unlock()
			return db.pool.pauses.why != nil
		})
		_, err = s.Exec(ctx, "select 1")
		require.NoError(t, err)
		require.NoError(t, db.Ping(ctx))
		db.pool.mu.Lock()
		defer db.pool.mu.Unlock()
		require.NoError(t, db.pool.pauses.why, "a success ends it")
	})
}

// A first statement that was executed, and rolled back with its connection, isn't sent again: a
// sequence doesn't take numbers back.
func TestWhatWasExecutedAndRolledBackIsNotSentAgain(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, target := proxied(t, "&pool_sessions=1&pool_lanes=1")
		target.MustQuery(t, "create sequence s")
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		proxy.Stall(faultproxy.ToClient)
		wait := c.start(ctx, func(ctx context.Context) error { _, err := tx.Exec(ctx, "select nextval('s')"); return err })
		until(t, ctx, "its execution", func() bool { return target.MustQuery(t, "select is_called from s") == "t" })
		proxy.Cut()
		proxy.Resume()
		err = wait()
		var lost *LostError
		require.ErrorAs(t, err, &lost)
		require.False(t, lost.MaybeApplied)
		require.True(t, lost.RolledBack)
		require.ErrorContains(t, err, "rolled back")
		require.False(t, pgconn.SafeToRetry(err))
		require.Error(t, tx.Commit(ctx))
		require.Equal(t, "1", target.MustQuery(t, "select last_value from s"))
	})
}
