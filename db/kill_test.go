package db_test

import (
	"context"
	"database/sql/driver"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// A greenlet that is killed can't wait for its statement. Until the driver has finished it, no
// other caller may get the connection, nor its turn to write.
func TestAKilledGreenletsStatementEndsBeforeAnotherBegins(t *testing.T) {
	for name, use := range map[string]func(ctx context.Context, e *db.Engine) error{
		"statement": func(ctx context.Context, e *db.Engine) error {
			_, err := e.Exec(ctx, "write slowly")
			return err
		},
		"transaction": func(ctx context.Context, e *db.Engine) error {
			return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "write slowly")
				return err
			})
		},
		"connection": func(ctx context.Context, e *db.Engine) error {
			conn, err := e.Connect(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = conn.Exec(ctx, "write slowly")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Test(t)
			begun, done := loop.NewPromise[int](nil), make(chan struct{})
			s := &scripted{do: func(_ context.Context, _ *scriptedConn, text string, _ []driver.NamedValue) (driver.Rows, error) {
				if text == "write slowly" {
					begun.Resolve(0)
					<-done
				}
				return nil, nil
			}}
			require.NoError(t, repaint.Run(context.Background(), func(ctx context.Context) error {
				e := dbtest.Open(t, ctx, s.register())
				var g *greenlet.Greenlet
				victim := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					g = greenlet.Current()
					return 0, use(ctx, e)
				})
				_, err := repaint.Await(ctx, begun.Future())
				require.NoError(t, err)
				require.NoError(t, g.Kill())
				_, err = repaint.Await(ctx, victim)
				require.ErrorIs(t, err, greenlet.ErrExit)

				next := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					_, err := e.Exec(ctx, "write next")
					return 0, err
				})
				require.False(t, next.Done())
				_, err = e.Exec(ctx, "read")
				require.NoError(t, err)
				close(done)
				_, err = repaint.Await(ctx, next)
				require.Zero(t, s.overlap.Load())
				return err
			}))
		})
	}
}

func TestAGreenletKilledWhileItConnectsLeavesNoConnection(t *testing.T) {
	leakcheck.Test(t)
	s := &scripted{}
	require.NoError(t, repaint.Run(context.Background(), func(ctx context.Context) error {
		e := dbtest.Open(t, ctx, s.register(), db.PoolSize(1))
		begun, done := loop.NewPromise[int](nil), make(chan struct{})
		s.connect = func() error {
			if begun.Resolve(0) {
				<-done
			}
			return nil
		}
		var g *greenlet.Greenlet
		victim := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			g = greenlet.Current()
			_, err := e.Connect(ctx)
			return 0, err
		})
		_, err := repaint.Await(ctx, begun.Future())
		require.NoError(t, err)
		require.NoError(t, g.Kill())
		_, err = repaint.Await(ctx, victim)
		require.ErrorIs(t, err, greenlet.ErrExit)
		close(done)
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		return conn.Close()
	}))
	require.Eventually(t, func() bool { return s.open.Load() == 2 }, time.Minute, time.Millisecond,
		"the writer's connection and the pool's")
}

func TestAGreenletKilledInABlockRollsBack(t *testing.T) {
	leakcheck.Test(t)
	require.NoError(t, repaint.Run(context.Background(), func(ctx context.Context) error {
		e := dbtest.Open(t, ctx, "sqlite://")
		dbtest.Exec(t, ctx, e, items)
		var g *greenlet.Greenlet
		victim := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			return 0, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				dbtest.Exec(t, ctx, tx, "insert into items(value) values ('a')")
				g = greenlet.Current()
				_, err := repaint.Await(ctx, loop.NewPromise[int](nil).Future())
				return err
			})
		})
		for g == nil {
			require.NoError(t, repaint.Sleep(ctx, 0))
		}
		// Its deferred rollback waits for the database, so the greenlet lives until then.
		if err := g.Kill(); err != nil {
			require.ErrorIs(t, err, greenlet.ErrSurvived)
		}
		_, err := repaint.Await(ctx, victim)
		require.ErrorIs(t, err, greenlet.ErrExit)
		requireItems(t, ctx, e, 0)
		return addAndSelect(ctx, e, "next")
	}))
}

// A greenlet that is killed while it sets a connection up gives the connection's place back exactly
// once.
func TestAGreenletKilledInEventsConnectLeavesNoConnection(t *testing.T) {
	leakcheck.Test(t)
	begun, done := loop.NewPromise[int](nil), make(chan struct{})
	s := &scripted{do: func(_ context.Context, _ *scriptedConn, text string, _ []driver.NamedValue) (driver.Rows, error) {
		if text == "set up slowly" && begun.Resolve(0) {
			<-done
		}
		return nil, nil
	}}
	setUp := false
	require.NoError(t, repaint.Run(context.Background(), func(ctx context.Context) error {
		e := dbtest.Open(t, ctx, s.register(), db.PoolSize(1), db.OnEvents(db.Events{Connect: func(ctx context.Context, conn *db.Conn) error {
			if !setUp {
				return nil
			}
			_, err := conn.Exec(ctx, "set up slowly")
			return err
		}}))
		setUp = true
		var g *greenlet.Greenlet
		victim := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			g = greenlet.Current()
			_, err := e.Connect(ctx)
			return 0, err
		})
		_, err := repaint.Await(ctx, begun.Future())
		require.NoError(t, err)
		require.NoError(t, g.Kill())
		_, err = repaint.Await(ctx, victim)
		require.ErrorIs(t, err, greenlet.ErrExit)
		close(done)
		for e.Stats().InUse > 0 {
			require.NoError(t, repaint.Sleep(ctx, 0))
		}
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, e.Stats().InUse)
		second := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			conn, err := e.Connect(ctx)
			if err != nil {
				return 0, err
			}
			return 0, conn.Close()
		})
		require.Equal(t, 1, e.Stats().Waiting, "there is one place")
		require.NoError(t, conn.Close())
		_, err = repaint.Await(ctx, second)
		return err
	}))
}
