package coop_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// The promises inside the tools are an internal matter. If a caller gives one up, a loop in debug
// mode must not report that it has failed unobserved.
func TestCallersThatGiveUpLeaveNothingToReport(t *testing.T) {
	leakcheck.Test(t)
	var reports journal[error]
	err := repaint.Run(t.Context(), func(ctx context.Context) error {
		m, q := coop.NewMutex(), coop.NewQueue[int](0)
		c, b, o := coop.NewCond(m), coop.NewBarrier(2), coop.NewOnce()
		s := coop.NewShared[int, int]()
		l := coop.NewLoader(func(ctx context.Context, keys []int) (map[int]int, error) {
			_ = repaint.Sleep(ctx, time.Minute)
			return nil, errBoom
		})
		require.NoError(t, m.Lock(ctx))
		fails := func(ctx context.Context) error { _ = repaint.Sleep(ctx, time.Minute); return errBoom }
		for _, wait := range []func(ctx context.Context) error{
			m.Lock,
			coop.NewEvent().Wait,
			func(ctx context.Context) error { _, err := q.Get(ctx); return err },
			func(ctx context.Context) error { _, err := b.Wait(ctx); return err },
			func(ctx context.Context) error { return o.Do(ctx, fails) },
			func(ctx context.Context) error {
				_, err := s.Do(ctx, 1, func(ctx context.Context) (int, error) { return 0, fails(ctx) })
				return err
			},
			func(ctx context.Context) error { _, err := l.Load(ctx, 1); return err },
			func(ctx context.Context) error { _, err := l.LoadMany(ctx, []int{2, 3}); return err },
			func(ctx context.Context) error { _, err := coop.NewTicker(time.Hour).Wait(ctx); return err },
		} {
			j := begin(ctx, wait)
			require.NoError(t, repaint.Sleep(ctx, time.Second))
			j.cancel(errBoom)
			require.ErrorIs(t, j.end(ctx), errBoom)
		}
		// The wait is refused and cancelled at the same moment.
		j := begin(ctx, func(ctx context.Context) error { _, err := q.Get(ctx); return err })
		j.cancel(errBoom)
		q.Close()
		require.Error(t, j.end(ctx))
		j = begin(ctx, func(ctx context.Context) error { return m.Lock(ctx) })
		require.Zero(t, c.Waiting())
		m.Unlock()
		require.NoError(t, j.end(ctx))
		return repaint.Sleep(ctx, time.Hour)
	}, loop.VirtualClock(time.Unix(0, 0)), loop.Debug(time.Hour), loop.ReportTo(reports.note))
	require.NoError(t, err)
	require.Empty(t, reports.read())
}
