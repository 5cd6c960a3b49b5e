package pg

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The model of a connection: the network takes a round trip, and the server executes one statement
// after the other, for a time each.
func TestPaceCarriesWhatTheNetworkHolds(t *testing.T) {
	for _, test := range []struct {
		roundTrip, each time.Duration
		least, most     int
	}{
		{50 * time.Microsecond, 15 * time.Microsecond, firstDepth, firstDepth},     // the server is the bottleneck
		{time.Millisecond, 15 * time.Microsecond, 60, 220},                         // 67 are on their way
		{20 * time.Millisecond, 10 * time.Microsecond, 450, maxDepth},              // no more than the limit
		{100 * time.Microsecond, 2 * time.Millisecond, firstDepth, firstDepth + 2}, // slow statements
	} {
		t.Run(fmt.Sprint(test.roundTrip, test.each), func(t *testing.T) {
			var p pace
			p.init(0, &trip{inFlight: func() int { return p.depth }})
			for range 2000 {
				for _, ahead := range []int{0, p.depth / 2, p.depth - 1} {
					took := test.roundTrip + time.Duration(ahead+1)*test.each
					if whole := time.Duration(p.depth) * test.each; took < whole && ahead > 0 {
						took = whole // the server is behind
					}
					s := new(segment)
					p.probe, p.ahead, p.before = s, ahead, p.trip.answers
					now := nanotime()
					s.since = now - int64(took)
					p.answered(s, now)
				}
			}
			require.GreaterOrEqual(t, p.depth, test.least)
			require.LessOrEqual(t, p.depth, test.most)
		})
	}
	// Where some are slow, there is nothing to spare.
	var slow trip
	slow.took(int64(time.Millisecond), 0)
	require.Equal(t, firstDepth+18, slow.depth(9, 0))
	slow.inFlight = func() int { return 100 }
	slow.held(int64(24*time.Millisecond), 1, 1000)
	require.Equal(t, firstDepth+18, slow.depth(9, 1), "not slow enough")
	slow.held(int64(50*time.Millisecond), 1, 150)
	require.Equal(t, firstDepth+18, slow.depth(9, 1), "all stood still")
	slow.held(int64(50*time.Millisecond), 2, 1000)
	require.Equal(t, 9, slow.depth(9, 3))
	require.Equal(t, leastDepth, slow.depth(0, 3))
	require.Equal(t, firstDepth+18, slow.depth(9, 2+slowFor), "it's forgotten")

	// Where slow ones are rare, few wait for them all the same.
	rare := trip{first: 32, inFlight: func() int { return 10 }, shortest: int64(time.Millisecond)}
	for i, want := range []int{10_000, 20_000, 30_000, 40_000} {
		rare.answers = want
		rare.held(int64(50*time.Millisecond), int64(i+1), 1000)
		require.Equal(t, 25, rare.depth(0, int64(i+2)))
	}
	for range 20 {
		rare.answers += 1000
		rare.held(int64(50*time.Millisecond), 5, 1000)
	}
	require.Equal(t, leastDepth, rare.depth(0, 6))

	var p pace
	p.init(5, &trip{inFlight: func() int { return p.depth }})
	s := new(segment)
	p.sending(s, 4, nanotime())
	p.answered(s, nanotime())
	require.Equal(t, 5, p.depth, "a fixed depth stays")
}

// Lanes beyond the first few are closed when they have been idle for long. The others stay.
func TestSpareLanesAreClosed(t *testing.T) {
	saved := spareIdle
	spareIdle = 50 * time.Millisecond
	defer func() { spareIdle = saved }()
	few := max(fewLanes, runtime.GOMAXPROCS(0))
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, fmt.Sprint("&pipeline_depth=1&pool_lanes=", few+3))
		unlock := lock(t, ctx, target)
		var waitAll []func() error
		for range few + 3 {
			waitAll = append(waitAll, c.start(ctx, waits(db)))
		}
		until(t, ctx, "all lanes", func() bool { return db.written() == few+3 })
		unlock()
		for _, wait := range waitAll {
			require.NoError(t, wait())
		}
		until(t, ctx, "the spare ones to go", func() bool { return db.Stats().Lanes == few })
		require.NoError(t, db.Ping(ctx))
		require.Zero(t, db.Stats().Lost)
	})
}
