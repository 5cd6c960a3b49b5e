// Package dbtest holds the helpers that the tests of package db and of its dialects share.
package dbtest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/mysql"
	_ "github.com/seed1239206e/repaint/db/sqlite"
	"github.com/seed1239206e/repaint/internal/laststate"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/loop"
)

// A Colour is a way to run blue functions.
type Colour struct {
	Name string
	Loop bool
}

// Blocking is a plain goroutine, InLoop a task in a loop.
var (
	Blocking = Colour{Name: "blocking"}
	InLoop   = Colour{Name: "loop", Loop: true}
)

// BothColours runs a test twice, in a plain goroutine and as a task in a loop. It fails the test if
// goroutines or greenlets are left over.
func BothColours(t *testing.T, fn func(t *testing.T, ctx context.Context, c Colour)) {
	t.Helper()
	t.Run(Blocking.Name, func(t *testing.T) {
		leakcheck.Test(t)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		fn(t, ctx, Blocking)
	})
	t.Run(InLoop.Name, func(t *testing.T) { inLoop(t, fn) })
}

// WithVirtualClock runs a test as a task in a loop with a virtual clock, as BothColours does.
func WithVirtualClock(t *testing.T, fn func(t *testing.T, ctx context.Context, c Colour)) {
	t.Helper()
	t.Run("loop with a virtual clock", func(t *testing.T) { inLoop(t, fn, loop.VirtualClock(time.Unix(0, 0))) })
}

func inLoop(t *testing.T, fn func(t *testing.T, ctx context.Context, c Colour), opts ...loop.Option) {
	leakcheck.Test(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
		_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			fn(t, ctx, InLoop)
			return 0, nil
		}))
		return err
	}, opts...))
}

// Together calls fn(0) to fn(n-1), all at once: in tasks of the loop, or in goroutines. It returns
// the first error.
func (c Colour) Together(ctx context.Context, n int, fn func(ctx context.Context, i int) error) error {
	if c.Loop {
		fns := make([]func(context.Context) (int, error), n)
		for i := range fns {
			fns[i] = func(ctx context.Context) (int, error) { return i, fn(ctx, i) }
		}
		_, err := repaint.Gather(ctx, fns...)
		return err
	}
	errs := make(chan error, n)
	for i := range n {
		go send(errs, func() error { return fn(ctx, i) })
	}
	var first error
	for range n {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Go starts fn in a task or goroutine. The returned function waits until fn ends, and returns its
// error.
func (c Colour) Go(ctx context.Context, fn func(ctx context.Context) error) (wait func() error) {
	if c.Loop {
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, fn(ctx) })
		return func() error {
			_, err := repaint.Await(context.WithoutCancel(ctx), task)
			return err
		}
	}
	done := make(chan error, 1)
	go send(done, func() error { return fn(ctx) })
	return func() error { return <-done }
}

// send sends fn's error, even if FailNow of a test ends the goroutine. So the receiver goes on, and
// the test says why.
func send(to chan<- error, fn func() error) {
	err := errors.New("dbtest: the goroutine was ended, by FailNow or Goexit")
	defer func() { to <- err }()
	err = fn()
}

// Databases runs a test on a new database in memory and on one in a file, in both colours.
// Afterwards it closes the engine, which must succeed.
func Databases(t *testing.T, fn func(t *testing.T, ctx context.Context, e *db.Engine, c Colour)) {
	t.Helper()
	for _, where := range []string{"memory", "file"} {
		t.Run(where, func(t *testing.T) {
			BothColours(t, func(t *testing.T, ctx context.Context, c Colour) {
				url := "sqlite://"
				if where == "file" {
					url = File(t)
				}
				fn(t, ctx, Open(t, ctx, url), c)
			})
		})
	}
}

// Everywhere is Databases, and also runs the test on a new database of the private MariaDB server.
// Where there is no such server, it skips that part.
func Everywhere(t *testing.T, fn func(t *testing.T, ctx context.Context, e *db.Engine, c Colour), opts ...db.Option) {
	t.Helper()
	for _, where := range []string{"memory", "file"} {
		t.Run(where, func(t *testing.T) {
			BothColours(t, func(t *testing.T, ctx context.Context, c Colour) {
				url := "sqlite://"
				if where == "file" {
					url = File(t)
				}
				fn(t, ctx, Open(t, ctx, url, opts...), c)
			})
		})
	}
	t.Run("mariadb", func(t *testing.T) {
		server := testserver.MariaDB(t)
		BothColours(t, func(t *testing.T, ctx context.Context, c Colour) {
			fn(t, ctx, Open(t, ctx, server.Database(t).URL(), opts...), c)
		})
	})
}

// Key returns the definition of a column whose keys the engine's database generates.
func Key(e *db.Engine) string {
	if e.Dialect().Name() == "sqlite" {
		return "integer primary key"
	}
	return "bigint auto_increment primary key"
}

// Items makes the empty table items(id, value). The database generates its ids.
func Items(t testing.TB, ctx context.Context, q db.Querier, e *db.Engine) {
	t.Helper()
	Exec(t, ctx, q, "create table items(id "+Key(e)+", value varchar(100) not null)")
}

// File returns the URL of a new database file.
func File(t testing.TB) string {
	return fmt.Sprintf("sqlite:///%s/test.db?synchronous=off", filepath.ToSlash(t.TempDir()))
}

// Open opens an Engine and closes it at the end of the test. By then all its connections must be
// back.
func Open(t testing.TB, ctx context.Context, url string, opts ...db.Option) *db.Engine {
	t.Helper()
	e, err := db.Open(ctx, url, opts...)
	require.NoError(t, err)
	laststate.Add(t, func() any { return e.Stats() })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		require.NoError(t, e.Close(ctx))
		require.Zero(t, e.Stats().Open, "connections that are still open")
	})
	return e
}

// Exec runs statements that must succeed.
func Exec(t testing.TB, ctx context.Context, q db.Querier, statements ...string) {
	t.Helper()
	for _, st := range statements {
		_, err := q.Exec(ctx, st)
		require.NoError(t, err)
	}
}

// UntilWaiting returns when n callers wait in the engine. In a loop it lets the other tasks run;
// elsewhere it polls. It panics, with the Engine's figures, if the context ends first.
func UntilWaiting(ctx context.Context, e *db.Engine, n int) {
	for e.Stats().Waiting != n {
		if err := repaint.Sleep(ctx, 0); err != nil {
			panic(fmt.Errorf("dbtest: waiting until %d callers wait: %w; the figures are %+v", n, err, e.Stats()))
		}
	}
}
