package db_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
)

func exitGoroutine() { runtime.Goexit() }

// cancelSoon cancels after the other callers have had a few turns. There is nothing to wait for:
// whether the statement has begun by then is a matter of luck, and every outcome must be right.
func cancelSoon(ctx context.Context, cancel func()) {
	for range 50 {
		_ = repaint.Sleep(context.WithoutCancel(ctx), 0)
	}
	cancel()
}

// endlessQuery keeps q busy until ctx ends.
func endlessQuery(ctx context.Context, q db.Querier) error {
	for {
		if _, err := q.Query(ctx, endless); !errors.Is(err, db.ErrInUse) {
			return err
		}
		_ = repaint.Sleep(ctx, 0)
	}
}

func requireItemsAtLeast(t *testing.T, ctx context.Context, q db.Querier, want int) {
	t.Helper()
	got, err := db.Scalar[int](ctx, q, countItems)
	require.NoError(t, err)
	require.GreaterOrEqual(t, got, want)
}

// dbtestURL returns the URL of the engine's database, for another engine. A database in memory has
// none, so the other engine gets a database of its own.
func dbtestURL(t *testing.T, e *db.Engine) string {
	t.Helper()
	return e.URL().Reveal()
}
