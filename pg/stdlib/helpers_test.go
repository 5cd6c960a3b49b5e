package stdlib_test

import (
	"context"
	"database/sql"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// A door is a sql.DB, and what is under it.
type door struct {
	*sql.DB
	pg  *pg.DB
	ctx context.Context
	run func(fns ...func(ctx context.Context)) // at the same time, in tasks or goroutines
}

// bothColours runs a test in a plain goroutine and in a task of a loop, each with a database of its
// own.
func bothColours(t *testing.T, fn func(t *testing.T, d *door), options ...func(*pg.Config)) {
	t.Helper()
	testserver.Postgres(t) // whose goroutine isn't a leak
	open := func(t *testing.T, ctx context.Context) *door {
		config, err := pg.ParseConfig(testserver.Postgres(t).Database(t).URL())
		require.NoError(t, err)
		for _, option := range options {
			option(config)
		}
		db, err := pg.OpenConfig(config)
		require.NoError(t, err)
		return &door{DB: stdlib.OpenDB(db), pg: db, ctx: ctx}
	}
	end := func(t *testing.T, d *door) {
		require.NoError(t, d.Close())
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		require.NoError(t, d.pg.Close(ctx))
	}
	t.Run("goroutine", func(t *testing.T) {
		leakcheck.Test(t)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		d := open(t, ctx)
		d.run = func(fns ...func(ctx context.Context)) {
			var wg sync.WaitGroup
			for _, fn := range fns {
				wg.Go(func() { fn(ctx) })
			}
			wg.Wait()
		}
		defer end(t, d)
		fn(t, d)
	})
	t.Run("loop", func(t *testing.T) {
		leakcheck.Test(t)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		d := open(t, ctx)
		defer end(t, d)
		require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
			d.ctx = ctx
			d.run = func(fns ...func(ctx context.Context)) {
				g := repaint.NewGroup(ctx)
				for _, fn := range fns {
					g.Go(func(ctx context.Context) error { fn(ctx); return nil })
				}
				_ = g.Wait()
			}
			fn(t, d)
			return nil
		}))
	})
}

// exec runs a statement that must succeed.
func (d *door) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	_, err := d.ExecContext(d.ctx, query, args...)
	require.NoError(t, err)
}

// one reads the only value of a query.
func one[T any](t *testing.T, d interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, ctx context.Context, query string, args ...any) (v T) {
	t.Helper()
	require.NoError(t, d.QueryRowContext(ctx, query, args...).Scan(&v))
	return v
}
