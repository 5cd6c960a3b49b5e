package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/pg"
)

// A contestant is a driver, and how its callers run.
type contestant struct {
	name string
	loop bool
	open func(ctx context.Context, url string) (db database, connections func() int, shut func(), err error)
}

var contestants = []contestant{
	{"pgxpool of 16", false, pool(16)},
	{"pgxpool of 4", false, pool(4)},
	{"pgxpool of 64", false, pool(64)},
	{"pg, goroutines", false, lanes},
	{"pg, one loop", true, lanes},
}

func pool(n int) func(context.Context, string) (database, func() int, func(), error) {
	return func(ctx context.Context, url string) (database, func() int, func(), error) {
		p, err := pgxpool.New(ctx, fmt.Sprint(url, "&pool_max_conns=", n))
		if err != nil {
			return nil, nil, nil, err
		}
		return p, func() int { return int(p.Stat().TotalConns()) }, p.Close, nil
	}
}

func lanes(ctx context.Context, url string) (database, func() int, func(), error) {
	db, err := pg.Open(url)
	if err != nil {
		return nil, nil, nil, err
	}
	return db, func() int { return db.Stats().Lanes }, func() { _ = db.Close(ctx) }, nil
}

// A result is what was measured in a round. Times are microseconds.
type result struct{ rate, p50, p99, cpu, connections float64 }

// measure has n callers do the workload for a time, after a short one to warm up.
func (c contestant) measure(ctx context.Context, url string, w workload, n int, length time.Duration) (result, error) {
	db, connections, shut, err := c.open(ctx, url)
	if err != nil {
		return result{}, err
	}
	defer shut()
	if _, _, _, err := c.drive(ctx, db, w, n, length/5); err != nil {
		return result{}, err
	}
	all, took, cpu, err := c.drive(ctx, db, w, n, length)
	if err != nil {
		return result{}, err
	}
	slices.Sort(all)
	calls := float64(len(all))
	micro := func(d time.Duration) float64 { return float64(d) / 1000 }
	return result{
		rate: calls / took.Seconds(), p50: micro(all[len(all)/2]), p99: micro(all[len(all)*99/100]),
		cpu: micro(cpu) / calls, connections: float64(connections()),
	}, nil
}

// drive returns how long each call took, and all of them together, in time and in the process's CPU time.
func (c contestant) drive(ctx context.Context, db database, w workload, n int, length time.Duration) (all []time.Duration, took, cpu time.Duration, err error) {
	var next atomic.Int64
	each := make([][]time.Duration, n)
	start, before := time.Now(), cpuTime()
	caller := func(ctx context.Context, k int) error {
		for {
			begun := time.Now()
			if begun.Sub(start) >= length && len(each[k]) > 0 {
				return nil
			}
			if err := w.do(ctx, db, int(next.Add(1))); err != nil {
				return err
			}
			each[k] = append(each[k], time.Since(begun))
		}
	}
	if c.loop {
		err = repaint.Run(ctx, func(ctx context.Context) error {
			g := repaint.NewGroup(ctx)
			for k := range n {
				g.Go(func(ctx context.Context) error { return caller(ctx, k) })
			}
			return g.Wait()
		})
	} else {
		errs := make([]error, n)
		var wg sync.WaitGroup
		for k := range n {
			wg.Go(func() { errs[k] = caller(ctx, k) })
		}
		wg.Wait()
		for _, e := range errs {
			if err == nil {
				err = e
			}
		}
	}
	return slices.Concat(each...), time.Since(start), cpuTime() - before, err
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
