package db_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/repainttest"
)

// replays returns how often each seed runs. make replays runs each a hundred times.
func replays(t *testing.T) int {
	t.Helper()
	text := os.Getenv("REPAINT_REPLAYS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// keepBusy keeps the machine busy with other work until the test ends.
func keepBusy(t *testing.T) {
	t.Helper()
	done := make(chan struct{})
	for range runtime.NumCPU() {
		go func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
					if n%1000 == 0 {
						runtime.Gosched()
					}
				}
			}
		}()
	}
	t.Cleanup(func() { close(done) })
}

// A seed gives the same statements in the same order with the same results: on each database, on
// one processor and on two, while the machine is busy.
func TestReplaysOfASeedAreIdentical(t *testing.T) {
	for name, url := range explorable {
		t.Run(name, func(t *testing.T) {
			e := openAccounts(t, url(t))
			for _, procs := range []int{1, 2} {
				t.Run(fmt.Sprint(procs), func(t *testing.T) {
					defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
					keepBusy(t)
					for seed := range uint64(2) { // one is uniform, one PCT
						t.Setenv(repainttest.SeedVariable, fmt.Sprint(seed<<12|15))
						first := transcript(t, e)
						for n := range replays(t) - 1 {
							require.Equal(t, first, transcript(t, e), "replay %d of seed %d", n+2, seed)
						}
					}
				})
			}
		})
	}
}

// transcript runs one schedule of five tasks. It returns what each task sees, and when.
func transcript(t *testing.T, e *db.Engine) string {
	t.Helper()
	var seen strings.Builder
	repainttest.Explore(t, 1, func(t *testing.T, ctx context.Context) {
		see := func(task int, what string, got any, err error) {
			fmt.Fprintf(&seen, "%d %s: %v %v\n", task, what, got, err)
		}
		var all []func(ctx context.Context) error
		for i := range 5 {
			name := []string{"ada", "bob", "cyd"}[i%3]
			all = append(all, func(ctx context.Context) error {
				if i == 4 { // this task may overtake the others
					result, err := e.Exec(ctx, "update account set balance = balance - 1 where name = 'bob'")
					see(i, "update", result.RowsAffected(), err)
					return nil
				}
				err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
					n, err := db.Scalar[int](ctx, tx, "select balance from account where name = :name", db.Named("name", name))
					see(i, "select", n, err)
					if err != nil {
						return err
					}
					result, err := tx.Exec(ctx, "update account set balance = :n where name = :name", db.Named("n", n+10), db.Named("name", name))
					if err == nil {
						see(i, "update", result.RowsAffected(), err)
					}
					return err
				})
				see(i, "transaction", "", err)
				return nil
			})
		}
		require.NoError(t, together(ctx, all...))
		for _, name := range []string{"ada", "bob", "cyd"} {
			see(9, name, balanceOf(t, ctx, e, name), nil)
		}
	}, repainttest.Fresh(func(ctx context.Context) error {
		refill(t, ctx, e)
		return nil
	}))
	require.NotEmpty(t, seen.String())
	return seen.String()
}
