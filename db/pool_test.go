package db_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/loop"
)

func TestThePoolNeverHasMoreThanItsSizeAndOverflow(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := &dbtest.Fake{OnDo: func(ctx context.Context, _ *dbtest.FakeSession, _ *backend.Call) error {
			return repaint.Sleep(ctx, 0)
		}}
		e := dbtest.Open(t, ctx, f.Register(), db.PoolSize(3), db.MaxOverflow(2))
		require.NoError(t, c.Together(ctx, 100, func(ctx context.Context, i int) error {
			_, err := e.Exec(ctx, "x")
			return err
		}))
		require.LessOrEqual(t, f.MostOpen.Load(), int64(5))
		require.LessOrEqual(t, f.Open.Load(), int64(3), "the overflow is closed when nobody needs it")
		require.Zero(t, f.Overlaps.Load())
		s := e.Stats()
		require.Equal(t, 5, s.MaxOpen)
		require.Zero(t, s.InUse)
		require.Zero(t, s.Waiting)
	})
}

func TestWaitersAreServedInTheOrderTheyCame(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := &dbtest.Fake{}
		e := dbtest.Open(t, ctx, f.Register(), db.PoolSize(1), db.MaxOverflow(0))
		first, err := e.Connect(ctx)
		require.NoError(t, err)

		const n = 20
		var order []int
		var waits []func() error
		for i := range n {
			waits = append(waits, c.Go(ctx, func(ctx context.Context) error {
				conn, err := e.Connect(ctx)
				if err != nil {
					return err
				}
				order = append(order, i) // one caller has the connection at a time
				return conn.Close()
			}))
			dbtest.UntilWaiting(ctx, e, i+1)
		}
		require.NoError(t, first.Close())
		for _, wait := range waits {
			require.NoError(t, wait())
		}
		for i := range n {
			require.Equal(t, i, order[i])
		}
		require.Equal(t, int64(n), e.Stats().Waits)
	})
}

func TestAWaiterThatIsCancelledLeavesTheLineAndTheConnectionGoesOn(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, (&dbtest.Fake{}).Register(), db.PoolSize(1), db.MaxOverflow(0))
		held, err := e.Connect(ctx)
		require.NoError(t, err)

		why := errors.New("changed my mind")
		cancelled, cancel := context.WithCancelCause(ctx)
		gone := c.Go(ctx, func(context.Context) error {
			_, err := e.Connect(cancelled)
			return err
		})
		dbtest.UntilWaiting(ctx, e, 1)
		patient := c.Go(ctx, func(ctx context.Context) error {
			conn, err := e.Connect(ctx)
			if err != nil {
				return err
			}
			return conn.Close()
		})
		dbtest.UntilWaiting(ctx, e, 2)

		cancel(why)
		err = gone()
		require.ErrorIs(t, err, why)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, held.Close())
		require.NoError(t, patient())
	})
}

// The connection is handed over and the waiter cancelled at the same time. In the blocking colour
// that is a race. In the loop the order is fixed: the waiter learns of its connection only after
// its context has ended.
func TestAConnectionHandedToACancelledWaiterIsNotLost(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, (&dbtest.Fake{}).Register(), db.PoolSize(1), db.MaxOverflow(0))
		for range 200 {
			held, err := e.Connect(ctx)
			require.NoError(t, err)
			cancelled, cancel := context.WithCancel(ctx)
			wait := c.Go(ctx, func(context.Context) error {
				conn, err := e.Connect(cancelled)
				if err != nil {
					return err
				}
				return conn.Close()
			})
			dbtest.UntilWaiting(ctx, e, 1)
			if c.Loop {
				require.NoError(t, held.Close())
				cancel()
			} else {
				go cancel()
				require.NoError(t, held.Close())
			}
			if err := wait(); err != nil {
				require.ErrorIs(t, err, context.Canceled)
			}
			cancel()
		}
		_, err := e.Exec(ctx, "x")
		require.NoError(t, err)
		require.Equal(t, 1, e.Stats().Open)
	})
}

// SQLAlchemy's pool lets such a waiter wait for its whole timeout.
func TestAWaiterIsWokenWhenAnothersConnectFails(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		down := errors.New("server is down")
		gate := loop.NewPromise[struct{}](nil)
		f := &dbtest.Fake{}
		url := f.Register()
		// The pool timeout is an hour: no caller may need it.
		e := dbtest.Open(t, ctx, url, db.PoolSize(1), db.MaxOverflow(0), db.PoolTimeout(time.Hour), db.MaxLifetime(time.Nanosecond))
		f.OnConnect = func(ctx context.Context) error {
			_, _ = repaint.Await(ctx, gate.Future())
			return down
		}
		var waits []func() error
		for i := range 5 {
			waits = append(waits, c.Go(ctx, func(ctx context.Context) error {
				_, err := e.Connect(ctx)
				return err
			}))
			dbtest.UntilWaiting(ctx, e, i)
		}
		gate.Resolve(struct{}{})
		for _, wait := range waits {
			require.ErrorIs(t, wait(), down)
		}
		require.Equal(t, int64(5), e.Stats().ConnectErrors)
		require.Zero(t, e.Stats().Open)
		f.OnConnect = nil
		_, err := e.Exec(ctx, "x")
		require.NoError(t, err)
	})
}

func TestAWaiterGivesUpAfterThePoolTimeoutAndSaysWhy(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, (&dbtest.Fake{}).Register(), db.PoolSize(2), db.MaxOverflow(0), db.PoolTimeout(20*time.Millisecond))
		one, err := e.Connect(ctx)
		require.NoError(t, err)
		defer one.Close()
		two, err := e.Connect(ctx)
		require.NoError(t, err)
		defer two.Close()
		_, err = e.Connect(ctx)
		require.ErrorIs(t, err, db.ErrPoolTimeout)
		require.ErrorIs(t, err, db.ErrTimeout)
		require.ErrorContains(t, err, "waited 20ms for a connection: all 2 are in use")
		require.ErrorContains(t, err, "pool_size")
		require.Equal(t, int64(1), e.Stats().Timeouts)
	})
}

func TestWaitersTimeOutEachAtItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		e, err := db.Open(ctx, (&dbtest.Fake{}).Register(), db.PoolSize(1), db.MaxOverflow(0), db.PoolTimeout(10*time.Second))
		require.NoError(t, err)
		held, err := e.Connect(ctx)
		require.NoError(t, err)
		start := time.Now()
		done := make(chan time.Duration)
		for i := range 3 {
			go func() {
				time.Sleep(time.Duration(i) * time.Second)
				_, err := e.Connect(ctx)
				require.ErrorIs(t, err, db.ErrPoolTimeout)
				done <- time.Since(start)
			}()
		}
		for i := range 3 {
			require.Equal(t, time.Duration(10+i)*time.Second, <-done)
		}
		require.NoError(t, held.Close())
		require.NoError(t, e.Close(ctx))
	})
}

func TestConnectionsAreReplacedAfterTheirLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		f := &dbtest.Fake{}
		e, err := db.Open(ctx, f.Register(), db.PoolSize(1), db.MaxLifetime(time.Hour))
		require.NoError(t, err)
		id := func() int64 {
			n, err := db.Scalar[int64](ctx, e, "x")
			require.NoError(t, err)
			return n
		}
		require.Equal(t, int64(1), id())
		time.Sleep(59 * time.Minute)
		require.Equal(t, int64(1), id())
		time.Sleep(2 * time.Minute)
		require.Equal(t, int64(2), id())
		require.Equal(t, int64(1), f.Open.Load())
		require.NoError(t, e.Close(ctx))
	})
}

func TestALostConnectionTakesTheOthersOfItsTimeWithIt(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := &dbtest.Fake{}
		f.OnDo = func(_ context.Context, s *dbtest.FakeSession, _ *backend.Call) error {
			if s.ID <= 3 {
				return dbtest.ErrFakeGone // the server was restarted
			}
			return nil
		}
		e := dbtest.Open(t, ctx, f.Register(), db.PoolSize(3))
		var conns []*db.Conn
		for range 3 {
			conn, err := e.Connect(ctx)
			require.NoError(t, err)
			conns = append(conns, conn)
		}
		for _, conn := range conns {
			require.NoError(t, conn.Close())
		}
		_, err := e.Exec(ctx, "x")
		require.ErrorIs(t, err, db.ErrDisconnected)
		require.ErrorIs(t, err, dbtest.ErrFakeGone)
		for range 3 {
			_, err := e.Exec(ctx, "x")
			require.NoError(t, err, "only the first one may meet a dead connection")
		}
		require.Equal(t, int64(1), e.Stats().Discarded)
	})
}

func TestCloseRefusesNewAndWaitingCallersAndWaitsForTheOthers(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := &dbtest.Fake{}
		e, err := db.Open(ctx, f.Register(), db.PoolSize(1), db.MaxOverflow(0))
		require.NoError(t, err)
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		waiter := c.Go(ctx, func(ctx context.Context) error {
			_, err := e.Exec(ctx, "x")
			return err
		})
		dbtest.UntilWaiting(ctx, e, 1)
		closing := c.Go(ctx, func(ctx context.Context) error { return e.Close(ctx) })
		require.ErrorIs(t, waiter(), db.ErrClosed)
		_, err = e.Connect(ctx)
		require.ErrorIs(t, err, db.ErrClosed)
		_, err = conn.Exec(ctx, "x")
		require.NoError(t, err, "who has a connection may go on")
		require.NoError(t, conn.Close())
		require.NoError(t, closing())
		require.Zero(t, f.Open.Load())
		require.NoError(t, e.Close(ctx), "closing again does nothing")
	})
}

func TestCloseWaitsNoLongerThanItsContextAndSaysWhoIsMissing(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := &dbtest.Fake{}
		e, err := db.Open(ctx, f.Register(), db.ReportLeaks(time.Hour, func(db.Leak) {}))
		require.NoError(t, err)
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		err = e.Close(short)
		require.ErrorIs(t, err, db.ErrTimeout)
		require.ErrorContains(t, err, "1 connections of fake")
		require.ErrorContains(t, err, "db_test.TestCloseWaitsNoLonger")
		require.NoError(t, conn.Close())
		require.Zero(t, f.Open.Load(), "a connection that comes back later is closed")
	})
}

func TestALeakIsReportedWithTheStackOfItsCheckout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		var reports []db.Leak
		e, err := db.Open(ctx, (&dbtest.Fake{}).Register(), db.ReportLeaks(time.Minute, func(l db.Leak) { reports = append(reports, l) }))
		require.NoError(t, err)
		quick, err := e.Connect(ctx)
		require.NoError(t, err)
		slow, err := e.Connect(ctx)
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.NoError(t, quick.Close())
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Len(t, reports, 1)
		require.Contains(t, reports[0].Stack(), "TestALeakIsReported")
		require.Equal(t, time.Hour+time.Second, time.Since(reports[0].Since))
		require.NoError(t, slow.Close())
		require.NoError(t, e.Close(ctx))
	})
}

// Whatever callers do, connections are never shared, never too many, and never lost. A seed
// determines the random calls; a failure prints it.
func TestPoolKeepsItsLawsUnderRandomUse(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		f := &dbtest.Fake{}
		e := dbtest.Open(t, ctx, f.Register(), db.PoolSize(3), db.MaxOverflow(2))
		var n atomic.Int64
		chance := func(per int64, of string) bool { return (n.Add(1)*7919+int64(len(of)))%per == 0 }
		f.OnConnect = func(ctx context.Context) error {
			if chance(10, "connect") {
				return dbtest.ErrFakeGone
			}
			return repaint.Sleep(ctx, 0)
		}
		f.OnDo = func(ctx context.Context, s *dbtest.FakeSession, _ *backend.Call) error {
			if chance(20, "do") {
				return dbtest.ErrFakeGone
			}
			if s.State == backend.Broken {
				return errors.New("a broken connection was given out")
			}
			return repaint.Sleep(ctx, 0)
		}
		err := c.Together(ctx, 200, func(ctx context.Context, i int) error {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for range 20 {
				own, cancel := context.WithCancel(ctx)
				if r.IntN(4) == 0 {
					go cancel()
				}
				var err error
				switch r.IntN(3) {
				case 0:
					_, err = e.Exec(own, "x")
				case 1:
					var conn *db.Conn
					if conn, err = e.Connect(own); err == nil {
						_, err = conn.Query(own, "y")
						_ = conn.Close()
					}
				case 2:
					err = e.InTx(own, func(ctx context.Context, tx *db.Tx) error {
						_, err := tx.Exec(ctx, "z")
						return err
					})
				}
				cancel()
				if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, dbtest.ErrFakeGone) && !errors.Is(err, db.ErrTxDone) {
					return fmt.Errorf("caller %d: %w", i, err)
				}
			}
			return nil
		})
		require.NoError(t, err)
		require.Zero(t, f.Overlaps.Load())
		require.LessOrEqual(t, f.MostOpen.Load(), int64(5))
		s := e.Stats()
		require.Zero(t, s.InUse)
		require.Zero(t, s.Waiting)
		require.Equal(t, int64(s.Open), f.Open.Load())
	})
}
