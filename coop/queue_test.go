package coop_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

func TestItemGoesToTheGetterThatHasWaitedLongest(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		q := coop.NewQueue[int](0)
		got := make([]int, 4)
		jobs := make([]*job, 4)
		for i := range jobs {
			jobs[i] = begin(ctx, func(ctx context.Context) (err error) { got[i], err = q.Get(ctx); return err })
			until(t, ctx, func() bool { return q.WaitingGetters() == i+1 })
		}
		jobs[1].cancel(errBoom)
		require.ErrorIs(t, jobs[1].end(ctx), errBoom)
		for i := range 3 {
			require.NoError(t, q.Put(ctx, 10+i))
			_, ok := q.TryGet()
			require.False(t, ok, "it's somebody's already")
		}
		for _, i := range []int{0, 2, 3} {
			require.NoError(t, jobs[i].end(ctx))
		}
		require.Equal(t, []int{10, 0, 11, 12}, got)
	})
}

func TestPuttersWaitForRoomInTheirOrder(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		q := coop.NewQueue[int](2)
		require.Equal(t, 2, q.Cap())
		require.True(t, q.TryPut(0))
		require.True(t, q.TryPut(1))
		require.False(t, q.TryPut(9))
		jobs := make([]*job, 4)
		for i := range jobs {
			jobs[i] = begin(ctx, func(ctx context.Context) error { return q.Put(ctx, 2+i) })
			until(t, ctx, func() bool { return q.WaitingPutters() == i+1 })
		}
		jobs[1].cancel(errBoom)
		require.ErrorIs(t, jobs[1].end(ctx), errBoom)
		for _, want := range []int{0, 1, 2, 4, 5} {
			v, err := q.Get(ctx)
			require.NoError(t, err)
			require.Equal(t, want, v)
			require.False(t, q.Len() < 2 && q.WaitingPutters() > 0)
		}
		for _, i := range []int{0, 2, 3} {
			require.NoError(t, jobs[i].end(ctx))
		}
		require.Zero(t, q.Len())
	})
}

func TestItemHandedToAGetterCancelledAtThatMomentIsGot(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		for _, cancelFirst := range []bool{false, true} {
			q := coop.NewQueue[int](0)
			var got int
			j := begin(ctx, func(ctx context.Context) (err error) { got, err = q.Get(ctx); return err })
			if cancelFirst {
				j.cancel(errBoom)
			}
			require.True(t, q.TryPut(7))
			j.cancel(errBoom)
			require.NoError(t, j.end(ctx))
			require.Equal(t, 7, got)
			require.Zero(t, q.Len())
		}
	})
}

func TestItemOfAPutterThatIsCancelledAtThatMomentIsPut(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		q := coop.NewQueue[int](1)
		require.True(t, q.TryPut(1))
		j := begin(ctx, func(ctx context.Context) error { return q.Put(ctx, 2) })
		_, _ = q.TryGet()
		j.cancel(errBoom)
		require.NoError(t, j.end(ctx))
		require.Equal(t, []int{2}, drain(q))
	})
}

func TestItemHandedToAKilledGetterIsTheNextOnes(t *testing.T) {
	less := func(a, b int) bool { return a < b }
	for name, make := range map[string]func() *coop.Queue[int]{
		"FIFO":     func() *coop.Queue[int] { return coop.NewQueue[int](0) },
		"LIFO":     func() *coop.Queue[int] { return coop.NewLIFO[int](0) },
		"priority": func() *coop.Queue[int] { return coop.NewPriority(0, less) },
	} {
		for _, another := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				virtually(t, func(ctx context.Context) {
					q := make()
					var own *greenlet.Greenlet
					killed := begin(ctx, func(ctx context.Context) error {
						own = greenlet.Current()
						_, err := q.Get(ctx)
						return err
					})
					var got int
					var next *job
					if another {
						next = begin(ctx, func(ctx context.Context) (err error) { got, err = q.Get(ctx); return err })
					}
					require.True(t, q.TryPut(1))
					require.NoError(t, own.Kill())
					require.ErrorIs(t, killed.end(ctx), greenlet.ErrExit)
					if another {
						require.NoError(t, next.end(ctx))
						require.Equal(t, 1, got)
						return
					}
					require.True(t, q.TryPut(2))
					require.ElementsMatch(t, []int{1, 2}, drain(q))
				})
			})
		}
	}
}

func TestClosedQueueGivesWhatIsLeft(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		q := coop.NewQueue[int](2)
		require.True(t, q.TryPut(1))
		require.True(t, q.TryPut(2))
		putter := begin(ctx, func(ctx context.Context) error { return q.Put(ctx, 3) })
		until(t, ctx, func() bool { return q.WaitingPutters() == 1 })
		q.Close()
		q.Close()
		require.True(t, q.Closed())
		require.ErrorIs(t, putter.end(ctx), coop.ErrQueueClosed)
		require.ErrorIs(t, q.Put(ctx, 4), coop.ErrQueueClosed)
		require.False(t, q.TryPut(4))
		var got []int
		for v, err := range q.All(ctx) {
			require.NoError(t, err)
			got = append(got, v)
		}
		require.Equal(t, []int{1, 2}, got)
		_, err := q.Get(ctx)
		require.ErrorIs(t, err, coop.ErrQueueClosed)
	})
}

func TestCloseEndsTheWaitOfGetters(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		for _, closeIt := range []func(q *coop.Queue[int]){(*coop.Queue[int]).Close, func(q *coop.Queue[int]) { q.CloseNow() }} {
			q := coop.NewQueue[int](2)
			get := func(ctx context.Context) error { _, err := q.Get(ctx); return err }
			one, two := begin(ctx, get), begin(ctx, get)
			until(t, ctx, func() bool { return q.WaitingGetters() == 2 })
			closeIt(q)
			require.ErrorIs(t, one.end(ctx), coop.ErrQueueClosed)
			require.ErrorIs(t, two.end(ctx), coop.ErrQueueClosed)
		}
	})
}

func TestCloseNowReturnsWhatIsLeftAndEndsJoin(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		q := coop.NewQueue[int](3)
		for i := range 3 {
			require.True(t, q.TryPut(i))
		}
		putter := begin(ctx, func(ctx context.Context) error { return q.Put(ctx, 3) })
		until(t, ctx, func() bool { return q.WaitingPutters() == 1 })
		joins := begin(ctx, q.Join)
		require.Equal(t, []int{0, 1, 2}, q.CloseNow())
		require.NoError(t, joins.end(ctx))
		require.ErrorIs(t, putter.end(ctx), coop.ErrQueueClosed)
		require.Empty(t, q.CloseNow())
		_, ok := q.TryGet()
		require.False(t, ok)
	})
}

func TestJoinWaitsForTheWorkOnEachItem(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		q := coop.NewQueue[int](2)
		require.NoError(t, q.Join(ctx))
		var done atomic.Int32
		g := repaint.NewGroup(ctx)
		for range 3 {
			g.Go(func(ctx context.Context) error {
				for _, err := range q.All(ctx) {
					if err != nil {
						return err
					}
					if err := repaint.Sleep(ctx, 0); err != nil {
						return err
					}
					done.Add(1)
					q.TaskDone()
				}
				return nil
			})
		}
		for i := range 20 {
			require.NoError(t, q.Put(ctx, i))
		}
		require.NoError(t, q.Join(ctx))
		require.EqualValues(t, 20, done.Load())
		require.Contains(t, recovered(q.TaskDone), "TaskDone")
		q.Close()
		require.NoError(t, g.Wait())

		q = coop.NewQueue[int](0)
		q.TryPut(1)
		joins := begin(ctx, q.Join)
		joins.cancel(errBoom)
		require.ErrorIs(t, joins.end(ctx), errBoom)
		require.ErrorIs(t, q.Join(canceled(ctx)), errBoom)
	})
}

// An item that was got but isn't done still counts after CloseNow.
func TestCloseNowDoesNotCountWorkThatIsUnderWay(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		q := coop.NewQueue[int](0)
		q.TryPut(1)
		q.TryPut(2)
		_, _ = q.TryGet()
		joins := begin(ctx, q.Join)
		require.Equal(t, []int{2}, q.CloseNow())
		require.NoError(t, repaint.Sleep(ctx, 1))
		require.False(t, joins.done())
		q.TaskDone()
		require.NoError(t, joins.end(ctx))
	})
}

func TestLoopOverAQueueEndsWithItsContext(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		q := coop.NewQueue[int](0)
		q.TryPut(1)
		var got []int
		var failure error
		j := begin(ctx, func(ctx context.Context) error {
			for v, err := range q.All(ctx) {
				if err != nil {
					failure = err
					continue // it ends nevertheless
				}
				got = append(got, v)
			}
			return nil
		})
		until(t, ctx, func() bool { return q.WaitingGetters() == 1 })
		j.cancel(errBoom)
		require.NoError(t, j.end(ctx))
		require.ErrorIs(t, failure, errBoom)
		require.Equal(t, []int{1}, got)

		q.TryPut(2)
		q.TryPut(3)
		for v := range q.All(ctx) {
			require.Equal(t, 2, v)
			break
		}
		require.Equal(t, 1, q.Len(), "a loop that is left takes no more")
	})
}

func TestWhatAQueueRefuses(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		require.Contains(t, recovered(func() { coop.NewQueue[int](-1) }), "size -1")
		q := coop.NewQueue[int](0)
		require.ErrorIs(t, q.Put(canceled(ctx), 1), errBoom)
		q.TryPut(1)
		_, err := q.Get(canceled(ctx))
		require.ErrorIs(t, err, errBoom)
		require.Equal(t, 1, q.Len())
	})
}

func TestQueueBetweenLoopsAndGoroutines(t *testing.T) {
	leakcheck.Test(t)
	q := coop.NewQueue[int](3)
	const each, putters = 200, 4
	put := func(ctx context.Context) error {
		for i := range each {
			if err := q.Put(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}
	var sum, n atomic.Int64
	get := func(ctx context.Context) error {
		for v, err := range q.All(ctx) {
			if err != nil {
				return err
			}
			sum.Add(int64(v))
			n.Add(1)
			q.TaskDone()
		}
		return nil
	}
	inLoop := func(fn func(ctx context.Context) error) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			return repaint.Run(ctx, func(ctx context.Context) error {
				_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, fn(ctx) }))
				return err
			})
		}
	}
	getters := repaint.NewGroup(t.Context())
	getters.Go(get)
	getters.Go(inLoop(get))
	g := repaint.NewGroup(t.Context())
	g.Go(put)
	g.Go(put)
	g.Go(inLoop(put))
	g.Go(inLoop(put))
	require.NoError(t, g.Wait())
	require.NoError(t, q.Join(t.Context()))
	q.Close()
	require.NoError(t, getters.Wait())
	require.EqualValues(t, putters*each, n.Load())
	require.EqualValues(t, putters*each*(each-1)/2, sum.Load())
}
