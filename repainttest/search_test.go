package repainttest_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/repainttest"
)

var errOverdrawn = errors.New("overdrawn")

// withdrawals is a program in which each of some tasks looks at a balance, waits, and takes 60.
func withdrawals(tasks int) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		balance := 100
		group := repaint.NewGroup(ctx)
		for range tasks {
			group.Go(func(ctx context.Context) error {
				seen := balance
				if err := repaint.Sleep(ctx, 0); err != nil {
					return err
				}
				if seen >= 60 {
					balance -= 60
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		if balance < 0 {
			return errOverdrawn
		}
		return nil
	}
}

func TestSearchFindsAndReplaysARace(t *testing.T) {
	ctx := t.Context()
	found, tried, err := repainttest.Search(ctx, 100, 7, withdrawals(2))
	require.NoError(t, err)
	require.NotNil(t, found)
	require.ErrorIs(t, found.Err, errOverdrawn)
	require.Equal(t, tried, found.Tried)
	for range 3 {
		again, err := repainttest.Replay(ctx, found.Schedule, withdrawals(2))
		require.NoError(t, err)
		require.ErrorIs(t, again.Err, errOverdrawn)
		require.Equal(t, found.Table(76), again.Table(76))
	}
	same, _, err := repainttest.Search(ctx, 100, 7, withdrawals(2))
	require.NoError(t, err)
	require.Equal(t, []any{found.Tried, found.Schedule}, []any{same.Tried, same.Schedule}, "the seed repeats the search")
	for _, width := range []int{50, 76, 132} {
		for line := range strings.Lines(found.Table(width)) {
			require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), width)
		}
	}
}

func TestSearchOfAProgramWithoutARace(t *testing.T) {
	found, tried, err := repainttest.Search(t.Context(), 1000, 7, withdrawals(1))
	require.NoError(t, err)
	require.Nil(t, found)
	require.Equal(t, 1, tried, "there is no choice")
}

func TestSearchTakesAPanicForAFailure(t *testing.T) {
	found, _, err := repainttest.Search(t.Context(), 10, 7, func(context.Context) error { panic("no") })
	require.NoError(t, err)
	var p *loop.PanicError
	require.ErrorAs(t, found.Err, &p)
	require.Equal(t, "no", p.Value)
}

func TestSearchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	runs := 0
	_, tried, err := repainttest.Search(ctx, 1000, 7, func(ctx context.Context) error {
		if runs++; runs == 3 {
			cancel()
		}
		_, err := repaint.Gather(ctx, sleepTwice, sleepTwice, sleepTwice)
		return err // the run goes on to its end
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 3, tried)
}

func sleepTwice(ctx context.Context) (int, error) {
	for range 2 {
		if err := repaint.Sleep(ctx, time.Second); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

func TestReplayOfWhatDoesntFit(t *testing.T) {
	ctx := t.Context()
	_, err := repainttest.Replay(ctx, "no schedule", withdrawals(2))
	require.ErrorContains(t, err, `"no schedule" isn't a schedule`)
	found, err := repainttest.Replay(ctx, "9*2 1", withdrawals(2))
	require.ErrorContains(t, err, "doesn't fit the program")
	require.NotNil(t, found)
	_, err = repainttest.Replay(ctx, "1", withdrawals(2), loop.Seed(1))
	require.ErrorContains(t, err, "leave the option out")
	_, _, err = repainttest.Search(ctx, 1, 1, withdrawals(2), loop.Seed(1))
	require.ErrorContains(t, err, "leave the option out")
}

func TestOptionsThatMakeNoSenseAreSaid(t *testing.T) {
	for want, o := range map[string]repainttest.Option{
		`the option Faults has "nonsense", which is not a kind of fault: want one of ["before"`: repainttest.Faults(repainttest.Slow, "nonsense"),
		"the option FaultLimit allows -1 faults in a schedule":                                  repainttest.FaultLimit(-1),
		"the option Fresh has no function to call":                                              repainttest.Fresh(nil),
		"the option Reduced has no schema":                                                      repainttest.Reduced(nil),
	} {
		_, _, err := repainttest.Search(t.Context(), 1, 1, withdrawals(2), o)
		require.ErrorContains(t, err, want)
	}
	out, passed := child(t, "wrong option", t.TempDir())
	require.False(t, passed)
	require.Contains(t, out, `the option Faults has "nonsense"`)
	require.NotContains(t, out, "seed=", "nothing ran")
	out, passed = child(t, "no isolation", t.TempDir())
	require.False(t, passed)
	require.Contains(t, out, "Isolations can't run 0 schedules: want at least 1")
}

func init() {
	children["no isolation"] = func(t *testing.T) {
		repainttest.Isolations(t, 0, func(*testing.T, context.Context, sql.IsolationLevel, *repainttest.Outcome) {})
	}
	children["wrong option"] = func(t *testing.T) {
		repainttest.Explore(t, 1, func(*testing.T, context.Context) {}, repainttest.Faults("nonsense"))
	}
}
