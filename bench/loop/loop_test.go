// Package loop_test measures the loop and the bridge, each workload beside its peers.
//
// A workload is a function that does n operations, in several ways. Benchmarks do many of them, and
// tests few, so that every measured way is also known to work.
package loop_test

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/loop"
)

// batch is how many tasks are under way at a time, and how many calls are posted at once.
const batch = 100

type contender struct {
	name string
	run  func(tb testing.TB, n int)
}

var workloads = []struct {
	name       string
	contenders []contender
}{
	// A task's life with one wait: a batch of them is spawned, woken and joined.
	{"SpawnAwaitFinish", []contender{{"repaint", spawnAwaitFinish}, {"goroutine", goroutineLife}, {"errgroup", errgroupLife}}},
	// One more wait in a task that is there already. The other side completes its future one turn
	// later.
	{"FurtherAwait", []contender{{"repaint", furtherAwait}, {"goroutine", pingPong}}},
	{"AwaitFinished", []contender{{"repaint", awaitFinished}, {"goroutine", receiveClosed}}},
	// A function that doesn't wait.
	{"SpawnJoin", []contender{{"repaint", spawnJoin}, {"goroutine", goroutineJoin}, {"errgroup", errgroupJoin}}},
	// A turn of one of so many tasks.
	{"SleepZero1", []contender{{"repaint", sleepZero(1)}, {"goroutine", gosched(1)}}},
	{"SleepZero100", []contender{{"repaint", sleepZero(100)}, {"goroutine", gosched(100)}}},
	{"SleepZero10000", []contender{{"repaint", sleepZero(10_000)}, {"goroutine", gosched(10_000)}}},
	// The same task puts and gets an item, so no task waits.
	{"QueueAlone", []contender{{"repaint", queueAlone}, {"goroutine", channelAlone}}},
	// An item goes from one task to another, through a queue of a batch.
	{"QueueBetween", []contender{{"repaint", queueBetween}, {"goroutine", channelBetween}}},
	{"RunEmpty", []contender{{"repaint", runEmpty}, {"goroutine", goroutineJoin}}},
	// Another goroutine hands over a batch of calls and waits until they have run.
	{"Post", []contender{{"repaint", post}, {"goroutine", channelOfFunctions}}},
}

func BenchmarkLoop(b *testing.B) {
	for _, w := range workloads {
		b.Run(w.name, func(b *testing.B) {
			for _, c := range w.contenders {
				b.Run(c.name, func(b *testing.B) {
					b.ReportAllocs()
					c.run(b, b.N)
				})
			}
		})
	}
}

func TestWorkloadsDoWhatTheyMeasure(t *testing.T) {
	for _, w := range workloads {
		for _, c := range w.contenders {
			t.Run(w.name+"/"+c.name, func(t *testing.T) {
				for _, n := range []int{1, batch - 1, 3 * batch} {
					c.run(t, n)
				}
			})
		}
	}
}

// begin starts the clock after a workload's preparations.
func begin(tb testing.TB) {
	if b, ok := tb.(*testing.B); ok {
		b.ResetTimer()
	}
}

// inLoop runs fn in the main function of a Run.
func inLoop(tb testing.TB, fn func(ctx context.Context, l *loop.Loop) error) {
	tb.Helper()
	err := repaint.Run(context.Background(), func(ctx context.Context) error { return fn(ctx, repaint.CurrentLoop()) })
	if err != nil {
		tb.Fatal(err)
	}
}

// inTask runs fn in a task.
func inTask(tb testing.TB, fn func(ctx context.Context, l *loop.Loop) error) {
	tb.Helper()
	inLoop(tb, func(ctx context.Context, l *loop.Loop) error {
		_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, fn(ctx, l) }))
		return err
	})
}

func spawnAwaitFinish(tb testing.TB, n int) {
	inLoop(tb, func(ctx context.Context, l *loop.Loop) error {
		var promises [batch]*loop.Promise[int]
		var tasks [batch]*repaint.Task[int]
		for left := n; left > 0; left -= batch {
			now := min(left, batch)
			for i := range now {
				p := loop.NewPromise[int](l)
				promises[i] = p
				tasks[i] = repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return repaint.Await(ctx, p.Future()) })
			}
			for i, p := range promises[:now] {
				p.Resolve(i)
			}
			for i, t := range tasks[:now] {
				if v, err := repaint.Await(ctx, t); v != i || err != nil {
					tb.Fatal(v, err)
				}
			}
		}
		return nil
	})
}

func goroutineLife(tb testing.TB, n int) {
	var gates, results [batch]chan int
	for left := n; left > 0; left -= batch {
		now := min(left, batch)
		for i := range now {
			gate, result := make(chan int), make(chan int, 1)
			gates[i], results[i] = gate, result
			go func() { result <- <-gate }()
		}
		for i, g := range gates[:now] {
			g <- i
		}
		for i, r := range results[:now] {
			if v := <-r; v != i {
				tb.Fatal(v)
			}
		}
	}
}

func errgroupLife(tb testing.TB, n int) {
	var gates [batch]chan int
	for left := n; left > 0; left -= batch {
		now := min(left, batch)
		g, _ := errgroup.WithContext(context.Background())
		for i := range now {
			gate := make(chan int)
			gates[i] = gate
			g.Go(func() error {
				<-gate
				return nil
			})
		}
		for i, gate := range gates[:now] {
			gate <- i
		}
		if err := g.Wait(); err != nil {
			tb.Fatal(err)
		}
	}
}

func furtherAwait(tb testing.TB, n int) {
	inTask(tb, func(ctx context.Context, l *loop.Loop) error {
		// Promises are made a thousand at a time: they aren't what is measured.
		var p *loop.Promise[int]
		var stock []loop.Promise[int]
		resolve := func() { p.Resolve(1) }
		begin(tb)
		for range n {
			if len(stock) == 0 {
				stock = make([]loop.Promise[int], 1000)
			}
			p, stock = &stock[0], stock[1:]
			p.Bind(l, nil)
			l.CallSoon(resolve)
			if v, err := repaint.Await(ctx, p.Future()); v != 1 || err != nil {
				tb.Fatal(v, err)
			}
		}
		return nil
	})
}

func pingPong(tb testing.TB, n int) {
	ask, answer := make(chan int), make(chan int)
	go func() {
		for v := range ask {
			answer <- v
		}
	}()
	begin(tb)
	for i := range n {
		ask <- i
		if v := <-answer; v != i {
			tb.Fatal(v)
		}
	}
	close(ask)
}

func awaitFinished(tb testing.TB, n int) {
	inTask(tb, func(ctx context.Context, l *loop.Loop) error {
		f := loop.Resolved(1)
		begin(tb)
		for range n {
			if v, err := repaint.Await(ctx, f); v != 1 || err != nil {
				tb.Fatal(v, err)
			}
		}
		return nil
	})
}

func receiveClosed(tb testing.TB, n int) {
	done := make(chan struct{})
	close(done)
	begin(tb)
	for range n {
		<-done
	}
}

func spawnJoin(tb testing.TB, n int) {
	inLoop(tb, func(ctx context.Context, l *loop.Loop) error {
		for i := range n {
			t := repaint.Spawn(ctx, func(context.Context) (int, error) { return i, nil })
			if v, err := repaint.Await(ctx, t); v != i || err != nil {
				tb.Fatal(v, err)
			}
		}
		return nil
	})
}

func goroutineJoin(tb testing.TB, n int) {
	for i := range n {
		result := make(chan int)
		go func() { result <- i }()
		if v := <-result; v != i {
			tb.Fatal(v)
		}
	}
}

func errgroupJoin(tb testing.TB, n int) {
	for range n {
		var g errgroup.Group
		g.Go(func() error { return nil })
		if err := g.Wait(); err != nil {
			tb.Fatal(err)
		}
	}
}

func sleepZero(tasks int) func(tb testing.TB, n int) {
	return func(tb testing.TB, n int) {
		inLoop(tb, func(ctx context.Context, l *loop.Loop) error {
			gate := coop.NewEvent()
			g := repaint.NewGroup(ctx)
			for i := range tasks {
				turns := share(n, tasks, i)
				g.Go(func(ctx context.Context) error {
					if err := gate.Wait(ctx); err != nil {
						return err
					}
					for range turns {
						if err := repaint.Sleep(ctx, 0); err != nil {
							return err
						}
					}
					return nil
				})
			}
			begin(tb)
			gate.Set()
			return g.Wait()
		})
	}
}

func gosched(goroutines int) func(tb testing.TB, n int) {
	return func(tb testing.TB, n int) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that each turn goes to another goroutine, as in a loop
		gate := make(chan struct{})
		var wg sync.WaitGroup
		for i := range goroutines {
			turns := share(n, goroutines, i)
			wg.Go(func() {
				<-gate
				for range turns {
					runtime.Gosched()
				}
			})
		}
		begin(tb)
		close(gate)
		wg.Wait()
	}
}

// share returns how much of n operations one of several parties does.
func share(n, of, i int) int { return (n + of - 1 - i) / of }

func queueAlone(tb testing.TB, n int) {
	inTask(tb, func(ctx context.Context, l *loop.Loop) error {
		q := coop.NewQueue[int](batch)
		begin(tb)
		for i := range n {
			if err := q.Put(ctx, i); err != nil {
				return err
			}
			if v, err := q.Get(ctx); v != i || err != nil {
				tb.Fatal(v, err)
			}
		}
		return nil
	})
}

func channelAlone(tb testing.TB, n int) {
	q := make(chan int, batch)
	begin(tb)
	for i := range n {
		q <- i
		if v := <-q; v != i {
			tb.Fatal(v)
		}
	}
}

func queueBetween(tb testing.TB, n int) {
	inLoop(tb, func(ctx context.Context, l *loop.Loop) error {
		q := coop.NewQueue[int](batch)
		g := repaint.NewGroup(ctx)
		g.Go(func(ctx context.Context) error {
			for i := range n {
				if err := q.Put(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})
		g.Go(func(ctx context.Context) error {
			for i := range n {
				if v, err := q.Get(ctx); v != i || err != nil {
					tb.Fatal(v, err)
				}
			}
			return nil
		})
		return g.Wait()
	})
}

func channelBetween(tb testing.TB, n int) {
	q := make(chan int, batch)
	go func() {
		for i := range n {
			q <- i
		}
	}()
	for i := range n {
		if v := <-q; v != i {
			tb.Fatal(v)
		}
	}
}

func runEmpty(tb testing.TB, n int) {
	ctx := context.Background()
	for range n {
		if err := repaint.Run(ctx, func(context.Context) error { return nil }); err != nil {
			tb.Fatal(err)
		}
	}
}

func post(tb testing.TB, n int) {
	inLoop(tb, func(ctx context.Context, l *loop.Loop) error {
		done := loop.NewPromise[int](nil)
		go done.Complete(func() (int, error) {
			called := 0
			came := make(chan struct{}, 1)
			fn := func() { called++ }
			for left := n; left > 0; left -= batch {
				for range min(left, batch) - 1 {
					l.Post(fn)
				}
				l.Post(func() {
					called++
					came <- struct{}{}
				})
				<-came
			}
			return called, nil
		})
		called, err := repaint.Await(ctx, done.Future())
		if called != n {
			tb.Fatal(called)
		}
		return err
	})
}

func channelOfFunctions(tb testing.TB, n int) {
	calls := make(chan func(), batch)
	called := 0
	go func() {
		came := make(chan struct{}, 1)
		fn := func() { called++ }
		for left := n; left > 0; left -= batch {
			for range min(left, batch) - 1 {
				calls <- fn
			}
			calls <- func() {
				called++
				came <- struct{}{}
			}
			<-came
		}
		close(calls)
	}()
	for fn := range calls {
		fn()
	}
	if called != n {
		tb.Fatal(called)
	}
}

// BenchmarkSleepers puts many tasks to sleep, all for the same time, and wakes them.
// REPAINT_SLEEPERS says how many, a million for instance; without it there are few, so that it is
// quick. It takes gigabytes, and is best run with -benchtime 1x.
func BenchmarkSleepers(b *testing.B) {
	n := 1000
	if text := os.Getenv("REPAINT_SLEEPERS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		run  func(b *testing.B, n int)
	}{{"repaint", sleepers}, {"goroutine", sleepingGoroutines}} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				c.run(b, n)
			}
		})
	}
}

// nap is long enough for all tasks to be asleep before the first one wakes.
func nap(n int) time.Duration { return time.Second/100 + time.Duration(n)*40*time.Microsecond }

func sleepers(b *testing.B, n int) {
	before := memory()
	inLoop(b, func(ctx context.Context, l *loop.Loop) error {
		g := repaint.NewGroup(ctx)
		at := l.Now().Add(nap(n))
		for range n {
			g.Go(func(ctx context.Context) error { return repaint.Sleep(ctx, at.Sub(l.Now())) })
		}
		late := time.Since(at)
		report(b, n, before, late)
		time.Sleep(time.Until(at)) // all are due when the loop comes to them
		err := g.Wait()
		b.ReportMetric(float64(time.Since(at).Nanoseconds())/float64(n), "ns/wake-up")
		return err
	})
}

func sleepingGoroutines(b *testing.B, n int) {
	before := memory()
	var wg sync.WaitGroup
	at := time.Now().Add(nap(n))
	for range n {
		wg.Go(func() { time.Sleep(time.Until(at)) })
	}
	late := time.Since(at)
	report(b, n, before, late)
	wg.Wait()
	b.ReportMetric(float64(time.Since(at).Nanoseconds())/float64(n), "ns/wake-up")
}

func report(b *testing.B, n int, before uint64, late time.Duration) {
	if late > 0 {
		b.Fatalf("the first would have woken %v before the last was asleep", late)
	}
	b.ReportMetric(float64(memory()-before)/float64(n), "B/sleeper")
}

// memory returns how much memory of the system the process uses.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse + m.MSpanInuse + m.MCacheInuse + m.GCSys + m.OtherSys + m.BuckHashSys
}
