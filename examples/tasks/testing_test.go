package tasks_test

import (
	"context"
	"testing"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/repainttest"
)

func register(ctx context.Context, _ string) error { return repaint.Sleep(ctx, time.Microsecond) }

func TestInALoop(t *testing.T) {
	err := repaint.Run(t.Context(), func(ctx context.Context) error { return register(ctx, "Ada") })
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnHour(t *testing.T) {
	err := repaint.Run(t.Context(), func(ctx context.Context) error {
		start := repaint.CurrentLoop().Now()
		if err := repaint.Sleep(ctx, time.Hour); err != nil {
			return err
		}
		if passed := repaint.CurrentLoop().Now().Sub(start); passed != time.Hour {
			t.Error(passed)
		}
		return nil
	}, loop.VirtualClock(time.Unix(0, 0)))
	if err != nil {
		t.Fatal(err)
	}
}

func TestSchedules(t *testing.T) {
	withdraw := func(ctx context.Context) (int, error) { return 0, coop.NewMutex().Lock(ctx) }
	repainttest.Explore(t, 200, func(t *testing.T, ctx context.Context) {
		if _, err := repaint.Gather(ctx, withdraw, withdraw); err != nil {
			t.Error(err)
		}
	})
}
