package backend_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/sqlite"
)

// around is SQLite's dialect with another Connector around SQLite's.
type around struct {
	sqlite.Dialect
	name string
	wrap func(backend.Connector) backend.Connector
}

func (d around) Name() string { return d.name }

func (d around) Connector(u *backend.URL) (backend.Connector, error) {
	c, err := d.Dialect.Connector(u)
	if err != nil {
		return nil, err
	}
	return d.wrap(c), nil
}

// inTask calls fn in a task of a loop.
func inTask(ctx context.Context, fn func(ctx context.Context) error) {
	err := repaint.Run(ctx, func(ctx context.Context) error {
		_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (any, error) { return nil, fn(ctx) }))
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
}

// lane is a Connector that runs single statements of all callers on one connection.
type lane struct {
	backend.Connector

	mu   sync.Mutex // held during each use of what follows
	conn backend.Session
	runs int
	shut bool
}

// Limits says that the pool has one connection. The Engine calls Once only if it needn't separate
// writers itself, which it does with OneWriter and several connections.
func (l *lane) Limits() backend.Limits { return backend.Limits{MaxConns: 1, Local: true} }

func (l *lane) Once(ctx context.Context, c *backend.Call) (err error) {
	if c.ReadOnly {
		return driver.ErrSkip // the lane would have to refuse writes
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut {
		return backend.Errorf(backend.ErrClosed, "the lane is closed")
	}
	if l.conn == nil {
		if l.conn, err = l.Connect(ctx); err != nil {
			return err
		}
	}
	l.runs++
	return l.conn.Do(ctx, c)
}

func (l *lane) Finish(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shut = true
	return l.renew(ctx)
}

// Lanes makes the lane a LaneCounter.
func (l *lane) Lanes() backend.Lanes {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := backend.Lanes{Max: 1}
	if l.conn != nil {
		f.Open = 1
	}
	return f
}

// Renew makes the lane a Renewer.
func (l *lane) Renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.renew(context.Background()) // the connection is gone, whether or not closing it fails
}

func (l *lane) renew(ctx context.Context) error {
	if l.conn == nil {
		return nil
	}
	old := l.conn
	l.conn = nil
	return old.Close(ctx)
}

var (
	_ backend.Shared      = (*lane)(nil)
	_ backend.LaneCounter = (*lane)(nil)
	_ backend.Renewer     = (*lane)(nil)
)

// A read-only statement gets a connection of its own, because the lane skips it.
func ExampleShared() {
	ctx := context.Background()
	l := &lane{}
	e := open(ctx, around{name: "shared", wrap: func(c backend.Connector) backend.Connector { l.Connector = c; return l }})
	defer e.Close(ctx)
	for range 3 {
		fmt.Println(db.Scalar[int](ctx, e, "select 1"))
	}
	fmt.Println(db.Scalar[int](ctx, e.Reader(), "select 2"))
	fmt.Println(l.runs, "on the lane")
	// Output:
	// 1 <nil>
	// 1 <nil>
	// 1 <nil>
	// 2 <nil>
	// 3 on the lane
}

func ExampleLaneCounter() {
	ctx := context.Background()
	e := open(ctx, around{name: "counted", wrap: func(c backend.Connector) backend.Connector { return &lane{Connector: c} }})
	defer e.Close(ctx)
	fmt.Println(db.Scalar[int](ctx, e, "select 1"))
	s := e.Stats()
	fmt.Println(s.Lanes.Open, "of", s.Lanes.Max)
	// Output:
	// 1 <nil>
	// 1 of 1
}

func ExampleLanes() {
	f := backend.Lanes{Open: 2, Max: 4, Running: 150, Waiting: 3}
	if f.Open < f.Max && f.Waiting > 0 {
		fmt.Println("another connection is being opened for", f.Waiting, "statements")
	}
	// Output: another connection is being opened for 3 statements
}

// Reset closes the connection that carries statements of many callers, too.
func ExampleRenewer() {
	ctx := context.Background()
	e := open(ctx, around{name: "renewed", wrap: func(c backend.Connector) backend.Connector { return &lane{Connector: c} }})
	defer e.Close(ctx)
	fmt.Println(db.Scalar[int](ctx, e, "select 1"))
	fmt.Println(e.Stats().Lanes.Open)
	e.Reset()
	fmt.Println(e.Stats().Lanes.Open)
	// Output:
	// 1 <nil>
	// 1
	// 0
}

// watched is a Converter that tells where the calls of its Sessions run.
type watched struct{ backend.Converter }

func (w watched) Convert(c *backend.Call) (ok bool, err error) {
	fmt.Println("Convert in the task:", repaint.InGreenlet())
	return w.Converter.Convert(c)
}

func (w watched) Connect(ctx context.Context) (backend.Session, error) {
	s, err := w.Converter.Connect(ctx)
	return watchedSession{s}, err
}

// watchedSession tells where its calls run.
type watchedSession struct{ backend.Session }

func (s watchedSession) Do(ctx context.Context, c *backend.Call) error {
	fmt.Println("Do in the task:", repaint.InGreenlet())
	return s.Session.Do(ctx, c)
}

// A Converter's Sessions block. So a loop converts the arguments, and another goroutine does the
// rest.
func ExampleConverter() {
	ctx := context.Background()
	e := open(ctx, around{name: "blocking", wrap: func(c backend.Connector) backend.Connector { return watched{c.(backend.Converter)} }})
	defer e.Close(ctx)
	inTask(ctx, func(ctx context.Context) error {
		n, err := db.Scalar[int](ctx, e, "select :n", db.Named("n", 5))
		fmt.Println(n)
		return err
	})
	// Output:
	// Convert in the task: true
	// Do in the task: false
	// 5
}

// suspending is a Converter whose Sessions suspend their task where they have to wait.
type suspending struct{ watched }

func (suspending) Suspends() bool { return true }

var _ backend.Suspender = suspending{}

// A Suspender's Sessions work in the task itself.
func ExampleSuspender() {
	ctx := context.Background()
	e := open(ctx, around{name: "suspending", wrap: func(c backend.Connector) backend.Connector {
		return suspending{watched{c.(backend.Converter)}}
	}})
	defer e.Close(ctx)
	inTask(ctx, func(ctx context.Context) error {
		n, err := db.Scalar[int](ctx, e, "select :n", db.Named("n", 5))
		fmt.Println(n)
		return err
	})
	// Output:
	// Convert in the task: true
	// Do in the task: true
	// 5
}

// wary is a Hasty connector that runs no query of the table big inline.
type wary struct{ backend.Hasty }

func (w wary) Short(st *backend.Statement, begins *backend.TxOptions) bool {
	return !strings.Contains(st.Source, "big") && w.Hasty.Short(st, begins)
}

// openWary opens an Engine with the tables small and big. Each call counts as short.
func openWary(ctx context.Context) *db.Engine {
	e := open(ctx, around{name: "wary", wrap: func(c backend.Connector) backend.Connector { return wary{c.(backend.Hasty)} }},
		db.InlineLimit(time.Hour))
	if _, err := e.Exec(ctx, "create table small(n); create table big(n)"); err != nil {
		panic(err)
	}
	return e
}

// After eight short runs a statement runs inline, unless the Hasty connector knows better.
func ExampleHasty() {
	ctx := context.Background()
	e := openWary(ctx)
	defer e.Close(ctx)
	inTask(ctx, func(ctx context.Context) error {
		for _, table := range []string{"big", "small"} {
			before := e.Stats().Calls.Inline
			for range 20 {
				if _, err := db.Scalar[int](ctx, e, "select count(*) from "+table); err != nil {
					return err
				}
			}
			fmt.Println(table, e.Stats().Calls.Inline > before)
		}
		return nil
	})
	// Output:
	// big false
	// small true
}

// Each call counts once, as inline or as offloaded.
func ExampleCalls() {
	ctx := context.Background()
	e := openWary(ctx)
	defer e.Close(ctx)
	inTask(ctx, func(ctx context.Context) error {
		before := e.Stats().Calls
		for range 20 {
			if _, err := db.Scalar[int](ctx, e, "select count(*) from big"); err != nil {
				return err
			}
		}
		after := e.Stats().Calls
		fmt.Println(after.Inline-before.Inline, after.Offloaded-before.Offloaded)
		return nil
	})
	// Output: 0 20
}

// impatient is a Connector whose Sessions end something by themselves.
type impatient struct{ backend.Connector }

// Limits says that the database isn't in this process. Otherwise endings have no limit.
func (impatient) Limits() backend.Limits { return backend.Limits{MaxConns: 1} }

func (impatient) LimitEndings(d time.Duration) { fmt.Println("an ending takes", d, "at most") }

var _ backend.Limited = impatient{}

func ExampleLimited() {
	ctx := context.Background()
	e := open(ctx, around{name: "limited", wrap: func(c backend.Connector) backend.Connector { return impatient{c} }},
		db.TeardownTimeout(3*time.Second))
	fmt.Println(e.Close(ctx))
	// Output:
	// an ending takes 3s at most
	// <nil>
}

// enders is a Converter whose Sessions know that a commit is short, and a rollback isn't.
type enders struct{ backend.Converter }

func (c enders) Connect(ctx context.Context) (backend.Session, error) {
	s, err := c.Converter.Connect(ctx)
	return ender{s}, err
}

type ender struct{ backend.Session }

func (ender) EndsSoon(commit bool) bool { return commit }

func (s ender) Commit(ctx context.Context) error {
	fmt.Println("Commit in the task:", repaint.InGreenlet())
	return s.Session.Commit(ctx)
}

func (s ender) Rollback(ctx context.Context) error {
	fmt.Println("Rollback in the task:", repaint.InGreenlet())
	return s.Session.Rollback(ctx)
}

var _ backend.HastyEnder = ender{}

func ExampleHastyEnder() {
	ctx := context.Background()
	e := open(ctx, around{name: "enders", wrap: func(c backend.Connector) backend.Connector { return enders{c.(backend.Converter)} }})
	defer e.Close(ctx)
	inTask(ctx, func(ctx context.Context) error {
		for _, outcome := range []error{nil, errors.New("changed my mind")} {
			err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				if _, err := tx.Exec(ctx, "create table if not exists t(n)"); err != nil {
					return err
				}
				return outcome
			})
			fmt.Println(err)
		}
		return nil
	})
	// Output:
	// Commit in the task: true
	// <nil>
	// Rollback in the task: false
	// changed my mind
}
