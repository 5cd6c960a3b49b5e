package main

import (
	"context"
	"runtime"
	"time"

	"github.com/seed1239206e/repaint/bench/internal/measure"
)

// counted is the largest number of calls in a row of which CPU time and allocations are taken.
const counted = 100

// callByCall makes the sides call in turns, so that whatever slows the machine down slows all of
// them. It shows differences that are much smaller than those between two runs. The rate is that of
// the median call. CPU time and allocations are those of calls in a row.
func callByCall(ctx context.Context, w workload, sides []side, length time.Duration) ([]measure.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(len(sides))*length+2*time.Minute)
	defer cancel()
	i := 0
	for begun := time.Now(); i < 3 || time.Since(begun) < length/5; i++ {
		for _, s := range sides {
			if err := w.do(s, ctx, i); err != nil {
				return nil, err
			}
		}
	}
	room := 10 * i
	calls := make([][]time.Duration, len(sides))
	for k := range calls {
		calls[k] = make([]time.Duration, 0, room)
	}
	runtime.GC()
	begun := time.Now()
	for now := begun; now.Sub(begun) < time.Duration(len(sides))*length || len(calls[0]) == 0; i++ {
		for k := range sides {
			if i%2 == 1 {
				k = len(sides) - 1 - k // so that no contestant always comes after the same one, whose caches it would find
			}
			if err := w.do(sides[k], ctx, i); err != nil {
				return nil, err
			}
			last := now
			now = time.Now()
			calls[k] = append(calls[k], now.Sub(last))
		}
	}
	samples := make([]measure.Sample, len(sides))
	for k, s := range sides {
		samples[k] = measure.Latencies(calls[k])
		samples[k].Rate = 1e6 / samples[k].P50
		count, err := measure.Count(ctx, min(counted, len(calls[k])), func(ctx context.Context, i int) error { return w.do(s, ctx, i) })
		if err != nil {
			return nil, err
		}
		samples[k].CPU, samples[k].Allocs, samples[k].Bytes = count.CPU, count.Allocs, count.Bytes
	}
	return samples, nil
}
