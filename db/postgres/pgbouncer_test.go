package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

// Behind a PgBouncer in transaction mode, the exec mode suffices for everything that keeps no state
// on its connection.
func TestBehindPgBouncer(t *testing.T) {
	server := testserver.Postgres(t)
	bouncer := testserver.PgBouncer(t, server.Target, "transaction", "default_pool_size=3")
	work := func(ctx context.Context, e *db.Engine, i int) error {
		at := time.Date(2024, 2, 29, 12, 0, i%60, 0, time.UTC)
		got, err := db.Scalar[time.Time](ctx, e, "insert into t (id, at) values (:id, :at) returning at", db.Named("id", i), db.Named("at", at))
		if err != nil || !got.Equal(at) {
			return fmt.Errorf("insert: %v %w", got, err)
		}
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			if _, err := tx.Exec(ctx, "update t set at = at + interval '1 day' where id = :id", db.Named("id", i)); err != nil {
				return err
			}
			moved, err := db.Scalar[time.Time](ctx, tx, "select at from t where id = :id", db.Named("id", i))
			if err != nil || !moved.Equal(at.AddDate(0, 0, 1)) {
				return fmt.Errorf("select: %v %w", moved, err)
			}
			return nil
		})
	}
	const n = 100
	for name, run := range map[string]func(ctx context.Context, e *db.Engine) error{
		"goroutines": func(ctx context.Context, e *db.Engine) error { return all(ctx, e, n, work) },
		"loop": func(ctx context.Context, e *db.Engine) error {
			return repaint.Run(ctx, func(ctx context.Context) error { return all(ctx, e, n, work) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Test(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			target := server.Database(t)
			target.Host, target.Port = bouncer.Host, bouncer.Port
			e := dbtest.Open(t, ctx, target.URL()+"&default_query_exec_mode=exec")
			_, err := e.Exec(ctx, "create table t (id int primary key, at timestamptz)")
			require.NoError(t, err)
			require.NoError(t, run(ctx, e))
			count, err := db.Scalar[int](ctx, e, "select count(*) from t")
			require.NoError(t, err)
			require.Equal(t, n, count)
		})
	}
}

func all(ctx context.Context, e *db.Engine, n int, work func(ctx context.Context, e *db.Engine, i int) error) error {
	g := repaint.NewGroup(ctx)
	for i := range n {
		g.Go(func(ctx context.Context) error { return work(ctx, e, i) })
	}
	return g.Wait()
}

// A Reader also only reads there, though connections for a Reader can't be had.
func TestReadingOnlyBehindPgBouncer(t *testing.T) {
	server := testserver.Postgres(t)
	bouncer := testserver.PgBouncer(t, server.Target, "transaction", "default_pool_size=3")
	target := server.Database(t)
	target.MustQuery(t, "create table t (id int); create function writes() returns int language sql as 'insert into t values (1) returning id'")
	target.Host, target.Port = bouncer.Host, bouncer.Port
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, target.URL()+"&default_query_exec_mode=exec")
		for _, q := range []db.Querier{e.Reader(), dbtest.Open(t, ctx, target.URL()+"&default_query_exec_mode=exec&read_only=true")} {
			for range 3 {
				n, err := db.Scalar[int](ctx, q, "select count(*) from t")
				require.NoError(t, err)
				require.Zero(t, n)
				_, err = q.Query(ctx, "select writes()")
				require.ErrorIs(t, err, db.ErrReadOnly)
			}
		}
	})
}

// The single statements of a Reader, and of an Engine that only reads, share Syncs.
func TestAReaderHasLanesOfItsOwn(t *testing.T) {
	target := testserver.Postgres(t).Database(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, target.URL()+"&pool_reader_lanes=1")
		for _, q := range []db.Querier{e.Reader(), dbtest.Open(t, ctx, target.URL()+"&pool_reader_lanes=1&read_only=true")} {
			var setting string
			require.NoError(t, q.QueryRow(ctx, "select current_setting('default_transaction_read_only')").Scan(&setting))
			require.Equal(t, "on", setting)
			var local string // a Reader's lane refuses this, a connection of the pool doesn't
			require.NoError(t, q.QueryRow(ctx, "select set_config('my.own', 'mine', true)").Scan(&local))
			require.Equal(t, "mine", local)
		}
		stats := e.Driver().(*pg.DB).Reader().Stats()
		require.EqualValues(t, 1, stats.Connects)
		require.Equal(t, 1, e.Stats().Lanes.Open)
	})
}
