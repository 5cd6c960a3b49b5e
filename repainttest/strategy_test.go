package repainttest_test

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/repainttest"
)

var seeded = loop.Seed(1)

func TestPCTFindsWhereATaskStandsStillAndUniformDoesNot(t *testing.T) {
	// By chance alone each schedule fails with a probability of 2^-20, so 500 do with 0.0005.
	out, passed := child(t, "uniform figure5", t.TempDir())
	require.True(t, passed, out)
	require.Contains(t, out, "explored 500 schedules (uniform 500), 500 of them distinct")
	// With priorities each fails with ½, so 60 pass with 2^-60.
	out, passed = child(t, "pct figure5", t.TempDir())
	require.False(t, passed)
	require.Contains(t, out, "overtaken by 20 steps")
	out, passed = child(t, "portfolio figure5", t.TempDir())
	require.False(t, passed, "half of the portfolio is PCT")
	require.Contains(t, out, "overtaken by 20 steps")
}

func TestEachStrategyComesToAllSchedulesAndNeverTwiceToOne(t *testing.T) {
	for name, opts := range map[string][]repainttest.Option{
		"exhaustive":  {repainttest.Exhaustive()},
		"uniform":     {repainttest.Uniform()},
		"PCT":         {repainttest.PCT(3)},
		"round robin": {repainttest.RoundRobin()},
		"portfolio":   nil,
	} {
		t.Run(name, func(t *testing.T) {
			orders := map[string]int{}
			repainttest.Explore(t, 1000, func(t *testing.T, ctx context.Context) {
				order := ""
				four := func(name string) func(ctx context.Context) error {
					return func(ctx context.Context) error {
						for range 4 {
							if err := yields(ctx, 1); err != nil {
								return err
							}
							order += name
						}
						return nil
					}
				}
				require.NoError(t, tasks(ctx, four("a"), four("b")))
				orders[order]++
			}, opts...)
			require.Len(t, orders, 70)
			for order, n := range orders {
				require.Equal(t, 1, n, order)
			}
		})
	}
}

func TestRoundRobinBeginsWithTurns(t *testing.T) {
	first := ""
	repainttest.Explore(t, 1, func(t *testing.T, ctx context.Context) {
		three := func(name string) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				for range 3 {
					if err := yields(ctx, 1); err != nil {
						return err
					}
					first += name
				}
				return nil
			}
		}
		require.NoError(t, tasks(ctx, three("a"), three("b"), three("c")))
	}, repainttest.RoundRobin())
	require.Equal(t, "abcabcabc", first)
}

func TestTaskThatYieldsForEverDoesNotKeepTheScheduleForItself(t *testing.T) {
	for _, o := range []repainttest.Option{repainttest.Exhaustive(), repainttest.PCT(1)} {
		repainttest.Explore(t, 4, func(t *testing.T, ctx context.Context) {
			done := false
			require.NoError(t, tasks(ctx,
				func(ctx context.Context) error {
					for !done {
						if err := yields(ctx, 1); err != nil {
							return err
						}
					}
					return nil
				},
				func(ctx context.Context) error {
					err := yields(ctx, 1)
					done = true
					return err
				}))
		}, o)
	}
}

func TestExhaustiveExplorationIsSaidToBeOne(t *testing.T) {
	out, passed := child(t, "seventy", t.TempDir())
	require.True(t, passed, out)
	require.Contains(t, out, "all 70 interleavings explored")
	out, passed = child(t, "no choice", t.TempDir())
	require.True(t, passed, out)
	require.Contains(t, out, "there was no choice")
	require.Contains(t, out, "No statement was seen.")
	require.Equal(t, 1, strings.Count(out, "--- PASS: TestChild/seed="))
}

func TestOrdersOfPairsAreCounted(t *testing.T) {
	out, passed := child(t, "pairs", t.TempDir())
	require.True(t, passed, out)
	require.Contains(t, out, "1 of 4 pairs of steps of different tasks came in both orders; in how many schedules, the rarest first:")
	require.Len(t, regexp.MustCompile(`child_test.go:\d+ before child_test.go:\d+ in (6, after it in 0|0, after it in 6)\n`).FindAllString(out, -1), 3)
	require.Regexp(t, `child_test.go:\d+ before child_test.go:\d+ in 3, after it in 3\n`, out)
}

func TestChoosersOfTheCallerAreRefused(t *testing.T) {
	out, passed := child(t, "own chooser", t.TempDir())
	require.False(t, passed)
	require.Contains(t, out, "an option of Explore chooses the order of callbacks")
}
