package dbconform

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// run is a case in one colour.
type run struct {
	*testing.T
	*Subject
	ledger *ledger
	ctx    context.Context
	inLoop bool

	e      *db.Engine // nil before the first call of engine
	opened []*db.Engine
	tables []string
	unlock []func(ctx context.Context) // called before the tables are dropped
}

// caseTimeout is how long a case may take. No case waits for time to pass, so one reaches this
// limit only if it hangs.
const caseTimeout = time.Minute

// colours are the ways to run a case: in a plain goroutine, and in a task of a loop.
var colours = []struct {
	name string
	do   func(c *run, fn func(c *run))
}{
	{"goroutine", (*run).do},
	{"task", func(c *run, fn func(c *run)) {
		c.inLoop = true
		require.NoError(c, repaint.Run(c.ctx, func(ctx context.Context) error {
			_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				c.ctx = ctx
				c.do(fn)
				return 0, nil
			}))
			return err
		}))
	}},
}

func inBothColours(t *testing.T, s *Subject, l *ledger, fn func(c *run)) {
	for _, colour := range colours {
		t.Run(colour.name, func(t *testing.T) {
			leakcheck.Test(t)
			l.mu.Lock()
			l.ran++
			l.mu.Unlock()
			ctx, cancel := context.WithTimeout(context.Background(), caseTimeout)
			defer cancel()
			colour.do(&run{T: t, Subject: s, ledger: l, ctx: ctx}, fn)
		})
	}
}

func (c *run) do(fn func(c *run)) {
	defer c.end()
	fn(c)
}

// end drops the case's tables, and closes its engines. All their connections must be back by then.
func (c *run) end() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), 10*time.Second)
	defer cancel()
	for _, unlock := range c.unlock {
		unlock(ctx)
	}
	for i := len(c.tables) - 1; i >= 0; i-- {
		if _, err := c.e.Exec(ctx, "drop table if exists "+c.tables[i]); err != nil && !c.Failed() {
			c.Errorf("dropping the case's table: %v", err)
		}
	}
	for _, e := range c.opened {
		if err := e.Close(ctx); err != nil && !c.Failed() {
			c.Errorf("closing the engine: %v", err)
		}
		if n := e.Stats().Open; n != 0 && !c.Failed() {
			c.Errorf("%d connections are open after Close", n)
		}
	}
}

// engine returns the case's engine. The first call opens it; later options have no effect.
func (c *run) engine(opts ...db.Option) *db.Engine {
	c.Helper()
	if c.e == nil {
		c.e = c.another(opts...)
	}
	return c.e
}

// another opens an engine.
func (c *run) another(opts ...db.Option) *db.Engine {
	c.Helper()
	e, err := c.Open(c.T, c.ctx, opts...)
	require.NoError(c, err)
	c.opened = append(c.opened, e)
	return e
}

var tableNumber atomic.Int64

// table makes a table with the given columns and returns its name.
func (c *run) table(columns ...string) string {
	c.Helper()
	name := fmt.Sprintf("dbconform_%d", tableNumber.Add(1))
	e := c.engine()
	c.exec(e, "drop table if exists "+name)
	c.tables = append(c.tables, name)
	c.exec(e, "create table "+name+" ("+strings.Join(columns, ", ")+")")
	return name
}

// items makes a table with the columns of item, and the rows (1, "value 1") to (n, "value n").
func (c *run) items(n int) string {
	c.Helper()
	name := c.table("id integer primary key", "value varchar(100) not null")
	rows := make([]item, n)
	for i := range rows {
		rows[i] = itemOf(i + 1)
	}
	_, err := db.ExecMany(c.ctx, c.engine(), "insert into "+name+" (id, value) values (:id, :value)", rows)
	require.NoError(c, err)
	return name
}

type item struct {
	ID    int64
	Value string
}

func itemOf(id int) item { return item{int64(id), fmt.Sprint("value ", id)} }

// exec runs a statement that must succeed.
func (c *run) exec(q db.Querier, query string, args ...any) db.Result {
	c.Helper()
	result, err := q.Exec(c.ctx, query, args...)
	require.NoError(c, err)
	return result
}

// insert puts an item into a table.
func (c *run) insert(q db.Querier, table string, id int) {
	c.Helper()
	c.exec(q, "insert into "+table+" (id, value) values (:id, :value)", itemOf(id))
}

// count returns how many rows a table has.
func (c *run) count(q db.Querier, table string) int {
	c.Helper()
	n, err := db.Scalar[int](c.ctx, q, "select count(*) from "+table)
	require.NoError(c, err)
	return n
}

// conn checks out a connection, and closes it at the end of the case.
func (c *run) conn(e *db.Engine, opts ...db.ConnOption) *db.Conn {
	c.Helper()
	conn, err := e.Connect(c.ctx, opts...)
	require.NoError(c, err)
	return conn
}

func (c *run) close(conn *db.Conn) {
	c.Helper()
	require.NoError(c, conn.Close())
}

// is fails the case unless err has the condition, and is an *db.Error that names the dialect.
func (c *run) is(err, condition error) *db.Error {
	c.Helper()
	require.ErrorIs(c, err, condition)
	var e *db.Error
	require.ErrorAs(c, err, &e)
	return e
}

// together calls fn(0) to fn(n-1) at once, in tasks or in goroutines, and returns the first error.
func (c *run) together(n int, fn func(ctx context.Context, i int) error) error {
	waits := make([]func() error, n)
	for i := range waits {
		waits[i] = c.start(c.ctx, func(ctx context.Context) error { return fn(ctx, i) })
	}
	var first error
	for _, wait := range waits {
		if err := wait(); first == nil {
			first = err
		}
	}
	return first
}

// start calls fn in a task or goroutine. The returned function waits until fn ends, and returns its
// error.
func (c *run) start(ctx context.Context, fn func(ctx context.Context) error) (wait func() error) {
	if c.inLoop {
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, fn(ctx) })
		return func() error {
			_, err := repaint.Await(context.WithoutCancel(ctx), task)
			return err
		}
	}
	done := make(chan error, 1)
	go func() { done <- fn(ctx) }()
	return func() error { return <-done }
}

// until lets other tasks and goroutines run until the condition holds.
func (c *run) until(what string, condition func() bool) {
	c.Helper()
	for !condition() {
		require.NoError(c, repaint.Sleep(c.ctx, 0), what)
	}
}

// signal is an event for which one caller waits and which another triggers.
type signal struct{ promise *loop.Promise[struct{}] }

func newSignal() signal { return signal{loop.NewPromise[struct{}](nil)} }

func (s signal) give() { s.promise.Resolve(struct{}{}) }

func (s signal) wait(ctx context.Context) error {
	_, err := repaint.Await(ctx, s.promise.Future())
	return err
}

func named(name string, value any) any { return db.Named(name, value) }

// collect runs the garbage collector until the condition holds.
func (c *run) collect(condition func() bool) {
	c.Helper()
	for !condition() {
		runtime.GC()
		require.NoError(c, repaint.Sleep(c.ctx, 0))
	}
}
