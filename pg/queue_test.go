package pg

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// WaitTime counts each statement that has waited, and not only those that measure round trips.
func TestWaitTimeCountsAllThatWaited(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1&pipeline_depth=1")
		require.NoError(t, db.Ping(ctx))
		unlock := lock(t, ctx, target)
		first := c.start(ctx, waits(db))
		until(t, ctx, "the lane is busy", func() bool { return db.written() == 1 })
		before := db.Stats()
		const others, least = 3, 10 * time.Millisecond
		var left []func() error
		for range others {
			left = append(left, c.start(ctx, func(ctx context.Context) error { return db.Ping(ctx) }))
		}
		until(t, ctx, "the queue", func() bool { return db.Stats().Queued == others })
		queued := time.Now()
		until(t, ctx, "a wait that can be told from none", func() bool { return time.Since(queued) >= least })
		unlock()
		for _, wait := range append(left, first) {
			require.NoError(t, wait())
		}
		after := db.Stats()
		require.EqualValues(t, others, after.Waits-before.Waits)
		require.GreaterOrEqual(t, after.WaitTime-before.WaitTime, others*least)
	})
}

// A loop that has slept in the read of a lane, and is now awake and busy, doesn't hold up a
// goroutine whose statement waits for that lane.
func TestABusyLoopDoesNotHoldUpWhatIsQueued(t *testing.T) {
	db, target := open(t, "&pool_lanes=1&pipeline_depth=1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, db.Ping(ctx))
	unlock := lock(t, ctx, target)
	require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, waits(db)(ctx) })
		answered := make(chan error, 1)
		go func(l *loop.Loop) {
			// The loop sleeps in the read by now, or will before it makes the call.
			until(t, context.Background(), "the lane is busy", func() bool { return db.written() == 1 })
			go func() { answered <- db.Ping(ctx) }()
			until(t, context.Background(), "the queue", func() bool { return db.Stats().Queued == 1 })
			busy := make(chan struct{})
			l.Post(func() {}) // the loop wakes, and keeps the role while it is awake
			l.Post(func() {
				close(busy)
				select {
				case err := <-answered:
					answered <- err
				case <-ctx.Done():
					answered <- ctx.Err()
				}
			})
			<-busy
			unlock()
		}(repaint.CurrentLoop())
		_, err := repaint.Await(ctx, task)
		require.NoError(t, err)
		require.NoError(t, <-answered)
		return nil
	}))
}
