// Package repainttest is for tests of code that uses repaint.
//
// [Explore] runs a concurrent test under many schedules, each of which can be repeated.
package repainttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// SeedVariable is the environment variable by which one schedule is repeated.
const SeedVariable = "REPAINT_SEED"

// Epoch is when the virtual clock of [Explore] begins.
var Epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// Explore runs a test n times as the main function of a [repaint.Run], each time with another seed, so that
// tasks overtake each other in other ways ([loop.WithSeed]), and with a virtual clock ([loop.WithVirtualClock]).
// Each run is a subtest named after its seed. The seeds are drawn by chance, so that each call explores something new.
// If a run fails, the test says how to repeat it:
//
//	REPAINT_SEED=8311 go test -run '^TestTransfers$'
//
// With that variable only that schedule is run. A run repeats exactly as long as nothing in it depends on other goroutines,
// on real time or on chance.
//
// main may use t as usual. An error or a panic of Run is a failure, too.
func Explore(t *testing.T, n int, main func(t *testing.T, ctx context.Context), opts ...loop.Option) {
	t.Helper()
	if s := os.Getenv(SeedVariable); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("%s is %q, which is no seed: it takes a number from 0 on: %v", SeedVariable, s, err)
		}
		explore(t, seed, main, opts)
		return
	}
	for range n {
		if !explore(t, rand.Uint64N(1<<32), main, opts) {
			return // one that can be repeated is what is needed
		}
	}
}

func explore(t *testing.T, seed uint64, main func(t *testing.T, ctx context.Context), opts []loop.Option) bool {
	t.Helper()
	name := t.Name()
	return t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
		defer func() {
			if t.Failed() {
				t.Logf("to repeat this schedule: %s=%d go test -run '^%s$'", SeedVariable, seed, name)
			}
		}()
		all := append([]loop.Option{loop.WithVirtualClock(Epoch), loop.WithSeed(seed)}, opts...)
		err := repaint.Run(context.Background(), func(ctx context.Context) error {
			main(t, ctx)
			return nil
		}, all...)
		if err != nil {
			t.Errorf("Run returned an error: %v", err)
		}
	})
}
