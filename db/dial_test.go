package db_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/laststate"
)

// A slow fake connects at once the first time. Later it connects when the test tells it to, or
// fails when the context of the connection ends.
type slowFake struct {
	dbtest.Fake
	begun, go_ chan struct{}
	asked      atomic.Int64
	ended      atomic.Value // the cause of the context's end
}

func newSlowFake() *slowFake {
	f := &slowFake{begun: make(chan struct{}, 10), go_: make(chan struct{}, 10)}
	f.OnConnect = func(ctx context.Context) error {
		if f.asked.Add(1) == 1 {
			return nil
		}
		f.begun <- struct{}{}
		select {
		case <-f.go_:
			return nil
		case <-ctx.Done():
			f.ended.Store(context.Cause(ctx))
			return context.Cause(ctx)
		}
	}
	return f
}

// dialing returns an Engine whose only connection is in use, and a caller for whom a second
// connection is being made. cancel makes the caller give up.
func (f *slowFake) dialing(t *testing.T, ctx context.Context, c dbtest.Colour, opts ...db.Option) (e *db.Engine, cancel func(), wait func() error) {
	t.Helper()
	e = dbtest.Open(t, ctx, f.Register(), append([]db.Option{db.PoolSize(2), db.MaxOverflow(0)}, opts...)...)
	held, err := e.Connect(ctx)
	require.NoError(t, err)
	t.Cleanup(func() { _ = held.Close() })
	caller, end := context.WithCancelCause(ctx)
	wait = c.Go(caller, func(ctx context.Context) error {
		_, err := e.Exec(ctx, "x")
		return err
	})
	f.wait(ctx, t)
	return e, func() { end(errNotNow) }, wait
}

// wait returns when a connection is being made.
func (f *slowFake) wait(ctx context.Context, t *testing.T) {
	_, err := repaint.Block(ctx, func(ctx context.Context) (struct{}, error) {
		select {
		case <-f.begun:
			return struct{}{}, nil
		case <-ctx.Done():
			return struct{}{}, ctx.Err()
		}
	})
	require.NoError(t, err)
}

var errNotNow = errors.New("not now")

// until waits for a condition. If the context ends first, it shows the figures of the test's
// Engines.
func until(t *testing.T, ctx context.Context, what func() bool) {
	t.Helper()
	for !what() {
		if err := repaint.Sleep(ctx, time.Millisecond); err != nil {
			require.NoError(t, err, laststate.Of(t))
		}
	}
}

func TestAConnectionIsMadeThoughItsCallerGivesUp(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := newSlowFake()
		e, cancel, wait := f.dialing(t, ctx, c)
		cancel()
		require.ErrorIs(t, wait(), errNotNow, "the caller doesn't wait for it")
		require.Zero(t, e.Stats().Idle)
		f.go_ <- struct{}{}
		until(t, ctx, func() bool { return e.Stats().Idle == 1 })
		_, err := e.Exec(ctx, "y")
		require.NoError(t, err)
		require.EqualValues(t, 2, f.Connects.Load(), "the next caller has it")
		require.Zero(t, e.Stats().ConnectErrors)
	})
}

func TestAConnectionWhoseCallerGaveUpGoesToTheNextWaiter(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := newSlowFake()
		e, cancel, wait := f.dialing(t, ctx, c)
		next := c.Go(ctx, func(ctx context.Context) error {
			_, err := e.Exec(ctx, "y")
			return err
		})
		dbtest.UntilWaiting(ctx, e, 1)
		cancel()
		require.Error(t, wait())
		f.go_ <- struct{}{}
		require.NoError(t, next())
		require.EqualValues(t, 2, f.Connects.Load())
	})
}

func TestTheNextWaiterConnectsItselfIfThatFails(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := newSlowFake()
		connect := f.OnConnect
		f.OnConnect = func(ctx context.Context) error {
			err := connect(ctx)
			if f.asked.Load() == 2 {
				return errors.New("refused")
			}
			return err
		}
		e, cancel, wait := f.dialing(t, ctx, c)
		next := c.Go(ctx, func(ctx context.Context) error {
			_, err := e.Exec(ctx, "y")
			return err
		})
		dbtest.UntilWaiting(ctx, e, 1)
		cancel()
		require.ErrorIs(t, wait(), errNotNow)
		f.go_ <- struct{}{}
		f.wait(ctx, t) // for the connection of next
		f.go_ <- struct{}{}
		require.NoError(t, next())
		require.EqualValues(t, 1, e.Stats().ConnectErrors)
	})
}

func TestCloseEndsTheMakingOfConnections(t *testing.T) {
	for name, gaveUp := range map[string]bool{"the caller waits": false, "the caller gave up": true} {
		t.Run(name, func(t *testing.T) {
			dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
				f := newSlowFake()
				e := dbtest.Open(t, ctx, f.Register(), db.PoolSize(2), db.MaxOverflow(0))
				held, err := e.Connect(ctx)
				require.NoError(t, err)
				caller, cancel := context.WithCancel(ctx)
				wait := c.Go(caller, func(ctx context.Context) error {
					_, err := e.Exec(ctx, "x")
					return err
				})
				f.wait(ctx, t)
				if gaveUp {
					cancel()
					require.ErrorIs(t, wait(), context.Canceled)
				}
				require.NoError(t, held.Close())
				require.NoError(t, e.Close(ctx))
				if !gaveUp {
					require.ErrorIs(t, wait(), db.ErrClosed)
				}
				cancel()
				require.ErrorIs(t, f.ended.Load().(error), db.ErrClosed)
				require.Zero(t, f.Open.Load())
			})
		})
	}
}

func TestConnectingWithoutACallerIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSlowFake()
		ctx := t.Context()
		e, cancel, wait := f.dialing(t, ctx, dbtest.Blocking)
		time.Sleep(time.Hour) // while the caller waits, only the dialect limits the connecting
		synctest.Wait()
		require.Nil(t, f.ended.Load())
		cancel()
		require.ErrorIs(t, wait(), errNotNow)
		time.Sleep(9 * time.Second)
		synctest.Wait()
		require.Nil(t, f.ended.Load())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.ErrorContains(t, f.ended.Load().(error), "its caller has gone")
		require.Equal(t, 1, e.Stats().Open)
	})
}

// With a context that has already ended, no connection is made: it would only outlive the call.
func TestAContextThatHasEndedConnectsNowhere(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := newSlowFake()
		e := dbtest.Open(t, ctx, f.Register(), db.PoolSize(2), db.MaxOverflow(0))
		held, err := e.Connect(ctx)
		require.NoError(t, err)
		ended, end := context.WithCancelCause(ctx)
		end(errNotNow)
		_, err = e.Exec(ended, "x")
		require.ErrorIs(t, err, errNotNow)
		_, err = e.Connect(ended)
		require.ErrorIs(t, err, errNotNow)
		_, err = db.Open(ended, f.Register())
		require.ErrorIs(t, err, errNotNow)
		require.EqualValues(t, 1, f.asked.Load(), "connections that were asked for")
		require.NoError(t, held.Close())
		require.Zero(t, e.Stats().InUse)
	})
}

func TestACancelledOpenLeavesNothingBehind(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := newSlowFake()
		f.asked.Store(1) // even the first connection is slow
		url := f.Register()
		caller, cancel := context.WithCancelCause(ctx)
		wait := c.Go(caller, func(ctx context.Context) error {
			_, err := db.Open(ctx, url)
			return err
		})
		f.wait(ctx, t)
		cancel(errNotNow)
		require.ErrorIs(t, wait(), errNotNow)
		until(t, ctx, func() bool { return f.ended.Load() != nil })
		require.ErrorIs(t, f.ended.Load().(error), db.ErrClosed)
		require.Zero(t, f.Open.Load())
	})
}

func TestAConnectionIsSetUpByTheCallerThatGetsIt(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := newSlowFake()
		type key struct{}
		var by []any
		e, cancel, wait := f.dialing(t, ctx, c, db.OnEvents(db.Events{Connect: func(ctx context.Context, conn *db.Conn) error {
			by = append(by, ctx.Value(key{}))
			return nil
		}}))
		cancel()
		require.Error(t, wait())
		f.go_ <- struct{}{}
		until(t, ctx, func() bool { return e.Stats().Idle == 1 })
		require.Equal(t, []any{nil}, by, "only the first one is set up so far")
		_, err := e.Exec(context.WithValue(ctx, key{}, "next"), "y")
		require.NoError(t, err)
		_, err = e.Exec(context.WithValue(ctx, key{}, "later"), "y")
		require.NoError(t, err)
		require.Equal(t, []any{nil, "next"}, by)
	})
}
