package repaint_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// A callbackLoop is an event loop that knows nothing of ours.
type callbackLoop struct {
	calls chan func()
	quit  bool
}

func newCallbackLoop() *callbackLoop { return &callbackLoop{calls: make(chan func(), 1000)} }

func (c *callbackLoop) Post(fn func()) { c.calls <- fn }

func (c *callbackLoop) run(t *testing.T) {
	patience := time.After(10 * time.Second)
	for !c.quit {
		select {
		case fn := <-c.calls:
			fn()
		case <-patience:
			t.Fatal("the host's loop waits for something that doesn't come")
		}
	}
}

// asGuest runs script in a callback of a foreign event loop, which has a goroutine of its own,
// until script calls end.
func asGuest(t *testing.T, script func(c *callbackLoop, g *repaint.Guest, end func())) {
	leakcheck.Test(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c := newCallbackLoop()
		c.Post(func() {
			g, err := repaint.Attach(t.Context(), c)
			if err != nil {
				t.Error(err)
				c.quit = true
				return
			}
			script(c, g, func() {
				g.Detach(func(err error) {
					if err != nil {
						t.Error(err)
					}
					c.quit = true
				})
			})
		})
		c.run(t)
	}()
	<-done
}

func TestGreenletsRunOnAForeignEventLoop(t *testing.T) {
	asGuest(t, func(c *callbackLoop, g *repaint.Guest, end func()) {
		ctx := g.Context()
		host := greenlet.Lookup()
		var order []string
		note := func(s string) { order = append(order, s) }
		repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			note("task begins, in the callback")
			if err := repaint.Sleep(ctx, time.Millisecond); err != nil {
				return 0, err
			}
			note("task after a sleep")
			v, err := repaint.Await(ctx, later(7))
			if err != nil || v != 7 {
				t.Error(v, err)
			}
			b, err := repaint.Block(ctx, func(context.Context) (string, error) { return "blocked elsewhere", nil })
			note(b)
			results, gerr := repaint.Gather(ctx,
				func(ctx context.Context) (int, error) { return 1, repaint.Sleep(ctx, 2*time.Millisecond) },
				func(ctx context.Context) (int, error) { return 2, repaint.Sleep(ctx, time.Millisecond) })
			if gerr != nil || results[0] != 1 || results[1] != 2 {
				t.Error(results, gerr)
			}
			c.Post(func() {
				note("the host's own callback")
				if len(order) != 5 || greenlet.Lookup() != host {
					t.Error(order)
				}
				end()
			})
			return 0, err
		})
		note("callback returns")
		// A callback itself can't wait.
		if _, err := repaint.Await(ctx, loop.NewPromise[int](nil).Future()); err == nil {
			t.Error("Await in a callback of the host")
		} else {
			require.ErrorIs(t, err, repaint.ErrInCallback)
		}
		require.ErrorIs(t, repaint.Sleep(ctx, 0), repaint.ErrInCallback)
		_, err := repaint.Block(ctx, func(context.Context) (int, error) { return 0, nil })
		require.ErrorIs(t, err, repaint.ErrInCallback)
		require.Equal(t, []string{"task begins, in the callback", "callback returns"}, order)
		require.Same(t, g.Loop(), repaint.CurrentLoop())
		require.False(t, repaint.InGreenlet())
	})
}

func TestTickEndsAfterASpawnInTheHostsCallback(t *testing.T) {
	asGuest(t, func(c *callbackLoop, g *repaint.Guest, end func()) {
		flushed := loop.NewPromise[int](nil)
		g.Loop().OnTickEnd(func() { flushed.Resolve(1) })
		repaint.Spawn(g.Context(), func(ctx context.Context) (int, error) {
			_, err := repaint.Await(ctx, flushed.Future())
			end()
			return 0, err
		})
	})
}

func TestDetachCancelsTheTasksAndWaitsForThem(t *testing.T) {
	cleaned := 0
	asGuest(t, func(c *callbackLoop, g *repaint.Guest, end func()) {
		for range 10 {
			repaint.Spawn(g.Context(), func(ctx context.Context) (int, error) {
				err := repaint.Sleep(ctx, time.Hour)
				require.ErrorIs(t, err, context.Canceled)
				if err := repaint.Sleep(context.WithoutCancel(ctx), time.Millisecond); err != nil {
					t.Error(err)
				}
				cleaned++
				return 0, nil
			})
		}
		end()
		require.Panics(t, func() { g.Detach(nil) })
	})
	require.Equal(t, 10, cleaned)
}

func TestAttachTakesOneLoopAGoroutine(t *testing.T) {
	asGuest(t, func(c *callbackLoop, g *repaint.Guest, end func()) {
		_, err := repaint.Attach(t.Context(), c)
		require.ErrorIs(t, err, repaint.ErrOtherLoop)
		end()
	})
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		_, err := repaint.Attach(ctx, newCallbackLoop())
		require.ErrorIs(t, err, repaint.ErrOtherLoop)
		return nil
	}))
}

func TestGuestCanAttachAgainAfterDetach(t *testing.T) {
	asGuest(t, func(c *callbackLoop, g *repaint.Guest, end func()) {
		repaint.Spawn(g.Context(), func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, time.Hour) })
		g.Detach(func(err error) {
			require.NoError(t, err)
			require.Nil(t, repaint.CurrentLoop())
			again, err := repaint.Attach(t.Context(), c)
			require.NoError(t, err)
			repaint.Spawn(again.Context(), func(ctx context.Context) (int, error) {
				err := repaint.Sleep(ctx, time.Millisecond)
				c.Post(func() { again.Detach(func(error) { c.quit = true }) })
				return 0, err
			})
		})
	})
}

func TestRunWorksInACallbackOfAHostAndInItsTasks(t *testing.T) {
	asGuest(t, func(c *callbackLoop, g *repaint.Guest, end func()) {
		inner := func(ctx context.Context) error {
			return repaint.Run(ctx, func(ctx context.Context) error {
				_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					return 1, repaint.Sleep(ctx, time.Millisecond)
				}))
				return err
			})
		}
		require.NoError(t, inner(g.Context()))
		repaint.Spawn(g.Context(), func(ctx context.Context) (int, error) {
			err := inner(ctx)
			if err != nil {
				t.Error(err)
			}
			end()
			return 0, err
		})
	})
}

func TestHostMayBeLockedToItsThread(t *testing.T) {
	leakcheck.Test(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		c := newCallbackLoop()
		g, err := repaint.Attach(t.Context(), c)
		if err != nil {
			t.Error(err)
			return
		}
		for range 3 {
			repaint.Spawn(g.Context(), func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, time.Millisecond) })
		}
		last := repaint.Spawn(g.Context(), func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, 5*time.Millisecond) })
		last.AsFuture().OnDone(g.Loop(), func() {
			if _, err := last.Result(); err != nil {
				t.Error(err)
			}
			g.Detach(func(error) { c.quit = true })
		})
		c.run(t)
	}()
	<-done
}

func TestHostThatCallsInAnotherGoroutineIsToldSo(t *testing.T) {
	leakcheck.Test(t)
	panicked := make(chan any, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		calls := make(chan func(), 10)
		g, err := repaint.Attach(t.Context(), hostFunc(func(fn func()) { calls <- fn }))
		if err != nil {
			t.Error(err)
			return
		}
		g.Loop().CallSoon(func() {})
		fn := <-calls
		caught := make(chan struct{})
		go func() {
			defer close(caught)
			defer func() { panicked <- recover() }()
			fn()
		}()
		<-caught
		over := false
		g.Detach(func(error) { over = true })
		fn()
		for !over {
			(<-calls)()
		}
	}()
	<-done
	require.Contains(t, <-panicked, "another goroutine")
}

type hostFunc func(fn func())

func (f hostFunc) Post(fn func()) { f(fn) }

func TestTaskOfAGuestThatDoesNotEndIsKilled(t *testing.T) {
	repaint.SetJoinPatience(t, 20*time.Millisecond)
	leakcheck.Test(t)
	done := make(chan error, 1)
	go func() {
		c := newCallbackLoop()
		g, err := repaint.Attach(t.Context(), c)
		if err != nil {
			done <- err
			return
		}
		repaint.Spawn(g.Context(), func(ctx context.Context) (int, error) {
			return repaint.Await(context.WithoutCancel(ctx), loop.NewPromise[int](nil).Future())
		}, repaint.Named("stubborn"))
		g.Detach(func(err error) {
			done <- err
			c.quit = true
		})
		c.run(t)
	}()
	err := <-done
	require.ErrorIs(t, err, repaint.ErrNotJoined)
	require.ErrorContains(t, err, "(stubborn)")
}
