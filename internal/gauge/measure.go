package gauge

import (
	"context"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/cputime"
)

// warmUp is how long callers make calls before they are measured, at most.
const warmUp = 250 * time.Millisecond

// measure makes callers call for a time, after a short time to warm up. Each caller makes at least
// one call. When ctx ends meanwhile, the Sample has what was done until then, if need be the
// warm-up.
func (x *way) measure(ctx context.Context, w *workload, callers int, length time.Duration) (Sample, error) {
	if x.ready != nil {
		if err := x.ready(w); err != nil {
			return Sample{}, err
		}
	}
	warm, err := x.span(ctx, w, callers, min(length/5, warmUp))
	if err != nil || ctx.Err() != nil {
		return warm, err
	}
	s, err := x.span(ctx, w, callers, length)
	if s.Rate == 0 {
		return warm, err
	}
	return s, err
}

// span measures for a time.
func (x *way) span(ctx context.Context, w *workload, callers int, length time.Duration) (Sample, error) {
	var found latencies
	before, writesBefore := x.sent()
	cpu, start := cputime.Process(), time.Now()
	err := x.drive(ctx, w, callers, length, &found)
	took, used := time.Since(start), cputime.Process()-cpu
	n := found.count()
	if err != nil || n == 0 {
		return Sample{}, err
	}
	s := Sample{
		Rate: float64(n) / took.Seconds(),
		P50:  Micro(found.quantile(0.50)), P99: Micro(found.quantile(0.99)),
		CPU:         Micro(used) / float64(n),
		Connections: x.connections(),
	}
	if statements, writes := x.sent(); writes > writesBefore && statements > before {
		s.PerWrite = float64(statements-before) / float64(writes-writesBefore)
	}
	return s, nil
}

// sent returns the traffic, or zeros where it isn't known.
func (x *way) sent() (statements, writes uint64) {
	if x.traffic == nil {
		return 0, 0
	}
	return x.traffic()
}

// drive makes the callers call until the time is over or ctx ends. It returns the first error that
// the end of ctx hasn't caused.
func (x *way) drive(ctx context.Context, w *workload, callers int, length time.Duration, found *latencies) error {
	start := time.Now()
	var next atomic.Int64
	each := func(ctx context.Context, k int) error {
		begun := time.Now()
		for first := true; (first || begun.Sub(start) < length) && ctx.Err() == nil; first = false {
			if err := x.do(ctx, w, int(next.Add(1))); err != nil {
				return err
			}
			now := time.Now()
			found.add(k, now.Sub(begun))
			begun = now
		}
		return nil
	}
	var err error
	if x.loop {
		err = repaint.Run(ctx, func(ctx context.Context) error {
			g := repaint.NewGroup(ctx)
			for k := range callers {
				g.Go(func(ctx context.Context) error { return each(ctx, k) })
			}
			return g.Wait()
		})
	} else {
		err = goroutines(ctx, callers, each)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// goroutines calls fn once in each of n goroutines. The first error ends the others' context.
func goroutines(ctx context.Context, n int, fn func(ctx context.Context, k int) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var once sync.Once
	var first error
	var wg sync.WaitGroup
	for k := range n {
		wg.Go(func() {
			if err := fn(ctx, k); err != nil {
				once.Do(func() { first = err; cancel() })
			}
		})
	}
	wg.Wait()
	return first
}

// latencies counts durations in buckets that are 3 % wide, so that it takes the same memory for any
// number of them. Several callers share a shard. Any goroutine may add.
type latencies struct {
	shards [16]shard
}

type shard [buckets]atomic.Uint32

const (
	fine    = 5                       // each power of two has 1<<fine buckets
	buckets = (63 - fine + 1) << fine // for all durations of 63 bits
)

func (l *latencies) add(caller int, d time.Duration) {
	l.shards[caller%len(l.shards)][bucket(d)].Add(1)
}

// bucket returns the index of a duration's bucket.
func bucket(d time.Duration) int {
	n := uint64(max(d, 0))
	high := bits.Len64(n) - fine - 1 // how many low bits don't count
	if high <= 0 {
		return int(n)
	}
	return high<<fine + int(n>>high)
}

// middle returns a duration of a bucket.
func middle(i int) time.Duration {
	high := i>>fine - 1
	if high <= 0 {
		return time.Duration(i)
	}
	return time.Duration(uint64(i-high<<fine)<<high + 1<<(high-1))
}

func (l *latencies) at(i int) (n uint64) {
	for s := range l.shards {
		n += uint64(l.shards[s][i].Load())
	}
	return n
}

func (l *latencies) count() (n uint64) {
	for i := range buckets {
		n += l.at(i)
	}
	return n
}

// quantile returns the duration that the given share of all durations doesn't exceed. There must be
// at least one duration.
func (l *latencies) quantile(part float64) time.Duration {
	wanted, seen := uint64(part*float64(l.count()-1)), uint64(0)
	for i := range buckets {
		if seen += l.at(i); seen > wanted {
			return middle(i)
		}
	}
	return 0
}
