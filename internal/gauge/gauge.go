// Package gauge measures how many calls a second a database answers in the ways in which a program
// can make them: through a plain pool, and through repaint from goroutines, in a loop, by a Reader.
// The command `repaint bench` shows what it finds.
//
// A case is a workload with a number of callers. Each of its ways is measured in every round, in
// turns, and in every other round in the other direction. So what changes on the machine meanwhile
// meets all of them, and a ratio is that of two neighbours.
package gauge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/link"
)

// Options say what is measured, and how long.
type Options struct {
	URL         string // empty for an SQLite file in a temporary directory
	SQL         string // empty for the built-in workloads
	Args        []string
	Callers     []int
	Duration    time.Duration // for each way in a case, in all rounds together
	Rounds      int
	Connections int           // of each way, at most
	Delay       time.Duration // by which each round trip takes longer
	AllowWrites bool

	// Run's goroutine calls these. Each may be nil.
	Opened   func(r *Report, measurements int) // before the first case
	Measured func()                            // after each measurement
	Finished func(r *Report, c *Case)          // after each case, even one that was measured only in part
}

// ErrUsage is wrapped by errors that another command line mends.
var ErrUsage = errors.New("the command can't be carried out")

type usageError struct{ text string }

func (e *usageError) Error() string        { return e.text }
func (e *usageError) Is(target error) bool { return target == ErrUsage }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

const (
	// contactTime is how long the database may take until the first statement is answered.
	contactTime = 10 * time.Second
	// endTime is how long the clean-up may take after an interrupt.
	endTime = 500 * time.Millisecond

	mostCallers     = 10_000
	mostConnections = 1000
	mostRounds      = 100
)

// check reports what is wrong with the numbers.
func (o *Options) check() error {
	switch {
	case len(o.Callers) == 0:
		return usagef("--callers has no number")
	case o.Duration < time.Millisecond || o.Duration > time.Hour:
		return usagef("--duration is %v, but must be from 1ms to 1h", o.Duration)
	case o.Rounds < 1 || o.Rounds > mostRounds:
		return usagef("--rounds is %d, but must be from 1 to %d", o.Rounds, mostRounds)
	case o.Connections < 1 || o.Connections > mostConnections:
		return usagef("--connections is %d, but must be from 1 to %d", o.Connections, mostConnections)
	case o.Delay < 0 || o.Delay > time.Second:
		return usagef("--delay is %v, but must be from 0 to 1s", o.Delay)
	case o.SQL == "" && len(o.Args) > 0:
		return usagef("--args has values, but there is no --sql that takes them")
	}
	for _, n := range o.Callers {
		if n < 1 || n > mostCallers {
			return usagef("--callers has %d, but must have numbers from 1 to %d", n, mostCallers)
		}
	}
	return nil
}

// Run measures all cases. When ctx ends, the Report has what was measured until then and is
// Interrupted, and the error is nil. After an error there is a Report if at least one case was
// measured before.
func Run(ctx context.Context, o Options) (r *Report, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = nil // an error that the interrupt has caused isn't worth a report
			if r == nil {
				r = o.report()
			}
			r.Interrupted = true
		}
	}()
	d, done, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := done(); err == nil {
			err = e
		}
	}()
	workloads, err := o.workloads(ctx, d)
	if err != nil {
		return nil, err
	}
	return o.measure(ctx, d, workloads)
}

// measure measures all cases, and in each of them all ways in turns.
func (o *Options) measure(ctx context.Context, d *database, workloads []*workload) (*Report, error) {
	r := o.report()
	r.Database, r.Server, r.Notes = d.name, d.server, d.notes
	if len(d.setup) > 0 && o.SQL == "" && d.writable {
		drop, err := d.makeTables(ctx)
		if err != nil {
			return r, err
		}
		defer drop()
	}
	if err := d.try(ctx, workloads); err != nil {
		return r, err
	}
	r.Notes = d.notes
	if o.Opened != nil {
		n := 0
		for _, w := range workloads {
			n += len(o.Callers) * len(d.waysFor(w)) * o.Rounds
		}
		o.Opened(r, n)
	}
	for _, w := range workloads {
		for _, callers := range o.Callers {
			c := &Case{Workload: w.name, Statements: len(w.steps), Callers: callers}
			err := o.compare(ctx, d, w, c)
			if c.measured() {
				c.conclude()
				r.Cases = append(r.Cases, c)
				if o.Finished != nil {
					o.Finished(r, c)
				}
			}
			if ctx.Err() != nil {
				r.Interrupted = true
				return r, nil
			}
			if err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// compare measures all ways of a case in turns.
func (o *Options) compare(ctx context.Context, d *database, w *workload, c *Case) error {
	ways := d.waysFor(w)
	results := make(map[*way]*Result)
	for _, x := range ways {
		results[x] = &Result{Way: x.name}
		c.Results = append(c.Results, results[x])
	}
	turns := slices.Clone(ways)
	length := max(o.Duration/time.Duration(o.Rounds), 100*time.Microsecond)
	for range o.Rounds {
		for _, x := range turns {
			s, err := x.measure(ctx, w, c.Callers, length)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", w.name, x.name, err)
			}
			if s.Rate > 0 { // else it was interrupted before the first call
				results[x].Samples = append(results[x].Samples, s)
			}
			if ctx.Err() != nil {
				return nil
			}
			if o.Measured != nil {
				o.Measured()
			}
		}
		slices.Reverse(turns)
	}
	return nil
}

func (o *Options) report() *Report {
	return &Report{
		Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(),
		Delay: Span(o.Delay), Duration: Span(o.Duration), Rounds: o.Rounds, Connections: o.Connections,
	}
}

// open opens the database, with a slow network before it if one is wanted.
func (o *Options) open(ctx context.Context) (_ *database, done func() error, err error) {
	var cleanups []func() error
	end := func() error {
		var errs []error
		for _, fn := range slices.Backward(cleanups) {
			errs = append(errs, fn())
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, end())
		}
	}()
	text, own := o.URL, o.URL == ""
	if own {
		dir, err := os.MkdirTemp("", "repaint-bench-")
		if err != nil {
			return nil, nil, fmt.Errorf("make a temporary directory for the database: %w", err)
		}
		cleanups = append(cleanups, func() error { return os.RemoveAll(dir) })
		text = "sqlite:///" + filepath.ToSlash(filepath.Join(dir, "bench.db"))
	}
	u, err := db.ParseURL(text)
	if err != nil {
		return nil, nil, err
	}
	name := u.String()
	if own {
		name = "an SQLite file in a temporary directory"
	}
	if o.Delay > 0 {
		if own {
			return nil, nil, link.ErrNoServer
		}
		slow, err := link.New(u, o.Delay)
		if err != nil {
			return nil, nil, err
		}
		cleanups = append(cleanups, func() error { slow.Close(); return nil })
	}
	contact, cancel := context.WithTimeout(ctx, contactTime)
	defer cancel()
	writable := o.AllowWrites || own
	var d *database
	if u.Dialect == "postgres" || u.Dialect == "postgresql" {
		d, err = openPostgres(contact, text, u, o, writable)
	} else {
		d, err = openSQL(contact, u, o, writable)
	}
	if err != nil {
		return nil, nil, err
	}
	d.name, d.writable = name, writable
	cleanups = append(cleanups, func() error {
		end, cancel := ending(ctx)
		defer cancel()
		err := d.close(end)
		if ctx.Err() != nil {
			return nil // an interrupted bench has had half a second
		}
		return err
	})
	return d, end, nil
}

// ending returns the context for clean-up that is needed even after an interrupt, but then with a
// short limit.
func ending(ctx context.Context) (context.Context, context.CancelFunc) {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), contactTime)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(endTime, cancel) })
	return end, func() { stop(); cancel() }
}
