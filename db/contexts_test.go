package db_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// contextKey is the tests' own.
type contextKey struct{}

// ownContext is a context that isn't made by package context.
type ownContext struct {
	context.Context
	done chan struct{}
	mu   sync.Mutex
	err  error
}

func (c *ownContext) Done() <-chan struct{} { return c.done }

func (c *ownContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *ownContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = context.Canceled
		close(c.done)
	}
}

var errWhy = errors.New("the reason of the end")

// makes are the makes of contexts. end ends one; nil if it ends by itself, or never.
var makes = []struct {
	name string
	make func(parent context.Context) (ctx context.Context, end func())
	want []error // what errors.Is finds; none if the wait goes on until it is granted
}{
	{"Background", func(context.Context) (context.Context, func()) { return context.Background(), nil }, nil},
	{"the caller's", func(p context.Context) (context.Context, func()) { return p, nil }, nil},
	{"a value", func(p context.Context) (context.Context, func()) { return context.WithValue(p, contextKey{}, 1), nil }, nil},
	{"WithoutCancel of one that has ended", func(p context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancel(p)
		cancel()
		return context.WithoutCancel(ctx), nil
	}, nil},
	{"cancelled before", func(p context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancel(p)
		cancel()
		return ctx, nil
	}, []error{context.Canceled}},
	{"WithCancel", func(p context.Context) (context.Context, func()) { return context.WithCancel(p) }, []error{context.Canceled}},
	{"WithCancelCause", func(p context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancelCause(p)
		return ctx, func() { cancel(errWhy) }
	}, []error{context.Canceled, errWhy}},
	{"a value in WithCancel", func(p context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancel(p)
		return context.WithValue(ctx, contextKey{}, 1), cancel
	}, []error{context.Canceled}},
	{"independent of the caller's", func(context.Context) (context.Context, func()) { return context.WithCancel(context.Background()) }, []error{context.Canceled}},
	{"joined by AfterFunc", func(p context.Context) (context.Context, func()) {
		other, end := context.WithCancel(context.Background())
		ctx, cancel := context.WithCancel(p)
		context.AfterFunc(other, cancel)
		return ctx, end
	}, []error{context.Canceled}},
	{"another package's", func(p context.Context) (context.Context, func()) {
		ctx := &ownContext{Context: p, done: make(chan struct{})}
		return ctx, ctx.end
	}, []error{context.Canceled}},
	{"below another package's", func(p context.Context) (context.Context, func()) {
		above := &ownContext{Context: p, done: make(chan struct{})}
		ctx, cancel := context.WithCancel(above)
		return ctx, func() { above.end(); cancel() }
	}, []error{context.Canceled}},
	{"WithTimeout", func(p context.Context) (context.Context, func()) {
		ctx, cancel := context.WithTimeout(p, time.Millisecond)
		context.AfterFunc(ctx, cancel)
		return ctx, nil
	}, []error{context.DeadlineExceeded, db.ErrTimeout}},
	{"WithTimeoutCause", func(p context.Context) (context.Context, func()) {
		ctx, cancel := context.WithTimeoutCause(p, time.Millisecond, errWhy)
		context.AfterFunc(ctx, cancel)
		return ctx, nil
	}, []error{context.DeadlineExceeded, errWhy}},
	{"a deadline that has passed", func(p context.Context) (context.Context, func()) {
		ctx, cancel := context.WithDeadline(p, time.Now().Add(-time.Second))
		context.AfterFunc(ctx, cancel)
		return ctx, nil
	}, []error{context.DeadlineExceeded, db.ErrTimeout}},
}

// poolWaits are what waits for the one connection, or for the turn to write.
var poolWaits = map[string]func(ctx context.Context, e *db.Engine) error{
	"Connect": func(ctx context.Context, e *db.Engine) error {
		conn, err := e.Connect(ctx)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "insert into waits values (1)")
		return errors.Join(err, conn.Close())
	},
	"Exec": func(ctx context.Context, e *db.Engine) error {
		_, err := e.Exec(ctx, "insert into waits values (1)")
		return err
	},
	"Begin": func(ctx context.Context, e *db.Engine) error {
		return e.Begin(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "insert into waits values (1)")
			return err
		})
	},
	"ExecMany": func(ctx context.Context, e *db.Engine) error {
		_, err := db.ExecMany(ctx, e, "insert into waits values (:n)", [][]any{{db.Named("n", 1)}})
		return err
	},
}

func TestContextsOfEveryMakeInWaitsForAConnection(t *testing.T) {
	urls := map[string]string{"SQLite in memory": "sqlite://", "SQLite in a file": dbtest.File(t), "MariaDB": testserver.MariaDB(t).Database(t).URL()}
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
				e := dbtest.Open(t, ctx, url, db.PoolSize(1), db.MaxOverflow(0))
				dbtest.Exec(t, ctx, e, "create table if not exists waits (n integer)")
				for _, m := range makes {
					for wait, call := range poolWaits {
						tx, err := e.BeginTx(ctx)
						require.NoError(t, err)
						_, err = tx.Exec(ctx, "insert into waits values (0)") // has the connection, and the turn
						require.NoError(t, err)
						waited := false
						err = c.Together(ctx, 2, func(ctx context.Context, i int) error {
							if i == 0 {
								inner, end := m.make(ctx)
								if end != nil {
									before := e.Stats().Waiting
									go func() {
										for e.Stats().Waiting == before {
											runtime.Gosched()
										}
										end()
									}()
								}
								err := call(inner, e)
								waited = true
								for _, want := range m.want {
									if !errors.Is(err, want) {
										t.Errorf("%s, %s: %v isn't %v", m.name, wait, err, want)
									}
								}
								if m.want != nil {
									return nil
								}
								return err
							}
							if m.want == nil {
								dbtest.UntilWaiting(ctx, e, 1)
								return tx.Rollback(ctx)
							}
							return nil
						})
						require.NoError(t, err, "%s, %s", m.name, wait)
						require.True(t, waited)
						if m.want != nil {
							require.NoError(t, tx.Rollback(ctx))
						}
						require.Zero(t, e.Stats().Waiting, "%s, %s", m.name, wait)
						dbtest.Exec(t, ctx, e, "delete from waits") // all of it works again
					}
				}
			})
		})
	}
}
