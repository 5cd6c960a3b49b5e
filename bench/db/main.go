// Db compares package db with other libraries on the same drivers and the same databases, in turns:
// database/sql, with statements that are prepared once or not, sqlx, bun, and SQLAlchemy's Core,
// sync and async. It prints a table of medians for each case, with the ratio of db's calls to those
// of each library.
//
//	cd bench && go run ./db                            everything: some 5 minutes
//	cd bench && go run ./db -goals                     what the goals are about, and which of them are met
//	cd bench && go run ./db -only 'PostgreSQL: point'  the cases whose name matches this regular expression
//	cd bench && go run ./db -with '^db|sqlx'           the contestants whose name matches this one
//	cd bench && go run ./db -json db.json              all samples, too, to be read by programs
//
// It starts a private PostgreSQL and MariaDB from the system's binaries. SQLite is in memory, and
// in a file in a temporary directory, without waiting for the disk. Drivers are modernc.org/sqlite,
// go-sql-driver/mysql, and for PostgreSQL ours and pgx's stdlib. Each has its best settings:
// interpolateParams for MySQL's where statements aren't prepared, the simple protocol for bun,
// which writes arguments into the text. SQLAlchemy's drivers are sqlite3, aiosqlite, psycopg2,
// asyncpg and pymysql, from Debian's packages python3-sqlalchemy, python3-greenlet,
// python3-aiosqlite, python3-psycopg2, python3-asyncpg and python3-pymysql. SQLAlchemy commits each
// statement by itself, as the others do, and its sync callers are threads. Db says what is missing,
// and leaves it out.
//
// Each contestant has at most 16 connections to a server, 4 to a file, and 1 to memory, where a
// second one that writes would fail instead of waiting. For SQLite, db decides by itself. "Call by
// call" means that the contestants make one call in turn, in five times as many rounds. This shows
// differences that are smaller than those between two runs. There, ns/op is that of the median
// call. -rounds 10 makes it more precise. The goals have a line that says how much of a difference
// remains chance.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/seed1239206e/repaint/bench/internal/measure"
	"github.com/seed1239206e/repaint/bench/internal/plan"
	"github.com/seed1239206e/repaint/bench/internal/report"
)

func main() {
	plan.Main("db", func(ctx context.Context, tb testing.TB, out io.Writer, p plan.Plan) error {
		return comparison{p, workloads}.run(ctx, tb, out)
	})
}

type comparison struct {
	plan.Plan
	workloads []workload
}

// run compares and prints.
func (p comparison) run(ctx context.Context, tb testing.TB, out io.Writer) error {
	r := new(report.Results)
	cases, err := p.Select(p.cases(), goals(r))
	if err != nil {
		return err
	}
	all, missing := contestants()
	all = slices.DeleteFunc(all, func(c contestant) bool { return !p.With.MatchString(c.name) })
	if len(all) == 0 {
		return fmt.Errorf("no contestant matches %q; their names are in the tables", p.With)
	}
	found, servers, absent := kinds(tb, func(name string) bool {
		return slices.ContainsFunc(cases, func(c report.Case) bool { return c.Database == name })
	})
	for _, c := range cases {
		i := slices.IndexFunc(found, func(k kind) bool { return k.name == c.Database })
		if i < 0 {
			continue // it is absent
		}
		k := found[i]
		if err := p.compare(ctx, r, k, c, all); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		r.Table(out, c, ours, columns)
	}
	return p.Finish(out, r, goals(r), servers, append(absent, missing...))
}

func (p comparison) cases() (all []report.Case) {
	for _, database := range []string{memory, file, postgres, maria} {
		for _, w := range p.workloads {
			for _, callers := range w.callers {
				all = append(all, report.Case{Database: database, Workload: w.name, Callers: callers})
			}
		}
	}
	return all
}

func (p comparison) workload(c report.Case) workload {
	return p.workloads[slices.IndexFunc(p.workloads, func(w workload) bool { return w.name == c.Workload })]
}

// compare runs one case with all contestants that take part.
func (p comparison) compare(ctx context.Context, r *report.Results, k kind, c report.Case, all []contestant) error {
	w := p.workload(c)
	all = slices.DeleteFunc(slices.Clone(all), func(x contestant) bool { return !x.takesPart(k.name, w) })
	if w.byCall {
		return p.compareByCall(ctx, r, k, c, all)
	}
	opened, err := openAll(ctx, k, all, w, c.Callers)
	if err != nil {
		return err
	}
	entrants := make([]plan.Entrant, len(opened))
	for i, e := range opened {
		entrants[i] = plan.Entrant{Name: all[i].name, Measure: func() (measure.Sample, error) { return e.measure(ctx, p.Plan) }}
	}
	return errors.Join(p.Compare(r, c, entrants), closeAll(ctx, opened))
}

// reopened is how many short rounds a call-by-call comparison has for each round of the plan. Each
// short round opens connections of its own: the processors on which connections end up make more of
// a difference than the one that is looked for.
const reopened = 5

func (p comparison) compareByCall(ctx context.Context, r *report.Results, k kind, c report.Case, all []contestant) error {
	w := p.workload(c)
	for range reopened * p.Rounds {
		opened, err := openAll(ctx, k, all, w, c.Callers)
		if err != nil {
			return err
		}
		sides := make([]side, len(opened))
		for i, e := range opened {
			sides[i] = e.side
		}
		samples, err := callByCall(ctx, w, sides, p.Length/reopened)
		if err := errors.Join(err, closeAll(ctx, opened)); err != nil {
			return err
		}
		for i, s := range samples {
			r.Add(c, all[i].name, s)
		}
	}
	return nil
}

// openAll opens all contestants, or none.
func openAll(ctx context.Context, k kind, all []contestant, w workload, callers int) ([]*entrant, error) {
	var opened []*entrant
	for _, x := range all {
		e, err := open(ctx, k, x, w, callers)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", x.name, err), closeAll(ctx, opened))
		}
		opened = append(opened, e)
	}
	return opened, nil
}

func closeAll(ctx context.Context, all []*entrant) error {
	var errs []error
	for _, e := range all {
		errs = append(errs, e.close(ctx))
	}
	return errors.Join(errs...)
}

// An entrant is a contestant in a case, with a place to work in.
type entrant struct {
	*place
	side     side
	scripted *scripted // instead of side
	callers  measure.Callers
	w        workload
}

func open(ctx context.Context, k kind, x contestant, w workload, callers int) (*entrant, error) {
	p, err := k.open()
	if err != nil {
		return nil, err
	}
	e := &entrant{place: p, callers: measure.Callers{N: callers, Loop: x.loop}, w: w}
	if x.python != nil {
		e.scripted, err = x.python(ctx, p, w, callers)
	} else {
		e.side, err = x.open(ctx, p)
	}
	if err != nil {
		return nil, errors.Join(err, p.remove())
	}
	for _, text := range p.setup {
		if err := e.side.exec(ctx, text); err != nil {
			return nil, errors.Join(err, e.close(ctx))
		}
	}
	return e, nil
}

func (e *entrant) measure(ctx context.Context, p plan.Plan) (measure.Sample, error) {
	if e.scripted != nil {
		return e.scripted.measure(ctx, p.Length)
	}
	if e.w.empty {
		if err := e.side.exec(ctx, e.clear); err != nil {
			return measure.Sample{}, err
		}
	}
	return e.callers.Run(ctx, p.Length, func(ctx context.Context, i int) error { return e.w.do(e.side, ctx, i) })
}

func (e *entrant) close(ctx context.Context) error {
	if e.scripted != nil {
		return errors.Join(e.scripted.process.Close(), e.remove())
	}
	return errors.Join(e.side.close(ctx), e.remove())
}
