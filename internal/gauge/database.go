package gauge

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/sqltext"
)

// A database is open in all the ways that it supports.
type database struct {
	name, server string
	language     *sqltext.Language
	notes        []string // for the report
	writable     bool
	ways         []*way // the plain pool first

	// reads are the built-in workloads that need no table, writes those that need the bench's own.
	reads, writes []*workload
	setup         []string // makes the tables; %s is the prefix of their names
	tables        []string // the tables that setup makes
	prefix        string

	exec func(ctx context.Context, text string) error
	// prepare makes the server parse a statement without executing it.
	prepare func(ctx context.Context, text string) error
	// refused reports whether the server has refused a statement because it would write.
	refused func(err error) bool
	// unreadable reports whether the server has found that a text is no statement.
	unreadable func(err error) bool
	close      func(ctx context.Context) error
}

// A way is how a program can make its calls. To add one, append it to a database's ways.
type way struct {
	name  string
	loop  bool // the callers are tasks of one loop, else goroutines
	reads bool // it takes only workloads that don't write
	// ready, if it isn't nil, is called before each measurement.
	ready func(w *workload) error
	// do makes one call. i is another number for each call.
	do func(ctx context.Context, w *workload, i int) error
	// connections returns how many there are.
	connections func() int
	// traffic returns how many statements have been sent so far, in how many writes. It is nil if
	// that isn't known.
	traffic func() (statements, writes uint64)
}

// waysFor returns the ways that can do a workload.
func (d *database) waysFor(w *workload) (ways []*way) {
	for _, x := range d.ways {
		if !w.writes || !x.reads {
			ways = append(ways, x)
		}
	}
	return ways
}

// try runs each workload once in each way, so that an error ends the program before it measures
// anything. It leaves a read-only way out if that fails where the other ways succeeded.
func (d *database) try(ctx context.Context, workloads []*workload) error {
	ctx, cancel := context.WithTimeout(ctx, contactTime)
	defer cancel()
	for _, w := range workloads {
		for _, x := range d.waysFor(w) {
			err := x.once(ctx, w)
			switch {
			case err == nil:
			case x.reads && ctx.Err() == nil:
				d.ways = slices.DeleteFunc(d.ways, func(other *way) bool { return other == x })
				d.notes = append(d.notes, fmt.Sprintf("%s is left out: %v", x.name, err))
			case !d.writable && d.refused(err):
				return usagef("the statement writes, which needs --allow-writes; the database says: %v", err)
			case ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded):
				return fmt.Errorf("%s, by %s: one call took longer than the %v that all of them have for a first try: %w", w.name, x.name, contactTime, err)
			default:
				return fmt.Errorf("%s, by %s: %w", w.name, x.name, err)
			}
		}
	}
	return nil
}

// once makes one call.
func (x *way) once(ctx context.Context, w *workload) error {
	if x.ready != nil {
		if err := x.ready(w); err != nil {
			return err
		}
	}
	return x.do(ctx, w, 0)
}

// makeTables makes the tables of the built-in workloads. drop removes them.
func (d *database) makeTables(ctx context.Context) (drop func(), err error) {
	d.prefix = "repaint_bench_" + strings.ToLower(rand.Text()[:8]) + "_"
	drop = func() {
		end, cancel := ending(ctx)
		defer cancel()
		for _, t := range d.tables {
			_ = d.exec(end, "drop table if exists "+d.prefix+t) // there may be none, after an error
		}
	}
	for _, text := range d.setup {
		if err := d.exec(ctx, strings.ReplaceAll(text, "%s", d.prefix)); err != nil {
			drop()
			return nil, fmt.Errorf("making the tables of the built-in workloads: %w", err)
		}
	}
	for _, w := range d.writes {
		for i := range w.steps {
			w.steps[i].text = strings.ReplaceAll(w.steps[i].text, "%s", d.prefix)
			w.steps[i].named = strings.ReplaceAll(w.steps[i].named, "%s", d.prefix)
		}
	}
	return drop, nil
}
