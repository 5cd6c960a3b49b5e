package measure

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed1239206e/repaint"
)

// Callers are goroutines, or tasks of one loop, that do something again and again.
type Callers struct {
	N    int
	Loop bool
	Unit int // how many calls one operation counts for, because it is a batch of so many; 0 means 1
}

// An Op is what a caller does. i is another number each time, from 1.
type Op func(ctx context.Context, i int) error

// longest is how much longer than planned a measurement may take before its context ends.
const longest = 2 * time.Minute

// Run makes the callers do op for a time, after a short time to warm up. Each caller does it at
// least once. CPU time and allocations are those of the whole process.
func (c Callers) Run(ctx context.Context, length time.Duration, op Op) (Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, length+longest)
	defer cancel()
	warm := c.drive(ctx, length/5, 0, op)
	if warm.err != nil {
		return Sample{}, warm.err
	}
	runtime.GC() // collect now the garbage of earlier measurements, so that it doesn't count here
	run := c.drive(ctx, length, 10*len(warm.calls)/c.N, op)
	return run.sample(max(c.Unit, 1)), run.err
}

// A run is the result of drive.
type run struct {
	calls         []time.Duration // how long each took
	took, cpu     time.Duration   // of all together
	allocs, bytes uint64
	err           error
}

// drive makes room for so many calls of each caller beforehand, so that recording them doesn't
// allocate.
func (c Callers) drive(ctx context.Context, length time.Duration, room int, op Op) run {
	var next atomic.Int64
	each := make([][]time.Duration, c.N)
	for k := range each {
		each[k] = make([]time.Duration, 0, room+1)
	}
	before, start := usage(), time.Now()
	err := c.each(ctx, func(ctx context.Context, k int) error {
		for begun := time.Now(); begun.Sub(start) < length || len(each[k]) == 0; {
			if err := op(ctx, int(next.Add(1))); err != nil {
				return err
			}
			now := time.Now()
			each[k] = append(each[k], now.Sub(begun))
			begun = now
		}
		return nil
	})
	took, after := time.Since(start), usage()
	return run{slices.Concat(each...), took, after.cpu - before.cpu, after.allocs - before.allocs, after.bytes - before.bytes, err}
}

// each calls fn once for each caller, all at once.
func (c Callers) each(ctx context.Context, fn func(ctx context.Context, k int) error) error {
	if c.Loop {
		return repaint.Run(ctx, func(ctx context.Context) error {
			g := repaint.NewGroup(ctx)
			for k := range c.N {
				g.Go(func(ctx context.Context) error { return fn(ctx, k) })
			}
			return g.Wait()
		})
	}
	errs := make([]error, c.N)
	var wg sync.WaitGroup
	for k := range c.N {
		wg.Go(func() { errs[k] = fn(ctx, k) })
	}
	wg.Wait()
	return first(errs)
}

// first returns the first error, and how many there are if they are more.
func first(errs []error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return fmt.Errorf("%w (and %d callers more failed)", errs[0], len(errs)-1)
}

func (r run) sample(unit int) Sample {
	if r.err != nil {
		return Sample{}
	}
	s := Latencies(r.calls)
	calls := float64(len(r.calls) * unit)
	s.Rate = calls / r.took.Seconds()
	s.CPU = Micro(r.cpu) / calls
	s.Allocs, s.Bytes = float64(r.allocs)/calls, float64(r.bytes)/calls
	return s
}

// Count makes one caller do op so many times in a row. The Sample has only the CPU time and memory
// that this took.
func Count(ctx context.Context, times int, op Op) (Sample, error) {
	before := usage()
	for i := range times {
		if err := op(ctx, i+1); err != nil {
			return Sample{}, err
		}
	}
	after, n := usage(), float64(times)
	return Sample{CPU: Micro(after.cpu-before.cpu) / n, Allocs: float64(after.allocs-before.allocs) / n, Bytes: float64(after.bytes-before.bytes) / n}, nil
}

// Latencies returns a Sample that has only the calls' latencies. It sorts the calls.
func Latencies(calls []time.Duration) Sample {
	if len(calls) == 0 {
		return Sample{}
	}
	slices.Sort(calls)
	var sum time.Duration
	for _, d := range calls {
		sum += d
	}
	return Sample{Mean: Micro(sum) / float64(len(calls)), P50: Micro(calls[len(calls)/2]), P99: Micro(calls[len(calls)*99/100])}
}

// Micro returns a duration in microseconds.
func Micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// used is the CPU time and memory that the process has used so far.
type used struct {
	cpu           time.Duration
	allocs, bytes uint64
}

func usage() used {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return used{CPUTime(), m.Mallocs, m.TotalAlloc}
}

// CPUTime returns the CPU time of the process, in user and system mode.
func CPUTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(errors.New("measure: getrusage: " + err.Error())) // this can't fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
