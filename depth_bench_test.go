package repaint_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// footprint is the memory that the process uses for its heap and stacks.
func footprint() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// BenchmarkTasksThatSpawnThemselves reports the cost of a level if each task spawns the next one.
func BenchmarkTasksThatSpawnThemselves(b *testing.B) {
	for _, depth := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			for range b.N {
				inLoop(b, func(ctx context.Context, l *loop.Loop) {
					before := footprint()
					began := time.Now()
					gate := loop.NewPromise[int](l)
					outermost := repaint.Spawn(ctx, nested(1, depth, gate.Future()))
					b.ReportMetric(float64(time.Since(began).Nanoseconds())/float64(depth), "ns/level")
					b.ReportMetric(float64(footprint()-before)/float64(depth), "B/level")
					gate.Resolve(1)
					if _, err := repaint.Await(ctx, outermost); err != nil {
						b.Fatal(err)
					}
				})
			}
		})
	}
}

// nested is a function that spawns the next one, down to a depth where one waits for the gate.
func nested(level, depth int, gate *loop.Future[int]) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		if level == depth {
			return repaint.Await(ctx, gate)
		}
		return repaint.Await(ctx, repaint.Spawn(ctx, nested(level+1, depth, gate)))
	}
}

// BenchmarkWaitWithinTimeouts is a yield within so many nested contexts with timeouts.
func BenchmarkWaitWithinTimeouts(b *testing.B) {
	for _, depth := range []int{0, 1, 10, 100} {
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			inLoop(b, func(ctx context.Context, l *loop.Loop) {
				for i := range depth {
					var cancel context.CancelFunc
					ctx, cancel = repaint.WithTimeout(ctx, time.Duration(1000-i)*time.Hour)
					defer cancel()
				}
				_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					for b.Loop() {
						if err := repaint.Sleep(ctx, 0); err != nil {
							return 0, err
						}
					}
					return 0, nil
				}))
				if err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// BenchmarkSleepersWithContexts is a sleep of each of many tasks on a virtual clock, each with a
// context of its own.
func BenchmarkSleepersWithContexts(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			for range b.N {
				began := time.Now()
				err := repaint.Run(context.Background(), func(ctx context.Context) error {
					g := repaint.NewGroup(ctx)
					for i := range n {
						g.Go(func(ctx context.Context) error {
							ctx, cancel := context.WithCancel(ctx)
							defer cancel()
							return repaint.Sleep(ctx, time.Duration(i)*time.Millisecond)
						})
					}
					return g.Wait()
				}, loop.VirtualClock(time.Unix(0, 0)))
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(time.Since(began).Nanoseconds())/float64(n), "ns/sleeper")
			}
		})
	}
}
