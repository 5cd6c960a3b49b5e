package coop_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func TestMutexExcludes(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var m coop.Mutex
		inside, n := 0, 0
		g := repaint.NewGroup(ctx)
		for range 20 {
			g.Go(func(ctx context.Context) error {
				for range 20 {
					if err := m.Lock(ctx); err != nil {
						return err
					}
					inside++
					if inside != 1 {
						t.Error("two at a time")
					}
					n++
					err := repaint.Sleep(ctx, 0)
					inside--
					m.Unlock()
					if err != nil {
						return err
					}
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
		require.Equal(t, 400, n)
		require.False(t, m.Locked())
	})
}

func TestMutexIsHandedOverInOrder(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		m := coop.NewMutex()
		require.NoError(t, m.Lock(ctx))
		var order journal[int]
		jobs := make([]*job, 10)
		for i := range jobs {
			jobs[i] = begin(ctx, func(ctx context.Context) error {
				if err := m.Lock(ctx); err != nil {
					return err
				}
				order.note(i)
				m.Unlock()
				return nil
			})
			until(t, ctx, func() bool { return m.Waiting() == i+1 })
		}
		m.Unlock()
		for _, j := range jobs {
			require.NoError(t, j.end(ctx))
		}
		require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, order.read())
	})
}

func TestNewcomersDoNotOvertakeTheNextInLine(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var m coop.Mutex
		require.NoError(t, m.Lock(ctx))
		first := begin(ctx, func(ctx context.Context) error { return m.Lock(ctx) })
		m.Unlock()
		require.False(t, first.done(), "it hasn't run yet")
		require.False(t, m.TryLock(), "but has the mutex")
		second := begin(ctx, func(ctx context.Context) error { return m.Lock(ctx) })
		require.NoError(t, first.end(ctx))
		require.False(t, second.done())
		m.Unlock()
		require.NoError(t, second.end(ctx))
		m.Unlock()
		require.True(t, m.TryLock())
	})
}

func TestCancelledWaiterLeavesTheMutexToTheOthers(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		m := coop.NewMutex()
		require.NoError(t, m.Lock(ctx))
		jobs := make([]*job, 3)
		for i := range jobs {
			jobs[i] = begin(ctx, func(ctx context.Context) error { return m.Lock(ctx) })
			until(t, ctx, func() bool { return m.Waiting() == i+1 })
		}
		jobs[0].cancel(errBoom)
		jobs[1].cancel(errBoom)
		require.ErrorIs(t, jobs[0].end(ctx), errBoom)
		require.ErrorIs(t, jobs[1].end(ctx), context.Canceled)
		require.Equal(t, 1, m.Waiting())
		m.Unlock()
		require.NoError(t, jobs[2].end(ctx))
		require.True(t, m.Locked())
		m.Unlock()
		require.False(t, m.Locked())

		// When its last waiter leaves, it is an ordinary locked mutex again.
		require.NoError(t, m.Lock(ctx))
		j := begin(ctx, func(ctx context.Context) error { return m.Lock(ctx) })
		until(t, ctx, func() bool { return m.Waiting() == 1 })
		j.cancel(errBoom)
		require.ErrorIs(t, j.end(ctx), errBoom)
		m.Unlock()
		require.False(t, m.Locked())
	})
}

// In one tick a waiter is served and its context ends, in both orders.
func TestServingWinsOverACancelThatComesAtTheSameMoment(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		m := coop.NewMutex()
		for _, cancelFirst := range []bool{false, true} {
			require.NoError(t, m.Lock(ctx))
			j := begin(ctx, func(ctx context.Context) error { return m.Lock(ctx) })
			next := begin(ctx, func(ctx context.Context) error { return m.Lock(ctx) })
			if cancelFirst {
				j.cancel(errBoom)
				m.Unlock()
			} else {
				m.Unlock()
				j.cancel(errBoom)
			}
			require.NoError(t, j.end(ctx), "it was in line when its turn came")
			require.False(t, next.done())
			m.Unlock()
			require.NoError(t, next.end(ctx))
			m.Unlock()
			require.False(t, m.Locked())
		}
	})
}

func TestLockWithAnEndedContextFailsEvenIfItIsFree(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var m coop.Mutex
		require.ErrorIs(t, m.Lock(canceled(ctx)), errBoom)
		require.True(t, m.TryLock())
		require.ErrorIs(t, m.Lock(canceled(ctx)), errBoom)
		require.Zero(t, m.Waiting())
	})
}

func TestUnlockOfAFreeMutexPanics(t *testing.T) {
	var m coop.Mutex
	require.Contains(t, recovered(m.Unlock), "coop: Unlock of a Mutex")
	require.True(t, m.TryLock(), "and changes nothing")
	m.Unlock()
	require.Contains(t, recovered(m.Unlock), "coop: Unlock of a Mutex")
}

func TestMutexBetweenLoopsAndGoroutines(t *testing.T) {
	leakcheck.Test(t)
	var m coop.Mutex
	var inside atomic.Int32
	n := 0
	work := func(ctx context.Context) error {
		for range 50 {
			if err := m.Lock(ctx); err != nil {
				return err
			}
			if inside.Add(1) != 1 {
				t.Error("two at a time")
			}
			n++
			inside.Add(-1)
			m.Unlock()
		}
		return nil
	}
	g := repaint.NewGroup(t.Context())
	for range 3 {
		g.Go(work)
		g.Go(func(ctx context.Context) error {
			return repaint.Run(ctx, func(ctx context.Context) error {
				tasks := repaint.NewGroup(ctx)
				for range 5 {
					tasks.Go(work)
				}
				return tasks.Wait()
			})
		})
	}
	require.NoError(t, g.Wait())
	require.Equal(t, 3*50+3*5*50, n)
}

func TestKilledWaiterPassesOnWhatItWasHanded(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var m coop.Mutex
		require.NoError(t, m.Lock(ctx))
		var own *greenlet.Greenlet
		killed := begin(ctx, func(ctx context.Context) error {
			own = greenlet.Current()
			return m.Lock(ctx)
		})
		next := begin(ctx, func(ctx context.Context) error { return m.Lock(ctx) })
		require.Equal(t, 2, m.Waiting())
		m.Unlock()
		require.NoError(t, own.Kill())
		require.ErrorIs(t, killed.end(ctx), greenlet.ErrExit)
		require.NoError(t, next.end(ctx))
		require.True(t, m.Locked())
	})
}

func TestErrorThrownIntoAWaiterIsReturnedAndTheMutexPassedOn(t *testing.T) {
	for _, served := range []bool{false, true} {
		virtually(t, func(ctx context.Context) {
			var m coop.Mutex
			require.NoError(t, m.Lock(ctx))
			var own *greenlet.Greenlet
			j := begin(ctx, func(ctx context.Context) error {
				own = greenlet.Current()
				return m.Lock(ctx)
			})
			if served {
				m.Unlock()
			}
			_, _ = own.Throw(errBoom)
			require.ErrorIs(t, j.end(ctx), errBoom)
			require.Zero(t, m.Waiting())
			require.Equal(t, !served, m.Locked())
		})
	}
}

func TestMutexOfALoopThatHasEndedFailsWaitersElsewhere(t *testing.T) {
	leakcheck.Test(t)
	var j *job
	require.NoError(t, run(t.Context(), func(ctx context.Context) {
		m := coop.NewMutex()
		require.NoError(t, m.Lock(ctx))
		elsewhere := make(chan struct{})
		go func() {
			defer close(elsewhere)
			j = begin(context.Background(), func(ctx context.Context) error { return m.Lock(ctx) })
		}()
		<-elsewhere
		until(t, ctx, func() bool { return m.Waiting() == 1 })
	}))
	// The caller may only have been about to wait when the loop ended, and gets the error all the same.
	require.ErrorIs(t, j.end(t.Context()), loop.ErrClosed)
}

func TestLockInACallbackIsRefused(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		m := coop.NewMutex()
		var free, taken error
		repaint.CurrentLoop().CallSoon(func() {
			free = m.Lock(ctx)
			taken = m.Lock(ctx)
		})
		require.NoError(t, repaint.Sleep(ctx, time.Second))
		require.NoError(t, free)
		require.ErrorIs(t, taken, repaint.ErrInCallback)
		require.Zero(t, m.Waiting())
	})
}

func TestFastPathsAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		m, s, rw := coop.NewMutex(), coop.NewSemaphore(3), coop.NewRWMutex()
		e, q := coop.NewEvent(), coop.NewQueue[int](4)
		once := coop.NewOnce()
		require.NoError(t, once.Do(ctx, func(context.Context) error { return nil }))
		e.Set()
		nothing := func(context.Context) error { return nil }
		allocs := testing.AllocsPerRun(100, func() {
			_ = m.Lock(ctx)
			m.Unlock()
			_ = s.Acquire(ctx, 2)
			s.Release(2)
			_ = rw.Lock(ctx)
			rw.Unlock()
			_ = rw.RLock(ctx)
			rw.RUnlock()
			_ = e.Wait(ctx)
			_ = q.Put(ctx, 1)
			_, _ = q.Get(ctx)
			q.TaskDone()
			_ = q.Join(ctx)
			_ = once.Do(ctx, nothing)
		})
		require.Zero(t, allocs)
	})
}
