package repaint_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// inLoop runs a benchmark in the main function of a Run.
func inLoop(b *testing.B, bench func(ctx context.Context, l *loop.Loop)) {
	b.ReportAllocs()
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		bench(ctx, repaint.CurrentLoop())
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkRunOfAnEmptyMain(b *testing.B) {
	b.ReportAllocs()
	ctx := context.Background()
	for b.Loop() {
		_ = repaint.Run(ctx, func(context.Context) error { return nil })
	}
}

// BenchmarkSpawnAwaitFinish is a task's life with one wait: 100 at a time are spawned, woken and
// joined. Each operation includes the promise that the task waits for.
func BenchmarkSpawnAwaitFinish(b *testing.B) {
	const atOnce = 100
	b.Run("task", func(b *testing.B) {
		inLoop(b, func(ctx context.Context, l *loop.Loop) {
			var promises [atOnce]*loop.Promise[int]
			var tasks [atOnce]*repaint.Task[int]
			for i := 0; i < b.N; i += atOnce {
				for j := range promises {
					p := loop.NewPromise[int](l)
					promises[j] = p
					tasks[j] = repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
						return repaint.Await(ctx, p.Future())
					})
				}
				for _, p := range promises {
					p.Resolve(1)
				}
				for _, t := range tasks {
					if v, err := repaint.Await(ctx, t); v != 1 || err != nil {
						b.Fatal(v, err)
					}
				}
			}
		})
	})
	b.Run("goroutine and channels", func(b *testing.B) {
		b.ReportAllocs()
		var gates, results [atOnce]chan int
		for i := 0; i < b.N; i += atOnce {
			for j := range gates {
				gate, result := make(chan int), make(chan int, 1)
				gates[j], results[j] = gate, result
				go func() { result <- <-gate }()
			}
			for _, g := range gates {
				g <- 1
			}
			for _, r := range results {
				if <-r != 1 {
					b.Fatal()
				}
			}
		}
	})
}

// BenchmarkFurtherAwait is one more wait in a task that is there already:
// the task makes its promise, and the loop completes it in the next tick.
func BenchmarkFurtherAwait(b *testing.B) {
	inLoop(b, func(ctx context.Context, l *loop.Loop) {
		_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			var p *loop.Promise[int]
			resolve := func() { p.Resolve(1) }
			for b.Loop() {
				p = loop.NewPromise[int](l)
				l.CallSoon(resolve)
				if v, err := repaint.Await(ctx, p.Future()); v != 1 {
					return v, err
				}
			}
			return 0, nil
		}))
		if err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkAwaitOfAFinishedFuture(b *testing.B) {
	inLoop(b, func(ctx context.Context, l *loop.Loop) {
		_, _ = repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			f := loop.Resolved(1)
			for b.Loop() {
				_, _ = repaint.Await(ctx, f)
			}
			return 0, nil
		}))
	})
}

func BenchmarkSleepZero(b *testing.B) {
	const tasks = 100
	inLoop(b, func(ctx context.Context, l *loop.Loop) {
		g := repaint.NewGroup(ctx)
		for range tasks {
			g.Go(func(ctx context.Context) error {
				for i := 0; i < b.N; i += tasks {
					if err := repaint.Sleep(ctx, 0); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkSuspended reports the whole cost of a suspended task when there are many.
func BenchmarkSuspended(b *testing.B) {
	const n = 100_000
	measure := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse + m.OtherSys + m.GCSys
	}
	for range b.N {
		inLoop(b, func(ctx context.Context, l *loop.Loop) {
			before := measure()
			gate := loop.NewPromise[int](l)
			g := repaint.NewGroup(ctx)
			for range n {
				g.Go(func(ctx context.Context) error {
					_, err := repaint.Await(ctx, gate.Future())
					return err
				})
			}
			after := measure()
			b.ReportMetric(float64(after-before)/n, "B/task")
			start := time.Now()
			runtime.GC()
			b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms/GC")
			gate.Resolve(1)
			if err := g.Wait(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
