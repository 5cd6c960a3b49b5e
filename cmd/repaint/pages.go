package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/terminal"
	"github.com/seed1239206e/repaint/trace"
)

// Act 1: many requests at once, each of which reads a page and then the page's author.

// A page is a row of the demo's table.
type page struct {
	ID     int64
	Title  string
	Author int64
}

// An author is a row of the demo's other table.
type author struct {
	ID   int64
	Name string
}

const (
	mostPages   = 1000
	mostAuthors = 100
)

// pages finds pages and authors. The ways of act 1 differ in how it does so.
type pages struct {
	page   func(ctx context.Context, id int64) (page, error)
	author func(ctx context.Context, id int64) (author, error)
}

// show is one request. It is blue: nothing in it shows that it runs in a loop, or in a batch.
func show(ctx context.Context, p *pages, id int64) error {
	page, err := p.page(ctx, id)
	if err != nil {
		return err
	}
	author, err := p.author(ctx, page.Author)
	if err != nil {
		return err
	}
	if want := authorOf(id); page.ID != id || author != want {
		return fmt.Errorf("wrong author of page %d: got %q, want %q", id, author.Name, want.Name)
	}
	return nil
}

func authorOf(page int64) author {
	id := page%mostAuthors + 1
	return author{id, fmt.Sprint("author ", id)}
}

// from returns the pages that a Querier finds one by one.
func (d *demo) from(q db.Querier) *pages {
	return &pages{
		page: func(ctx context.Context, id int64) (page, error) {
			return db.One[page](ctx, q, "select id, title, author from "+d.prefix+"page where id = :id", db.Named("id", id))
		},
		author: func(ctx context.Context, id int64) (author, error) {
			return db.One[author](ctx, q, "select id, name from "+d.prefix+"author where id = :id", db.Named("id", id))
		},
	}
}

// loaded returns the pages that two Loaders find, many at a time.
func (d *demo) loaded(q db.Querier) *pages {
	page := func(p page) int64 { return p.ID }
	author := func(a author) int64 { return a.ID }
	return &pages{
		page:   loader(q, "select id, title, author from "+d.prefix+"page where id in (:ids)", page).Load,
		author: loader(q, "select id, name from "+d.prefix+"author where id in (:ids)", author).Load,
	}
}

func loader[T any](q db.Querier, query string, key func(T) int64) *coop.Loader[int64, T] {
	return coop.NewLoader(func(ctx context.Context, ids []int64) (map[int64]T, error) {
		rows, err := db.All[T](ctx, q, query, db.Named("ids", ids))
		found := make(map[int64]T, len(rows))
		for _, row := range rows {
			found[key(row)] = row
		}
		return found, err
	}, coop.MaxBatch(1000))
}

// A way is how act 1 makes its requests.
type way struct {
	name   string
	inLoop bool
	// pages returns what one request uses, and the function that ends that use.
	pages func(ctx context.Context) (p *pages, done func(), err error)
}

// ways returns the ways that the database supports.
func (d *demo) ways() []way {
	same := func(p *pages) func(context.Context) (*pages, func(), error) {
		return func(context.Context) (*pages, func(), error) { return p, func() {}, nil }
	}
	one := d.from(d.engine)
	if name := d.engine.Dialect().Name(); name != "postgres" && name != "postgresql" {
		return []way{
			{"goroutines", false, same(one)},
			{"greenlets", true, same(one)},
			{"greenlets, Loader", true, same(d.loaded(d.engine))},
		}
	}
	pool := func(ctx context.Context) (*pages, func(), error) {
		conn, err := d.engine.Connect(ctx)
		if err != nil {
			return nil, nil, err
		}
		return d.from(conn), func() { _ = conn.Close() }, nil
	}
	return []way{
		{"pool, goroutines", false, pool},
		{"pipelined, goroutines", false, same(one)},
		{"pipelined, greenlets", true, same(one)},
		{"pipelined, Loader", true, same(d.loaded(d.engine))},
	}
}

// An outcome has the results of the requests of one way.
type outcome struct {
	way        way
	begun      bool
	correct    []bool // by request
	took       time.Duration
	statements int64
}

// showPages shows act 1, and returns an error if a request failed.
func (d *demo) showPages(ctx context.Context) error {
	d.heading(1, fmt.Sprintf("%s, each reads a page and then its author", terminal.Counted(d.requests, "request")))
	var outcomes []outcome
	var failed []error
	err := d.withTables(ctx, [][2]string{
		{"author", "id integer not null primary key, name varchar(64) not null"},
		{"page", "id integer not null primary key, title varchar(64) not null, author integer not null"},
	}, func() error {
		if err := d.fill(ctx); err != nil {
			return interrupted(ctx, err)
		}
		for _, w := range d.ways() {
			o, err := d.pass(ctx, w)
			outcomes = append(outcomes, o)
			failed = append(failed, err)
		}
		return d.traceSome(ctx)
	})
	failed = append(failed, err)
	return d.verdict(ctx, outcomes, errors.Join(failed...))
}

// fill writes the rows, and reads some. Otherwise the first way would pay for opening the
// connections.
func (d *demo) fill(ctx context.Context) error {
	var authors []author
	for i := range int64(mostAuthors) {
		authors = append(authors, author{i + 1, fmt.Sprint("author ", i+1)})
	}
	var all []page
	for i := range int64(min(d.requests, mostPages)) {
		all = append(all, page{i + 1, fmt.Sprint("page ", i+1), authorOf(i + 1).ID})
	}
	if _, err := db.ExecMany(ctx, d.engine, "insert into "+d.prefix+"author (id, name) values (:id, :name)", authors); err != nil {
		return err
	}
	if _, err := db.ExecMany(ctx, d.engine, "insert into "+d.prefix+"page (id, title, author) values (:id, :title, :author)", all); err != nil {
		return err
	}
	for _, w := range d.ways() {
		if w.inLoop {
			continue
		}
		_, err := d.make(ctx, &outcome{way: w, correct: make([]bool, min(d.requests, 200))}, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

// mostTraced is how many requests a timeline shows of each way that runs in a loop.
const mostTraced = 200

// traceSome writes the timeline, if the user wants one. It makes requests of its own, because
// tracing takes time.
func (d *demo) traceSome(ctx context.Context) error {
	if d.trace == "" || ctx.Err() != nil {
		return nil
	}
	t := trace.Start()
	defer t.Stop()
	for _, w := range d.ways() {
		if !w.inLoop {
			continue
		}
		failed, err := d.make(ctx, &outcome{way: w, correct: make([]bool, min(d.requests, mostTraced))}, nil)
		if err := errors.Join(err, failed.err()); err != nil {
			return err
		}
	}
	t.Stop()
	file, err := os.Create(d.trace)
	if err != nil {
		return fmt.Errorf("write the timeline: %w", err)
	}
	return errors.Join(t.WriteHTML(file), file.Close())
}

// pass makes all requests in one way.
func (d *demo) pass(ctx context.Context, w way) (outcome, error) {
	o := outcome{way: w, correct: make([]bool, d.requests)}
	if ctx.Err() != nil {
		return o, nil
	}
	o.begun = true
	bar := terminal.NewBar(d.out, d.errOut, w.name, d.requests)
	before, start := d.statements.Load(), time.Now()
	failed, err := d.make(ctx, &o, bar)
	o.took, o.statements = time.Since(start), d.statements.Load()-before
	bar.Finish()
	if ctx.Err() != nil {
		return o, nil // errors that the interrupt caused aren't worth a report
	}
	return o, errors.Join(err, failed.err())
}

// make lets tasks or goroutines share the requests.
func (d *demo) make(ctx context.Context, o *outcome, bar *terminal.Bar) (*failures, error) {
	var failed failures
	work := func(ctx context.Context) error {
		var next atomic.Int64
		group := repaint.NewGroup(ctx)
		for range min(d.tasks, len(o.correct)) {
			group.Go(func(ctx context.Context) error {
				for {
					i := int(next.Add(1)) - 1
					if i >= len(o.correct) || ctx.Err() != nil {
						return nil
					}
					if err := d.one(ctx, o.way, int64(i%mostPages)+1); err != nil {
						failed.add(fmt.Errorf("request %d (%s): %w", i+1, o.way.name, err))
					} else {
						o.correct[i] = true
					}
					bar.Add()
				}
			})
		}
		return group.Wait()
	}
	if o.way.inLoop {
		return &failed, repaint.Run(ctx, work)
	}
	return &failed, work(ctx)
}

func (d *demo) one(ctx context.Context, w way, id int64) error {
	p, done, err := w.pages(ctx)
	if err != nil {
		return err
	}
	defer done()
	if d.request != nil {
		return d.request(ctx, p, id)
	}
	return show(ctx, p, id)
}

// failures keeps the first few errors and counts the others. Any goroutine may use it.
type failures struct {
	mu    sync.Mutex
	first []error
	more  int
}

func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.first) < 5 {
		f.first = append(f.first, err)
	} else {
		f.more++
	}
}

func (f *failures) err() error {
	errs := slices.Clone(f.first)
	if f.more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", f.more))
	}
	return errors.Join(errs...)
}
