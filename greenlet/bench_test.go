package greenlet_test

import (
	"errors"
	"iter"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/greenlet"
)

// BenchmarkSwitch compares transfers of control. An operation of each sub-benchmark is one switch;
// a round trip takes two.
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

// BenchmarkLife measures a greenlet's whole life: create, run, finish.
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

// BenchmarkThrow throws an error into a greenlet, which catches it and waits again: two transfers.
func BenchmarkThrow(b *testing.B) {
	b.Run("greenlet", func(b *testing.B) {
		f, _ := greenlet.Enter()
		defer f.Close()
		root := greenlet.Current()
		g := greenlet.New(func(any) (any, error) {
			for {
				_, _ = root.Switch(nil)
			}
		})
		_, _ = g.Switch(nil)
		boom := errors.New("boom")
		b.ReportAllocs()
		for b.Loop() {
			_, _ = g.Throw(boom)
		}
	})
	b.Run("panic and recover", func(b *testing.B) {
		boom := errors.New("boom")
		throw := func() {
			defer func() { _ = recover() }()
			panic(boom)
		}
		b.ReportAllocs()
		for b.Loop() {
			throw()
		}
	})
}

// BenchmarkSwitchDepth shows that a switch takes as long deep in calls as on a shallow stack.
func BenchmarkSwitchDepth(b *testing.B) {
	for _, depth := range []int{0, 100, 10_000} {
		b.Run(strconv.Itoa(depth), func(b *testing.B) {
			f, _ := greenlet.Enter()
			defer f.Close()
			root := greenlet.Current()
			var descend func(n int)
			descend = func(n int) {
				if n > 0 {
					descend(n - 1)
					return
				}
				for {
					_, _ = root.Switch(nil)
				}
			}
			g := greenlet.New(func(any) (any, error) { descend(depth); return nil, nil })
			_, _ = g.Switch(nil)
			b.ResetTimer()
			for i := 0; i < b.N; i += 2 {
				_, _ = g.Switch(nil)
			}
		})
	}
}

// BenchmarkSwitchLive shows that a switch takes as long with many suspended greenlets around as
// with none.
func BenchmarkSwitchLive(b *testing.B) {
	for _, live := range []int{0, 1_000, 100_000} {
		b.Run(strconv.Itoa(live), func(b *testing.B) {
			f, _ := greenlet.Enter()
			defer f.Close()
			root := greenlet.Current()
			wait := func(any) (any, error) {
				for {
					_, _ = root.Switch(nil)
				}
			}
			all := make([]*greenlet.Greenlet, live)
			for i := range all {
				all[i] = greenlet.New(wait)
				_, _ = all[i].Switch(nil)
			}
			g := greenlet.New(wait)
			_, _ = g.Switch(nil)
			runtime.GC()
			b.ResetTimer()
			for i := 0; i < b.N; i += 2 {
				_, _ = g.Switch(nil)
			}
			b.StopTimer()
			runtime.KeepAlive(all)
		})
	}
}

// BenchmarkTraced measures a switch while there is a tracer.
func BenchmarkTraced(b *testing.B) {
	f, _ := greenlet.Enter()
	defer f.Close()
	root := greenlet.Current()
	f.AddTracer(func(greenlet.Event, *greenlet.Greenlet, *greenlet.Greenlet) {})
	g := greenlet.New(func(any) (any, error) {
		for {
			_, _ = root.Switch(nil)
		}
	})
	for i := 0; i < b.N; i += 2 {
		_, _ = g.Switch(nil)
	}
}

func BenchmarkGenerator(b *testing.B) {
	b.Run("Generator", func(b *testing.B) {
		f, _ := greenlet.Enter()
		defer f.Close()
		b.ReportAllocs()
		i := 0
		for range greenlet.Generate(func(yield func(int)) {
			for i := 0; ; i++ {
				yield(i)
			}
		}) {
			if i++; i == b.N {
				break
			}
		}
	})
	b.Run("iter.Pull", func(b *testing.B) {
		next, stop := iter.Pull(func(yield func(int) bool) {
			for i := 0; yield(i); i++ {
			}
		})
		defer stop()
		b.ReportAllocs()
		for range b.N {
			next()
		}
	})
}

// BenchmarkPython runs the same with Python's greenlet, where it is installed (on Debian:
// python3-greenlet).
func BenchmarkPython(b *testing.B) {
	out, err := exec.Command("python3", "testdata/peer.py").Output()
	if err != nil {
		b.Skip("python3 with greenlet is not there: ", err)
	}
	for line := range strings.Lines(string(out)) {
		name, ns, _ := strings.Cut(strings.TrimSpace(line), " ")
		value, err := strconv.ParseFloat(ns, 64)
		if err != nil {
			b.Fatal(line, err)
		}
		b.Run(name, func(b *testing.B) { b.ReportMetric(value, "ns/op") })
	}
}

// BenchmarkSuspended reports the memory that a suspended greenlet takes when there are many, how
// much of it is stack, and how long a full collection then takes.
func BenchmarkSuspended(b *testing.B) {
	const n = 100_000
	b.Run("greenlet", func(b *testing.B) { suspendMany(b, n, greenlet.New) })
	b.Run("held", func(b *testing.B) { suspendMany(b, n, heldHere) })
	b.Run("iter.Pull", func(b *testing.B) {
		for range b.N {
			stops := make([]func(), n)
			reportMemory(b, n, func() {
				for i := range stops {
					next, stop := iter.Pull(func(yield func(int) bool) { yield(0) })
					next()
					stops[i] = stop
				}
			})
			for _, stop := range stops {
				stop()
			}
		}
	})
	b.Run("a million", func(b *testing.B) {
		if testing.Short() {
			b.Skip("takes gigabytes")
		}
		suspendMany(b, 1_000_000, greenlet.New)
	})
}

func heldHere(run func(any) (any, error), _ ...greenlet.Option) *greenlet.Greenlet {
	return newHeld(run, greenlet.Current())
}

func suspendMany(b *testing.B, n int, create func(func(any) (any, error), ...greenlet.Option) *greenlet.Greenlet) {
	for range b.N {
		f, _ := greenlet.Enter()
		root := greenlet.Current()
		all := make([]*greenlet.Greenlet, n)
		reportMemory(b, n, func() {
			for i := range all {
				all[i] = create(func(any) (any, error) { return root.Switch(nil) })
				_, _ = all[i].Switch(nil)
			}
		})
		runtime.KeepAlive(all)
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// reportMemory reports the memory per item that fn takes to make n items.
func reportMemory(b *testing.B, n int, fn func()) {
	measure := func() (all, stack uint64) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse + m.OtherSys + m.GCSys, m.StackInuse
	}
	all, stack := measure()
	fn()
	allAfter, stackAfter := measure()
	b.ReportMetric((float64(allAfter)-float64(all))/float64(n), "B/each")
	b.ReportMetric((float64(stackAfter)-float64(stack))/float64(n), "stackB/each")
	start := time.Now()
	runtime.GC()
	b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "ms/GC")
}
