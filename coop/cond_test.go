package coop_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/loop"
)

// waitOn waits for the condition once, and notes the name when it has the mutex again.
func waitOn(m *coop.Mutex, c *coop.Cond, name int, order *journal[int]) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if err := m.Lock(ctx); err != nil {
			return err
		}
		defer m.Unlock()
		if err := c.Wait(ctx); err != nil {
			return err
		}
		order.note(name)
		return nil
	}
}

func TestSignalWakesOneAndBroadcastAllInOrder(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		m := coop.NewMutex()
		c := coop.NewCond(m)
		var order journal[int]
		jobs := make([]*job, 5)
		for i := range jobs {
			jobs[i] = begin(ctx, waitOn(m, c, i, &order))
			until(t, ctx, func() bool { return c.Waiting() == i+1 })
		}
		c.Signal()
		require.NoError(t, jobs[0].end(ctx))
		require.NoError(t, m.Lock(ctx))
		c.Signal()
		c.Signal()
		require.Len(t, order.read(), 1, "they need the mutex")
		m.Unlock()
		require.NoError(t, jobs[1].end(ctx))
		require.NoError(t, jobs[2].end(ctx))
		require.False(t, jobs[3].done())
		c.Broadcast()
		c.Broadcast()
		c.Signal()
		require.NoError(t, jobs[3].end(ctx))
		require.NoError(t, jobs[4].end(ctx))
		require.ElementsMatch(t, []int{0, 1, 2, 3, 4}, order.read())
		if repaint.InGreenlet() {
			require.Equal(t, []int{0, 1, 2, 3, 4}, order.read())
		}
		require.False(t, m.Locked())
	})
}

func TestCancelledWaitHasTheMutexAgain(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		m := coop.NewMutex()
		c := coop.NewCond(m)
		had := false
		j := begin(ctx, func(ctx context.Context) error {
			if err := m.Lock(ctx); err != nil {
				return err
			}
			defer m.Unlock()
			err := c.Wait(ctx)
			had = m.Locked()
			return err
		})
		until(t, ctx, func() bool { return c.Waiting() == 1 })
		require.NoError(t, m.Lock(ctx))
		j.cancel(errBoom)
		until(t, ctx, func() bool { return m.Waiting() == 1 })
		require.False(t, j.done(), "it waits for the mutex though it's cancelled")
		require.Zero(t, c.Waiting())
		m.Unlock()
		require.ErrorIs(t, j.end(ctx), errBoom)
		require.True(t, had)
		require.False(t, m.Locked())
	})
}

func TestSignalIsNotLostInACancelThatComesBeforeTheMutex(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		m := coop.NewMutex()
		c := coop.NewCond(m)
		var order journal[int]
		j := begin(ctx, waitOn(m, c, 1, &order))
		until(t, ctx, func() bool { return c.Waiting() == 1 })
		require.NoError(t, m.Lock(ctx))
		c.Signal()
		until(t, ctx, func() bool { return m.Waiting() == 1 })
		j.cancel(errBoom)
		m.Unlock()
		require.NoError(t, j.end(ctx))
		require.Equal(t, []int{1}, order.read())
	})
}

func TestWaitFor(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		m := coop.NewMutex()
		c := coop.NewCond(m)
		n, calls := 0, 0
		j := begin(ctx, func(ctx context.Context) error {
			if err := m.Lock(ctx); err != nil {
				return err
			}
			defer m.Unlock()
			return c.WaitFor(ctx, func() bool { calls++; return n == 3 })
		})
		for range 3 {
			until(t, ctx, func() bool { return c.Waiting() == 1 })
			require.NoError(t, m.Lock(ctx))
			n++
			c.Broadcast()
			m.Unlock()
		}
		require.NoError(t, j.end(ctx))
		require.Equal(t, 4, calls)

		require.NoError(t, m.Lock(ctx))
		require.NoError(t, c.WaitFor(canceled(ctx), func() bool { return true }))
		require.ErrorIs(t, c.WaitFor(canceled(ctx), func() bool { return false }), errBoom)
		require.True(t, m.Locked())
		m.Unlock()
	})
}

func TestWaitWithoutTheMutexPanics(t *testing.T) {
	var m coop.Mutex
	c := coop.NewCond(&m)
	require.Contains(t, recovered(func() { _ = c.Wait(t.Context()) }), "whose Mutex isn't locked")
	require.Zero(t, c.Waiting())
	c.Signal()
	c.Broadcast()
}

func TestSignalGoesOnIfItsWaiterIsKilled(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		m := coop.NewMutex()
		c := coop.NewCond(m)
		var order journal[int]
		var own *greenlet.Greenlet
		killed := begin(ctx, func(ctx context.Context) error {
			own = greenlet.Current()
			return waitOn(m, c, 0, &order)(ctx)
		})
		other := begin(ctx, waitOn(m, c, 1, &order))
		require.Equal(t, 2, c.Waiting())
		c.Signal()
		require.NoError(t, own.Kill())
		require.ErrorIs(t, killed.end(ctx), greenlet.ErrExit)
		require.NoError(t, other.end(ctx))
		require.Equal(t, []int{1}, order.read())
		require.False(t, m.Locked())
	})
}

func TestKilledWaitMayUnlockTheMutexOfAnother(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		m := coop.NewMutex()
		c := coop.NewCond(m)
		var own *greenlet.Greenlet
		killed := begin(ctx, func(ctx context.Context) error {
			own = greenlet.Current()
			return waitOn(m, c, 0, new(journal[int]))(ctx)
		})
		require.NoError(t, m.Lock(ctx))
		require.NoError(t, own.Kill()) // its deferred Unlock doesn't take the lock from us
		require.ErrorIs(t, killed.end(ctx), greenlet.ErrExit)
		require.True(t, m.Locked())
		m.Unlock()
		require.False(t, m.Locked())
	})
}

func TestWaitInADeadlockLeavesAnUnlockToBeCalled(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		m := coop.NewMutex()
		c := coop.NewCond(m)
		require.NoError(t, m.Lock(ctx))
		holder := spawn(ctx, func(ctx context.Context) error {
			if err := m.Lock(ctx); err != nil {
				return err
			}
			defer m.Unlock()
			return coop.NewEvent().Wait(ctx)
		})
		err := c.Wait(ctx)
		var deadlock *repaint.DeadlockError
		require.True(t, errors.As(err, &deadlock))
		require.ErrorIs(t, err, loop.ErrDeadlock)
		m.Unlock() // what a deferred call would do
		require.True(t, m.Locked(), "it's still the other one's")
		require.False(t, m.TryLock())
		holder.Cancel(errBoom)
		_, err = repaint.Await(ctx, holder)
		require.ErrorIs(t, err, errBoom)
		require.False(t, m.Locked())
	})
}
