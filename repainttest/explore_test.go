package repainttest_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/repainttest"
)

// transfers is a program with a fault: between reading and writing the balance it waits.
func transfers(ctx context.Context) (balance int, order string) {
	balance = 100
	g := repaint.NewGroup(ctx)
	for _, name := range []string{"a", "b", "c", "d"} {
		g.Go(func(ctx context.Context) error {
			if err := repaint.Sleep(ctx, 0); err != nil {
				return err
			}
			order += name
			read := balance
			if name == "c" {
				if err := repaint.Sleep(ctx, 0); err != nil {
					return err
				}
			}
			balance = read + 1
			return repaint.Sleep(ctx, time.Hour)
		})
	}
	if err := g.Wait(); err != nil {
		panic(err)
	}
	return balance, order
}

func TestExploreFindsWhatHappensOnlyInSomeOrders(t *testing.T) {
	if os.Getenv("EXPLORE_THE_FAULT") != "" {
		repainttest.Explore(t, 1000, func(t *testing.T, ctx context.Context) {
			balance, order := transfers(ctx)
			require.Equal(t, 104, balance, "order %s", order)
		})
		return
	}
	if testing.Short() {
		t.Skip("needs subprocesses")
	}
	run := func(env ...string) (string, error) {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(append(os.Environ(), "EXPLORE_THE_FAULT=1"), env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run()
	require.Error(t, err)
	hint := regexp.MustCompile(`(REPAINT_SEED=\d+) go test -run '\^` + t.Name() + `\$'`).FindStringSubmatch(out)
	require.NotNil(t, hint, out)
	order := regexp.MustCompile(`order [abcd]{4}`).FindString(out)
	require.NotEmpty(t, order)
	for range 3 {
		again, err := run(hint[1])
		require.Error(t, err)
		require.Contains(t, again, order)
		require.Len(t, regexp.MustCompile(`--- FAIL: [^ ]*/seed=`).FindAllString(again, -1), 1)
	}
	out, err = run("REPAINT_SEED=x")
	require.Error(t, err)
	require.Contains(t, out, `REPAINT_SEED is "x", which isn't a seed`)
}

func TestExploreRunsManyOrdersOnAVirtualClock(t *testing.T) {
	if os.Getenv(repainttest.SeedVariable) != "" {
		t.Skip("only one schedule is asked for")
	}
	orders := map[string]bool{}
	begun := time.Now()
	repainttest.Explore(t, 200, func(t *testing.T, ctx context.Context) {
		_, order := transfers(ctx)
		orders[order] = true
	})
	require.Greater(t, len(orders), 12, "of 24")
	require.Less(t, time.Since(begun), time.Hour)
}

func TestScheduleDoesNotRunIfItsResetFails(t *testing.T) {
	out, passed := child(t, "broken reset", t.TempDir())
	require.False(t, passed)
	require.Contains(t, out, "the function of Fresh failed, so the schedule didn't run: the disk is full")
	require.NotContains(t, out, "it ran")
}

func TestExplorationOfNoSchedulesIsRefused(t *testing.T) {
	out, passed := child(t, "no schedules", t.TempDir())
	require.False(t, passed)
	require.Contains(t, out, "Explore can't run 0 schedules: want at least 1")
}
