package repainttest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/repainttest"
)

func TestCancelledStatementsAreNeverExecuted(t *testing.T) {
	for name, texts := range map[string][]string{
		"PostgreSQL": {"begin", "select v from a", "update a set v = 2", "commit"},
		"SQLite":     {"begin", "select v from a", "update a set v = 2", "commit"},
	} {
		t.Run(name, func(t *testing.T) {
			d, reset := openTables(t, name)
			cancelled := 0
			repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
				seen := ""
				require.NoError(t, tasks(ctx, func(ctx context.Context) error {
					seen = runTexts(ctx, d, texts)
					return nil
				}))
				v, err := d.value(ctx, "select v from a")
				require.NoError(t, err)
				if strings.HasSuffix(seen, "failed") {
					cancelled++
				}
				require.Equal(t, seen != "1 ", v == "1")
			}, reset, repainttest.Faults(repainttest.Cancelled), repainttest.Exhaustive(), repainttest.CheckRepeats())
			require.GreaterOrEqual(t, cancelled, 2*4, "each statement, and each schedule twice")
		})
	}
}

func TestLocksOfSQLiteAreWaitedForOnTheVirtualClock(t *testing.T) {
	d, reset := openTables(t, "SQLite")
	waited := false
	repainttest.Explore(t, 1000, func(t *testing.T, ctx context.Context) {
		begun := repaint.CurrentLoop().Now()
		two := func(ctx context.Context) error {
			runTexts(ctx, d, []string{"begin", "select v from a", "update a set v = 2", "commit"})
			return nil
		}
		require.NoError(t, tasks(ctx, two, two))
		waited = waited || repaint.CurrentLoop().Now().After(begun)
		require.Zero(t, repaint.CurrentLoop().Stats().Sleeps, "the loop has slept in real time")
	}, reset)
	require.True(t, waited, "each reads and then wants to write, until its busy_timeout is over")
}
