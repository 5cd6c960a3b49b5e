package coop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// A squarer is a batch function that notes its batches. It waits, as a database would.
type squarer struct {
	batches journal[[]int]
	before  func(ctx context.Context) error // may be nil
}

func (s *squarer) square(ctx context.Context, keys []int) (map[int]int, error) {
	s.batches.note(slices.Clone(keys))
	if s.before != nil {
		if err := s.before(ctx); err != nil {
			return nil, err
		}
	}
	values := make(map[int]int)
	for _, k := range keys {
		values[k] = k * k
	}
	return values, repaint.Sleep(ctx, time.Millisecond)
}

// loads starts a job that loads a key and checks the value.
func loads(ctx context.Context, l *coop.Loader[int, int], key int) *job {
	return begin(ctx, func(ctx context.Context) error {
		v, err := l.Load(ctx, key)
		if err == nil && v != key*key {
			err = fmt.Errorf("%d for %d", v, key)
		}
		return err
	})
}

func TestAThousandTasksMakeOneBatch(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var s squarer
		l := coop.NewLoader(s.square)
		g := repaint.NewGroup(ctx)
		want := make([]int, 1000)
		for i := range 1000 {
			want[i] = i
			g.Go(func(ctx context.Context) error { return loads(ctx, l, i).end(ctx) })
		}
		require.NoError(t, g.Wait())
		require.Equal(t, [][]int{want}, s.batches.read())
		require.Zero(t, l.Rooms())
	})
}

// Tasks that take different numbers of turns to reach their Load share a batch nevertheless.
func TestBatchBeginsWhenNoTaskCanAskForMore(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var s squarer
		l := coop.NewLoader(s.square)
		var jobs []*job
		for i := range 20 {
			jobs = append(jobs, begin(ctx, func(ctx context.Context) error {
				for range i {
					if err := repaint.Sleep(ctx, 0); err != nil {
						return err
					}
				}
				return loads(ctx, l, i%5).end(ctx)
			}))
		}
		for _, j := range jobs {
			require.NoError(t, j.end(ctx))
		}
		require.Equal(t, [][]int{{0, 1, 2, 3, 4}}, s.batches.read())
	})
}

func TestChainOfLookupsTakesABatchPerLink(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		batches := map[string]int{}
		table := func(name string, of func(id int) int) *coop.Loader[int, int] {
			return coop.NewLoader(func(ctx context.Context, ids []int) (map[int]int, error) {
				batches[name]++
				rows := make(map[int]int)
				for _, id := range ids {
					rows[id] = of(id)
				}
				return rows, repaint.Sleep(ctx, time.Millisecond)
			})
		}
		authorOf := table("post", func(id int) int { return id % 100 })
		companyOf := table("author", func(id int) int { return id % 7 })
		sizeOf := table("company", func(id int) int { return id * 1000 })
		g := repaint.NewGroup(ctx)
		for post := range 500 {
			g.Go(func(ctx context.Context) error {
				author, err := authorOf.Load(ctx, post)
				if err != nil {
					return err
				}
				company, err := companyOf.Load(ctx, author)
				if err != nil {
					return err
				}
				size, err := sizeOf.Load(ctx, company)
				require.Equal(t, post%100%7*1000, size)
				return err
			})
		}
		require.NoError(t, g.Wait())
		require.Equal(t, map[string]int{"post": 1, "author": 1, "company": 1}, batches)
	})
}

func TestKeyIsLoadedOnceForAllCallersMeanwhile(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		gate := coop.NewEvent(coop.Unbound())
		s := squarer{before: gate.Wait}
		l := coop.NewLoader(s.square)
		jobs := []*job{loads(ctx, l, 1), loads(ctx, l, 1)}
		until(t, ctx, func() bool { return len(s.batches.read()) == 1 && l.Waiting(1) == 2 })
		jobs = append(jobs, loads(ctx, l, 1), loads(ctx, l, 2))
		until(t, ctx, func() bool { return l.Waiting(1) == 3 && l.Waiting(2) == 1 })
		gate.Set()
		for _, j := range jobs {
			require.NoError(t, j.end(ctx))
		}
		require.Equal(t, [][]int{{1}, {2}}, s.batches.read())
		require.NoError(t, loads(ctx, l, 1).end(ctx))
		require.Len(t, s.batches.read(), 3, "without a cache it's loaded again")
		require.Zero(t, l.Rooms())
	})
}

func TestGoroutinesBatchWhatComesWhileABatchRuns(t *testing.T) {
	leakcheck.Test(t)
	ctx := t.Context()
	gate := coop.NewEvent()
	s := squarer{before: gate.Wait}
	l := coop.NewLoader(s.square)
	jobs := []*job{loads(ctx, l, 0)}
	until(t, ctx, func() bool { return len(s.batches.read()) == 1 })
	for i := range 50 {
		jobs = append(jobs, loads(ctx, l, i))
		until(t, ctx, func() bool { return l.Waiting(i) > 0 })
	}
	gate.Set()
	for _, j := range jobs {
		require.NoError(t, j.end(ctx))
	}
	all := s.batches.read()
	require.Len(t, all, 2)
	require.Equal(t, []int{0}, all[0])
	require.Len(t, all[1], 49)
}

func TestMissingKeysAreNotFound(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		l := coop.NewLoader(func(ctx context.Context, keys []string) (map[string]int, error) {
			return map[string]int{"here": 1}, nil
		})
		_, err := l.Load(ctx, "there")
		require.ErrorIs(t, err, coop.ErrNotFound)
		require.EqualError(t, err, "coop: not found: there")
		values, err := l.LoadMany(ctx, []string{"here", "there", "here"})
		require.Equal(t, []int{1, 0, 1}, values)
		require.ErrorIs(t, err, coop.ErrNotFound)
		var errs coop.KeyErrors[string]
		require.True(t, errors.As(err, &errs))
		require.Len(t, errs, 1)
	})
}

func TestFullBatchStartsAtOnce(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var s squarer
		l := coop.NewLoader(s.square, coop.MaxBatch(3), coop.Named("squares"))
		var jobs []*job
		for i := range 8 {
			jobs = append(jobs, loads(ctx, l, i))
			require.Len(t, s.batches.read(), (i+1)/3)
		}
		for _, j := range jobs {
			require.NoError(t, j.end(ctx))
		}
		require.Equal(t, [][]int{{0, 1, 2}, {3, 4, 5}, {6, 7}}, s.batches.read())
		values, err := l.LoadMany(ctx, []int{1, 2, 3, 4})
		require.NoError(t, err)
		require.Equal(t, []int{1, 4, 9, 16}, values)
	})
	require.Contains(t, recovered(func() { coop.MaxBatch(0) }), "must be positive")
}

func TestFullBatchesOfGoroutinesRunSideBySide(t *testing.T) {
	leakcheck.Test(t)
	gate := coop.NewEvent()
	s := squarer{before: gate.Wait}
	l := coop.NewLoader(s.square, coop.MaxBatch(2))
	jobs := []*job{begin(t.Context(), func(ctx context.Context) error {
		_, err := l.LoadMany(ctx, []int{1, 2, 3, 4, 5})
		return err
	})}
	until(t, t.Context(), func() bool { return len(s.batches.read()) == 2 })
	jobs = append(jobs, loads(t.Context(), l, 6))
	until(t, t.Context(), func() bool { return len(s.batches.read()) == 3 })
	gate.Set()
	for _, j := range jobs {
		require.NoError(t, j.end(t.Context()))
	}
}

func TestLoaderThatLoadsFromAnother(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var s squarer
		inner := coop.NewLoader(s.square)
		outer := coop.NewLoader(func(ctx context.Context, keys []int) (map[int]int, error) {
			squares, err := inner.LoadMany(ctx, keys)
			values := make(map[int]int)
			for i, k := range keys {
				values[k] = squares[i] + 1
			}
			return values, err
		})
		values, err := outer.LoadMany(ctx, []int{1, 2, 3})
		require.NoError(t, err)
		require.Equal(t, []int{2, 5, 10}, values)
		require.Equal(t, [][]int{{1, 2, 3}}, s.batches.read())
	})
}

// A tree: the batch function asks its own loader for the parents.
func TestLoaderThatLoadsFromItself(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var l *coop.Loader[int, int]
		l = coop.NewLoader(func(ctx context.Context, keys []int) (map[int]int, error) {
			depth := make(map[int]int)
			var below []int
			for _, k := range keys {
				depth[k] = 0
				if k > 1 {
					below = append(below, k/2)
				}
			}
			parents, err := l.LoadMany(ctx, below)
			for _, k := range keys {
				if i := slices.Index(below, k/2); i >= 0 && k > 1 {
					depth[k] = parents[i] + 1
				}
			}
			return depth, err
		})
		values, err := l.LoadMany(ctx, []int{1000, 600})
		require.NoError(t, err)
		require.Equal(t, []int{9, 9}, values)
	})
}

func TestLoadFuture(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		gate := coop.NewEvent(coop.Unbound())
		s := squarer{before: gate.Wait}
		l := coop.NewLoader(s.square)
		one, other, gone := l.LoadFuture(ctx, 3), l.LoadFuture(ctx, 3), l.LoadFuture(ctx, 3)
		require.Equal(t, 3, l.Waiting(3))
		require.True(t, gone.Cancel(errBoom))
		require.ErrorIs(t, gone.Err(), errBoom)
		require.Equal(t, 2, l.Waiting(3))
		require.Contains(t, one.String(), "a key of a coop.Loader")
		gate.Set()
		for _, f := range []*loop.Future[int]{one, other} {
			v, err := repaint.Await(ctx, f)
			require.NoError(t, err)
			require.Equal(t, 9, v)
			require.False(t, f.Cancel(nil))
		}
		require.ErrorIs(t, l.LoadFuture(canceled(ctx), 1).Err(), errBoom)
		require.Zero(t, l.Rooms())
	})
}

func TestLoadFutureInACallback(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var s squarer
		l := coop.NewLoader(s.square)
		got := loop.NewPromise[int](nil)
		own := repaint.CurrentLoop()
		own.CallSoon(func() {
			f := l.LoadFuture(ctx, 3)
			f.OnDone(own, func() { got.Settle(f.Result()) })
		})
		v, err := repaint.Await(ctx, got.Future())
		require.NoError(t, err)
		require.Equal(t, 9, v)
	})
}

// A loop that ends with futures that no code has awaited must not stay in the loader.
func TestLoaderOutlivesItsLoops(t *testing.T) {
	var s squarer
	l := coop.NewLoader(s.square)
	leakcheck.Repeat(t, func() {
		_ = run(t.Context(), func(ctx context.Context) {
			l.LoadFuture(ctx, 1)
			require.Equal(t, 1, l.Rooms())
		})
		require.Zero(t, l.Rooms())
		_ = run(t.Context(), func(ctx context.Context) {
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return l.Load(ctx, 1) })
		})
		require.Zero(t, l.Rooms())
	})
	require.Empty(t, s.batches.read())
}

func TestOneLoaderForSeveralLoopsAndGoroutines(t *testing.T) {
	leakcheck.Test(t)
	var s squarer
	l := coop.NewLoader(s.square, coop.Cached())
	work := func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		for i := range 100 {
			g.Go(func(ctx context.Context) error { return loads(ctx, l, i%30).end(ctx) })
		}
		return g.Wait()
	}
	g := repaint.NewGroup(t.Context())
	for range 3 {
		g.Go(func(ctx context.Context) error { return repaint.Run(ctx, work) })
		g.Go(work)
	}
	require.NoError(t, g.Wait())
	require.Zero(t, l.Rooms())
	counts := map[int]int{}
	for _, batch := range s.batches.read() {
		for _, k := range batch {
			counts[k]++
		}
	}
	require.Len(t, counts, 30)
	for k, n := range counts {
		require.LessOrEqual(t, n, 4, "key %d: at most once for each loop and once for the goroutines", k)
	}
}

// A loop that is never idle doesn't starve its loaders.
func TestLoaderIsServedWhileOthersAreAlwaysReady(t *testing.T) {
	for name, opts := range map[string][]loop.Option{
		"real":            nil,
		"virtual":         {loop.VirtualClock(time.Unix(0, 0))},
		"virtual, seeded": {loop.VirtualClock(time.Unix(0, 0)), loop.Seed(1)},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Test(t)
			require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
				batches, yields := 0, 0
				l := coop.NewLoader(func(ctx context.Context, keys []int) (map[int]int, error) {
					batches++
					return map[int]int{1: 1, 2: 2, 3: 3}, nil
				})
				busy := spawn(ctx, func(ctx context.Context) error {
					for repaint.Sleep(ctx, 0) == nil {
						yields++
					}
					return nil
				})
				for round := range 3 {
					_, err := repaint.Gather(ctx,
						func(ctx context.Context) (int, error) { return l.Load(ctx, 1) },
						func(ctx context.Context) (int, error) { return l.Load(ctx, 2) },
						func(ctx context.Context) (int, error) { return l.Load(ctx, 3) })
					require.NoError(t, err)
					require.Equal(t, round+1, batches)
				}
				require.Less(t, yields, 100_000)
				busy.Cancel(nil)
				_, err := repaint.Await(ctx, busy)
				return err
			}, opts...))
		})
	}
}
