package greenlet_test

import (
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/greenlet"
)

// BenchmarkSwitch compares one transfer of control: each sub-benchmark's operation is one switch,
// and two of them make a round trip.
func BenchmarkSwitch(b *testing.B) {
	b.Run("greenlet", func(b *testing.B) {
		f, _ := greenlet.Enter()
		defer f.Close()
		root := greenlet.Current()
		g := greenlet.New(func(any) (any, error) {
			for {
				root.Switch(nil)
			}
		})
		b.ReportAllocs()
		for i := 0; i < b.N; i += 2 {
			g.Switch(nil)
		}
	})
	b.Run("siblings", func(b *testing.B) {
		f, _ := greenlet.Enter()
		defer f.Close()
		root := greenlet.Current()
		var one, two *greenlet.Greenlet
		one = greenlet.New(func(any) (any, error) {
			for i := 0; i < b.N; i += 2 {
				two.Switch(nil)
			}
			return nil, nil
		})
		two = greenlet.New(func(any) (any, error) {
			for {
				one.Switch(nil)
			}
		})
		_ = root
		b.ReportAllocs()
		one.Switch(nil)
	})
	b.Run("iter.Pull", func(b *testing.B) {
		next, stop := iter.Pull(func(yield func(int) bool) {
			for yield(0) {
			}
		})
		defer stop()
		b.ReportAllocs()
		for i := 0; i < b.N; i += 2 {
			next()
		}
	})
	b.Run("channel", func(b *testing.B) {
		to, from := make(chan int), make(chan int)
		go func() {
			for range to {
				from <- 0
			}
			close(from)
		}()
		b.ReportAllocs()
		for i := 0; i < b.N; i += 2 {
			to <- 0
			<-from
		}
		close(to)
		<-from
	})
}

// BenchmarkLife is a greenlet's whole life: create, run, finish.
func BenchmarkLife(b *testing.B) {
	fn := func(arg any) (any, error) { return arg, nil }
	b.Run("greenlet", func(b *testing.B) {
		f, _ := greenlet.Enter()
		defer f.Close()
		b.ReportAllocs()
		for b.Loop() {
			greenlet.New(fn).Switch(nil)
		}
	})
	b.Run("iter.Pull", func(b *testing.B) {
		seq := func(yield func(int) bool) { yield(1) }
		b.ReportAllocs()
		for b.Loop() {
			next, stop := iter.Pull(seq)
			next()
			stop()
		}
	})
	b.Run("goroutine", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			done := make(chan struct{})
			go close(done)
			<-done
		}
	})
}

func BenchmarkCurrent(b *testing.B) {
	f, _ := greenlet.Enter()
	defer f.Close()
	for b.Loop() {
		greenlet.Current()
	}
}

// BenchmarkSuspended reports what a suspended greenlet takes, all in all, when there are many.
func BenchmarkSuspended(b *testing.B) {
	const n = 100_000
	measure := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse + m.OtherSys + m.GCSys
	}
	for range b.N {
		f, _ := greenlet.Enter()
		root := greenlet.Current()
		all := make([]*greenlet.Greenlet, n)
		before := measure()
		for i := range all {
			all[i] = greenlet.New(func(any) (any, error) { return root.Switch(nil) })
			all[i].Switch(nil)
		}
		after := measure()
		b.ReportMetric(float64(after-before)/n, "B/greenlet")
		start := time.Now()
		runtime.GC()
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms/GC")
		runtime.KeepAlive(all)
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
