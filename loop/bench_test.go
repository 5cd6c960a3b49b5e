package loop_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/loop"
)

// A call in the loop is compared with the ordinary way to make another goroutine run something: a
// channel of functions.
func BenchmarkCallSoon(b *testing.B) {
	b.Run("loop", func(b *testing.B) {
		b.ReportAllocs()
		l := open(b)
		left := b.N
		var again func()
		again = func() {
			if left--; left > 0 {
				l.CallSoon(again)
			}
		}
		l.CallSoon(again)
		if err := l.Drive(func() bool { return left <= 0 }); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("loop, 100 in a tick", func(b *testing.B) {
		b.ReportAllocs()
		l := open(b)
		called := 0
		fn := func() { called++ }
		for called < b.N {
			want := called + 100
			for range 100 {
				l.CallSoon(fn)
			}
			if err := l.Drive(func() bool { return called == want }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("peer: channel of functions", func(b *testing.B) {
		b.ReportAllocs()
		calls := make(chan func(), 1)
		left := b.N
		var again func()
		again = func() {
			if left--; left > 0 {
				calls <- again
			} else {
				close(calls)
			}
		}
		calls <- again
		for fn := range calls {
			fn()
		}
	})
}

// Another goroutine hands over 100 calls and waits until they have run.
func BenchmarkPost(b *testing.B) {
	const batch = 100
	b.Run("loop", func(b *testing.B) {
		b.ReportAllocs()
		l := open(b)
		l.Bridge().Hold()
		called, ended := 0, false
		came := make(chan struct{}, 1)
		fn := func() {
			if called++; called%batch == 0 {
				came <- struct{}{}
			}
		}
		go func() {
			for range (b.N + batch - 1) / batch {
				for range batch {
					l.Post(fn)
				}
				<-came
			}
			l.Post(func() { ended = true })
		}()
		if err := l.Drive(func() bool { return ended }); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(l.Stats().Sleeps)/float64(called)*batch, "sleeps/batch")
	})
	b.Run("peer: channel of functions", func(b *testing.B) {
		b.ReportAllocs()
		calls := make(chan func(), batch)
		called := 0
		came := make(chan struct{}, 1)
		fn := func() {
			if called++; called%batch == 0 {
				came <- struct{}{}
			}
		}
		go func() {
			for range (b.N + batch - 1) / batch {
				for range batch {
					calls <- fn
				}
				<-came
			}
			close(calls)
		}()
		for fn := range calls {
			fn()
		}
	})
}

// A timeout is set and stopped again, as most timeouts are, while a million others are pending.
func BenchmarkTimerSetAndStop(b *testing.B) {
	const others = 1_000_000
	nothing := func() {}
	// The moments are spread, so that the new timer comes somewhere in the middle.
	distance := func(i int) time.Duration { return time.Hour + time.Duration(i*7919%others)*time.Millisecond }
	b.Run("loop", func(b *testing.B) {
		b.ReportAllocs()
		l := open(b)
		for i := range others {
			l.CallLater(distance(i), nothing)
		}
		for i := 0; b.Loop(); i++ {
			l.CallLater(distance(i%others), nothing).Stop()
		}
	})
	b.Run("loop, reset", func(b *testing.B) {
		b.ReportAllocs()
		l := open(b)
		for i := range others {
			l.CallLater(distance(i), nothing)
		}
		timer := l.CallLater(time.Hour, nothing)
		for i := 0; b.Loop(); i++ {
			timer.Reset(distance(i % others))
		}
	})
	b.Run("peer: time.AfterFunc", func(b *testing.B) {
		b.ReportAllocs()
		pending := make([]*time.Timer, others)
		for i := range pending {
			pending[i] = time.AfterFunc(distance(i), nothing)
		}
		for i := 0; b.Loop(); i++ {
			time.AfterFunc(distance(i%others), nothing).Stop()
		}
		b.StopTimer()
		for _, t := range pending {
			t.Stop()
		}
	})
}

// A promise is made and resolved, and the loop calls the callback that waits for it.
func BenchmarkPromise(b *testing.B) {
	b.Run("OnDone", func(b *testing.B) {
		b.ReportAllocs()
		l := open(b)
		called := 0
		for b.Loop() {
			p := loop.NewPromise[int](l)
			p.Future().OnDone(l, func() { called++ })
			p.Resolve(1)
			want := called + 1
			if err := l.Drive(func() bool { return called == want }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Waiter", func(b *testing.B) {
		b.ReportAllocs()
		l := open(b)
		called, want := 0, 0
		var w loop.Waiter
		w.Notify(l, runnable(func() { called++ }))
		until := func() bool { return called == want }
		for b.Loop() {
			p := loop.NewPromise[int](l)
			p.Future().Subscribe(&w)
			p.Resolve(1)
			want++
			if err := l.Drive(until); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("peer: channel of one", func(b *testing.B) {
		b.ReportAllocs()
		sum := 0
		for b.Loop() {
			c := make(chan int, 1)
			c <- 1
			sum += <-c
		}
	})
}

// A function runs in another goroutine, and its result comes back.
func BenchmarkOffload(b *testing.B) {
	b.Run("loop", func(b *testing.B) {
		b.ReportAllocs()
		l := open(b)
		for b.Loop() {
			done := false
			f := loop.Offload(l, func() (int, error) { return 1, nil })
			f.OnDone(l, func() { done = true })
			if err := l.Drive(func() bool { return done }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("peer: goroutine and channel", func(b *testing.B) {
		b.ReportAllocs()
		sum := 0
		for b.Loop() {
			c := make(chan int, 1)
			go func() { c <- 1 }()
			sum += <-c
		}
	})
}

// What a loop for one request costs.
func BenchmarkNewAndClose(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		l := loop.New()
		l.CallSoon(func() {})
		l.Close()
	}
}

// BenchmarkTimerRun measures a timer's life, from its setting to its call, while the given number of
// others are pending.
func BenchmarkTimerRun(b *testing.B) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := virtual(b)
			chance := rand.New(rand.NewPCG(1, 2))
			later := func(fn func()) { l.CallLater(time.Duration(chance.Int64N(int64(time.Hour))), fn) }
			ran := 0
			var fire func()
			fire = func() {
				ran++
				later(fire)
			}
			for range n {
				later(fire)
			}
			b.ReportAllocs()
			b.ResetTimer()
			_ = l.Drive(func() bool { return ran >= b.N })
		})
	}
}
