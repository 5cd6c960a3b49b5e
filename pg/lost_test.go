package pg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func pgErrorOf(code string) *pgconn.PgError { return &pgconn.PgError{Code: code, Severity: "ERROR"} }

// proxied opens a DB behind a proxy.
func proxied(t *testing.T, options string) (*DB, *faultproxy.Proxy, testserver.Target) {
	target := testserver.Postgres(t).Database(t)
	direct := target
	proxy := faultproxy.New(t, target.Addr())
	target.Host, target.Port = proxy.Host(), proxy.Port()
	return openAt(t, target.URL()+options), proxy, direct
}

// The backend is ended while statements are under way. The one that was running may have been
// applied. Those after it haven't been, and go elsewhere, and no caller notices.
func TestTerminatedBackend(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1")
		_, err := db.Exec(ctx, "create table t (id int)")
		require.NoError(t, err)
		first := c.start(ctx, func(ctx context.Context) error { _, err := db.Exec(ctx, "select pg_sleep(40)"); return err })
		running(t, ctx, target, "pg_sleep(40)")
		var others []func() error
		for i := range 5 {
			others = append(others, c.start(ctx, func(ctx context.Context) error {
				_, err := db.Exec(ctx, "insert into t values ($1)", i)
				return err
			}))
		}
		until(t, ctx, "the others", func() bool { return db.written() == 6 })
		target.MustQuery(t, "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(40)%' and pid <> pg_backend_pid()")
		err = first()
		require.ErrorIs(t, err, ErrConnLost)
		var lost *LostError
		require.ErrorAs(t, err, &lost)
		require.True(t, lost.MaybeApplied)
		var pgErr *pgconn.PgError
		require.ErrorAs(t, err, &pgErr)
		require.Equal(t, "57P01", pgErr.Code)
		require.ErrorContains(t, err, "pg_sleep(40)")
		for _, wait := range others {
			require.NoError(t, wait())
		}
		require.Equal(t, 5, count(t, ctx, db, "t"))
		require.EqualValues(t, 2, db.Stats().Connects)
	})
}

// A connection that breaks while it is idle is noticed, and makes no caller's statement fail.
func TestIdleDisconnect(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, _ := proxied(t, "&pool_lanes=1&pool_sessions=1")
		for range 3 {
			require.NoError(t, db.Ping(ctx))
			require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error { _, err := tx.Exec(ctx, "select 1"); return err }))
			proxy.Cut()
			until(t, ctx, "the loss", func() bool { st := db.Stats(); return st.Lanes == 0 && st.Sessions == 0 })
		}
		require.NoError(t, db.Ping(ctx))
	})
}

// A connection is cut somewhere in the stream: what was acknowledged is there, nothing is there
// twice, and an error that says that there was no effect is right.
func TestCutSomewhere(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, target := proxied(t, "&pool_lanes=2")
		_, err := db.Exec(ctx, "create table t (id int)")
		require.NoError(t, err)
		_, err = db.Exec(ctx, "insert into t values ($1)", -1)
		require.NoError(t, err)
		const n = 300
		var acknowledged, perhaps, not [n]bool
		next := 0
		for k := 0; next < n; k++ {
			dir := faultproxy.ToServer
			if k%2 == 0 {
				dir = faultproxy.ToClient
			}
			proxy.CutAfter(dir, int64(7+k*13%500))
			errs := c.together(ctx, 10, func(ctx context.Context, i int) error {
				_, err := db.Exec(ctx, "insert into t values ($1)", next+i)
				return err
			})
			for i, err := range errs {
				var lost *LostError
				switch {
				case err == nil:
					acknowledged[next+i] = true
				case errors.As(err, &lost) && lost.MaybeApplied:
					perhaps[next+i] = true
				default:
					not[next+i] = true // the driver couldn't connect, say
				}
			}
			next += 10
		}
		var got [n]int
		for _, id := range strings.Fields(target.MustQuery(t, "select id from t where id >= 0")) {
			i, err := strconv.Atoi(id)
			require.NoError(t, err)
			got[i]++
		}
		for i := range n {
			switch {
			case acknowledged[i]:
				require.Equal(t, 1, got[i], i)
			case perhaps[i]:
				require.LessOrEqual(t, got[i], 1, i)
			case not[i]:
				require.Zero(t, got[i], i)
			}
		}
		t.Logf("%+v", db.Stats())
	})
}

func TestServerStoppedAndStarted(t *testing.T) {
	srv := testserver.Postgres(t, testserver.Private())
	leakcheck.Test(t)
	db := openAt(t, srv.URL()+"&pool_lanes=3")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(t, db.Ping(ctx))
	var answered, failed atomic.Int64
	stop := make(chan struct{})
	var waits []func() error
	for i := range 8 {
		waits = append(waits, colour{}.start(ctx, func(ctx context.Context) error {
			for {
				select {
				case <-stop:
					return nil
				default:
				}
				var got int
				err := db.QueryRow(ctx, "select $1::int", i).Scan(&got)
				switch {
				case err == nil && got == i:
					answered.Add(1)
				case err == nil:
					return fmt.Errorf("asked for %d, got %d", i, got)
				case ctx.Err() != nil:
					return err
				default:
					failed.Add(1)
				}
			}
		}))
	}
	for round := range 2 {
		before := answered.Load()
		until(t, ctx, "answers", func() bool { return answered.Load() > before+100 })
		end := srv.Stop
		if round == 1 {
			end = srv.Kill
		}
		require.NoError(t, end())
		before = failed.Load()
		until(t, ctx, "failures", func() bool { return failed.Load() > before })
		require.NoError(t, srv.Start())
	}
	before := answered.Load()
	until(t, ctx, "answers", func() bool { return answered.Load() > before+100 })
	close(stop)
	for _, wait := range waits {
		require.NoError(t, wait())
	}
	require.NotZero(t, failed.Load())
}

// Close waits for the statements under way.
func TestCloseWaits(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		_, target := open(t, "")
		db, err := Open(target.URL())
		require.NoError(t, err)
		shown(t, db)
		unlock := lock(t, ctx, target)
		defer unlock()
		var begun atomic.Bool
		slow := c.start(ctx, waits(db))
		inTx := c.start(ctx, func(ctx context.Context) error {
			return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
				begun.Store(true)
				_, err := tx.Exec(ctx, waitSQL)
				return err
			})
		})
		until(t, ctx, "both", func() bool { return db.written() == 1 && begun.Load() })
		closing := c.start(ctx, db.Close)
		until(t, ctx, "the closing", func() bool {
			db.pool.mu.Lock()
			defer db.pool.mu.Unlock()
			return db.pool.closing
		})
		require.ErrorIs(t, db.Ping(ctx), ErrClosed)
		require.Equal(t, 1, db.Stats().InFlight)
		unlock()
		require.NoError(t, closing())
		require.NoError(t, slow())
		require.NoError(t, inTx())
		_, err = db.Exec(ctx, "select 1")
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, db.QueryRow(ctx, "select 1").Scan(new(int)), ErrClosed)
		_, err = db.Begin(ctx)
		require.ErrorIs(t, err, ErrClosed)
		_, err = db.Acquire(ctx)
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, db.Ping(ctx), ErrClosed)
		require.NoError(t, db.Close(ctx))
		require.Zero(t, db.Stats().Lanes)
	})
}

// Close ends the statements that don't end in time.
func TestCloseForces(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		_, target := open(t, "")
		db, err := Open(target.URL() + "&pool_lanes=1&pipeline_depth=2&pool_sessions=1")
		require.NoError(t, err)
		shown(t, db)
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		var waits []func() error
		for range 4 {
			waits = append(waits, c.start(ctx, func(ctx context.Context) error { _, err := db.Exec(ctx, "select pg_sleep(60)"); return err }))
		}
		waits = append(waits,
			c.start(ctx, func(ctx context.Context) error { _, err := s.Exec(ctx, "select pg_sleep(60)"); return err }),
			c.start(ctx, func(ctx context.Context) error { _, err := db.Begin(ctx); return err }))
		running(t, ctx, target, "pg_sleep(60)")
		until(t, ctx, "all", func() bool { st := db.Stats(); return db.written() == 2 && st.Queued == 2 && st.Waiting == 1 })
		limited, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, db.Close(limited), context.DeadlineExceeded)
		for _, wait := range waits {
			require.ErrorIs(t, wait(), ErrClosed)
		}
		_, err = s.Exec(ctx, "select 1")
		require.ErrorIs(t, err, ErrClosed)
		s.Release()
		require.NoError(t, db.Close(ctx))
	})
}
