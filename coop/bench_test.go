package coop_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
)

// inTask runs a benchmark's loop in a task.
func inTask(b *testing.B, fn func(b *testing.B, ctx context.Context)) {
	b.ReportAllocs()
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			b.ResetTimer()
			fn(b, ctx)
			return 0, nil
		}))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

func inGoroutine(b *testing.B, fn func(b *testing.B, ctx context.Context)) {
	b.ReportAllocs()
	fn(b, context.Background())
}

// BenchmarkUncontended measures tools for which no caller waits.
func BenchmarkUncontended(b *testing.B) {
	ctx := context.Background()
	var m coop.Mutex
	var rw coop.RWMutex
	s := coop.NewSemaphore(10)
	q := coop.NewQueue[int](16)
	p := coop.NewPriority(0, func(a, b int) bool { return a < b })
	var sm sync.Mutex
	var srw sync.RWMutex
	slots := make(chan struct{}, 10)
	items := make(chan int, 16)
	n := 0
	for _, c := range []struct {
		name string
		fn   func()
	}{
		{"lock/coop.Mutex", func() { _ = m.Lock(ctx); n++; m.Unlock() }},
		{"lock/sync.Mutex", func() { sm.Lock(); n++; sm.Unlock() }},
		{"rlock/coop.RWMutex", func() { _ = rw.RLock(ctx); n++; rw.RUnlock() }},
		{"rlock/sync.RWMutex", func() { srw.RLock(); n++; srw.RUnlock() }},
		{"permit/coop.Semaphore", func() { _ = s.Acquire(ctx, 1); s.Release(1) }},
		{"permit/channel", func() { slots <- struct{}{}; <-slots }},
		{"item/coop.Queue", func() { _ = q.Put(ctx, 1); _, _ = q.Get(ctx) }},
		{"item/coop.Queue by priority", func() { _ = p.Put(ctx, 1); _, _ = p.Get(ctx) }},
		{"item/channel", func() { items <- 1; <-items }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.fn()
			}
		})
	}
}

// BenchmarkHandOver measures two callers that hand items over one by one: each waits for the other.
func BenchmarkHandOver(b *testing.B) {
	twoQueues := func(b *testing.B, ctx context.Context) {
		there, back := coop.NewQueue[int](1), coop.NewQueue[int](1)
		other := begin(ctx, func(ctx context.Context) error {
			for v, err := range there.All(ctx) {
				if err != nil {
					return err
				}
				if err := back.Put(ctx, v); err != nil {
					return err
				}
			}
			return nil
		})
		for range b.N {
			_ = there.Put(ctx, 1)
			_, _ = back.Get(ctx)
		}
		there.Close()
		if err := other.end(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("there and back/coop.Queue, tasks", func(b *testing.B) { inTask(b, twoQueues) })
	b.Run("there and back/coop.Queue, goroutines", func(b *testing.B) { inGoroutine(b, twoQueues) })
	b.Run("there and back/channels, goroutines", func(b *testing.B) {
		b.ReportAllocs()
		there, back := make(chan int, 1), make(chan int, 1)
		go func() {
			defer close(back)
			for v := range there {
				back <- v
			}
		}()
		for range b.N {
			there <- 1
			<-back
		}
		close(there)
	})
	stream := func(b *testing.B, ctx context.Context) {
		q := coop.NewQueue[int](1)
		other := begin(ctx, func(ctx context.Context) error {
			for _, err := range q.All(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		})
		for range b.N {
			_ = q.Put(ctx, 1)
		}
		q.Close()
		if err := other.end(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("stream/coop.Queue, tasks", func(b *testing.B) { inTask(b, stream) })
	b.Run("stream/coop.Queue, goroutines", func(b *testing.B) { inGoroutine(b, stream) })
	b.Run("stream/channel, goroutines", func(b *testing.B) {
		b.ReportAllocs()
		c, done := make(chan int, 1), make(chan struct{})
		go func() {
			defer close(done)
			for range c {
			}
		}()
		for range b.N {
			c <- 1
		}
		close(c)
		<-done
	})
}

// BenchmarkContendedMutex measures eight callers that want the same lock, and hold it across a turn
// of the others.
func BenchmarkContendedMutex(b *testing.B) {
	const n = 8
	contend := func(b *testing.B, ctx context.Context) {
		var m coop.Mutex
		g := repaint.NewGroup(ctx)
		for i := range n {
			g.Go(func(ctx context.Context) error {
				for range (b.N + i) / n {
					if err := m.Lock(ctx); err != nil {
						return err
					}
					err := repaint.Sleep(ctx, 0)
					m.Unlock()
					if err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("coop.Mutex, tasks", func(b *testing.B) { inTask(b, contend) })
	b.Run("coop.Mutex, goroutines", func(b *testing.B) { inGoroutine(b, contend) })
	b.Run("sync.Mutex, goroutines", func(b *testing.B) {
		var m sync.Mutex
		var g sync.WaitGroup
		for i := range n {
			g.Go(func() {
				for range (b.N + i) / n {
					m.Lock()
					_ = repaint.Sleep(context.Background(), 0)
					m.Unlock()
				}
			})
		}
		g.Wait()
	})
}

// BenchmarkLoader measures the cost of a key when a thousand tasks ask for one each. Its peer is a
// hand-written solution: collect, wait a moment, call.
func BenchmarkLoader(b *testing.B) {
	const n = 1000
	batch := func(ctx context.Context, keys []int) (map[int]int, error) {
		values := make(map[int]int, len(keys))
		for _, k := range keys {
			values[k] = k
		}
		return values, nil
	}
	b.Run("coop.Loader, 1000 tasks", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l := coop.NewLoader(batch)
			_ = repaint.Run(context.Background(), func(ctx context.Context) error {
				g := repaint.NewGroup(ctx)
				for i := range n {
					g.Go(func(ctx context.Context) error { _, err := l.Load(ctx, i); return err })
				}
				return g.Wait()
			})
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/key")
	})
	b.Run("tasks alone, 1000 tasks that sleep", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = repaint.Run(context.Background(), func(ctx context.Context) error {
				g := repaint.NewGroup(ctx)
				for range n {
					g.Go(func(ctx context.Context) error { return repaint.Sleep(ctx, 0) })
				}
				return g.Wait()
			})
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/key")
	})
	b.Run("timer of 1ms, 1000 goroutines", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var mu sync.Mutex
			var keys []int
			var values map[int]int
			done := make(chan struct{})
			time.AfterFunc(time.Millisecond, func() {
				mu.Lock()
				defer mu.Unlock()
				values, _ = batch(context.Background(), keys)
				close(done)
			})
			var g sync.WaitGroup
			for i := range n {
				g.Go(func() {
					mu.Lock()
					keys = append(keys, i)
					mu.Unlock()
					<-done
					_ = values[i]
				})
			}
			g.Wait()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/key")
	})
	b.Run("cached key", func(b *testing.B) {
		l := coop.NewLoader(batch)
		l.Prime(1, 1)
		inTask(b, func(b *testing.B, ctx context.Context) {
			for range b.N {
				_, _ = l.Load(ctx, 1)
			}
		})
	})
}

func BenchmarkLocal(b *testing.B) {
	var l coop.Local[int]
	b.Run("coop.Local Get", func(b *testing.B) {
		inTask(b, func(b *testing.B, ctx context.Context) {
			l.Set(1)
			for range b.N {
				l.Get()
			}
		})
	})
	b.Run("context.Value", func(b *testing.B) {
		inTask(b, func(b *testing.B, ctx context.Context) {
			ctx = context.WithValue(ctx, contextKey{}, 1)
			for range b.N {
				_ = ctx.Value(contextKey{})
			}
		})
	})
}

func BenchmarkEvent(b *testing.B) {
	b.Run("wait and set, coop.Event, tasks", func(b *testing.B) {
		inTask(b, func(b *testing.B, ctx context.Context) {
			e := coop.NewEvent()
			other := begin(ctx, func(ctx context.Context) error {
				for range b.N {
					if err := e.Wait(ctx); err != nil {
						return err
					}
					e.Clear()
				}
				return nil
			})
			for !other.done() {
				e.Set()
				_ = repaint.Sleep(ctx, 0)
			}
		})
	})
}
