package repainttest

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
)

func TestOrdersAreCountedAndGoneThrough(t *testing.T) {
	for want, steps := range map[int][]string{
		1: {"1", "1"}, 6: {"1", "1", "2", "2"}, 70: {"1", "1", "1", "1", "2", "2", "2", "2"},
		34650: {"1", "1", "1", "1", "2", "2", "2", "2", "3", "3", "3", "3"},
	} {
		require.Equal(t, want, orders(steps))
		n := 0
		for more := true; more; more = nextPermutation(steps) {
			n++
		}
		require.Equal(t, want, n)
	}
	many := make([]string, 200)
	for i := range many {
		many[i] = string(rune('a' + i%20))
	}
	require.Equal(t, -1, orders(many))
}

func TestIsolationsCountsOutcomesOfAllOrders(t *testing.T) {
	results := Isolations(t, 100, func(t *testing.T, ctx context.Context, level sql.IsolationLevel, o *Outcome) {
		order := ""
		g := repaint.NewGroup(ctx)
		for _, name := range []string{"a", "b"} {
			g.Go(func(ctx context.Context) error {
				for range 2 {
					if err := repaint.Sleep(ctx, 0); err != nil {
						return err
					}
					order += name
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
		o.Wrong = order == "abab"
		if level == sql.LevelSerializable && order[0] == 'b' {
			o.Aborted++
		}
	})
	require.Equal(t, []IsolationResult{
		{Level: sql.LevelReadCommitted, Schedules: 6, Of: 6, Wrong: 1},
		{Level: sql.LevelRepeatableRead, Schedules: 6, Of: 6, Wrong: 1},
		{Level: sql.LevelSerializable, Schedules: 6, Of: 6, Wrong: 1, Aborted: 3},
	}, results)
	require.Contains(t, table(results), "serializable                  6        1        3")
	require.Contains(t, table([]IsolationResult{{Schedules: 10, Of: 70}, {Schedules: 10, Of: -1}}), "10 of 70")
}
