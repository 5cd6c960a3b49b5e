package coop_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/coop"
)

func TestReadersShareAndWritersDoNot(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var m coop.RWMutex
		require.NoError(t, m.RLock(ctx))
		require.NoError(t, m.RLock(ctx))
		require.True(t, m.TryRLock())
		require.False(t, m.TryLock())
		m.RUnlock()
		m.RUnlock()
		require.False(t, m.TryLock())
		m.RUnlock()
		require.True(t, m.TryLock())
		require.False(t, m.TryLock())
		require.False(t, m.TryRLock())
		m.Unlock()
		require.NoError(t, m.Lock(ctx))
		require.ErrorIs(t, m.RLock(canceled(ctx)), errBoom)
		m.Unlock()
	})
}

func TestReadersQueueAfterAWriterAndAreLetInTogether(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		m := coop.NewRWMutex()
		require.NoError(t, m.RLock(ctx))
		var jobs []*job
		add := func(lock func(context.Context) error) {
			jobs = append(jobs, begin(ctx, lock))
			until(t, ctx, func() bool { return m.Waiting() == len(jobs) })
		}
		add(m.Lock)
		add(m.RLock)
		add(m.RLock)
		add(m.Lock)
		add(m.RLock)
		require.False(t, m.TryRLock())

		m.RUnlock()
		require.NoError(t, jobs[0].end(ctx))
		require.Equal(t, 4, m.Waiting())
		m.Unlock()
		require.NoError(t, jobs[1].end(ctx))
		require.NoError(t, jobs[2].end(ctx))
		require.Equal(t, 2, m.Waiting())
		m.RUnlock()
		require.Equal(t, 2, m.Waiting())
		m.RUnlock()
		require.NoError(t, jobs[3].end(ctx))
		m.Unlock()
		require.NoError(t, jobs[4].end(ctx))
		m.RUnlock()
		require.True(t, m.TryLock())
	})
}

func TestCancelOfAWaitingWriterLetsReadersIn(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		m := coop.NewRWMutex()
		require.NoError(t, m.RLock(ctx))
		writer := begin(ctx, m.Lock)
		until(t, ctx, func() bool { return m.Waiting() == 1 })
		reader := begin(ctx, m.RLock)
		until(t, ctx, func() bool { return m.Waiting() == 2 })
		writer.cancel(errBoom)
		require.ErrorIs(t, writer.end(ctx), errBoom)
		require.NoError(t, reader.end(ctx))
		m.RUnlock()
		m.RUnlock()
		require.True(t, m.TryLock())
	})
}

func TestUnlockOfWhatIsNotLockedThatWayPanics(t *testing.T) {
	var m coop.RWMutex
	require.Contains(t, recovered(m.Unlock), "isn't locked for writing")
	require.Contains(t, recovered(m.RUnlock), "isn't locked for reading")
	require.True(t, m.TryRLock())
	require.Contains(t, recovered(m.Unlock), "isn't locked for writing")
	m.RUnlock()
	require.True(t, m.TryLock())
	require.Contains(t, recovered(m.RUnlock), "isn't locked for reading")
	m.Unlock()
}
