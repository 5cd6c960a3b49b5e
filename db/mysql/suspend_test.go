package mysql_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/loop"
)

// wires runs a test on each kind of connection on which a driver's call may be suspended.
func wires(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("plain", func(t *testing.T) { test(t, testserver.MariaDB(t).Database(t).URL()+"?tls=off") })
	t.Run("tls", func(t *testing.T) {
		test(t, testserver.MariaDB(t, testserver.TLS()).Database(t).URL()+"?tls=required")
	})
	t.Run("compressed", func(t *testing.T) { test(t, testserver.MariaDB(t).Database(t).URL()+"?compress=on") })
}

// uses are the ways in which a statement reaches the driver.
var uses = map[string]func(ctx context.Context, e *db.Engine, query string) (string, error){
	"statement": func(ctx context.Context, e *db.Engine, query string) (string, error) {
		return db.Scalar[string](ctx, e, query)
	},
	"transaction": func(ctx context.Context, e *db.Engine, query string) (v string, err error) {
		err = e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			v, err = db.Scalar[string](ctx, tx, query)
			return err
		})
		return v, err
	},
	"connection": func(ctx context.Context, e *db.Engine, query string) (string, error) {
		conn, err := e.Connect(ctx)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		return db.Scalar[string](ctx, conn, query)
	},
	"stream": func(ctx context.Context, e *db.Engine, query string) (v string, err error) {
		rows, err := e.Stream(ctx, query)
		if err != nil {
			return "", err
		}
		defer rows.Close()
		for rows.Next() {
			if err := rows.Scan(&v); err != nil {
				return "", err
			}
		}
		return v, rows.Err()
	},
}

func TestALoopWaitsForTheServerItself(t *testing.T) {
	wires(t, func(t *testing.T, url string) {
		leakcheck.Test(t)
		require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
			e := dbtest.Open(t, ctx, url, db.PoolSize(4))
			for name, use := range uses { // the first use connects
				require.NoError(t, dbtest.InLoop.Together(ctx, 20, func(ctx context.Context, i int) error {
					v, err := use(ctx, e, "select 'first'")
					require.Equal(t, "first", v, name)
					return err
				}))
			}
			before := repaint.CurrentStats()
			for name, use := range uses {
				require.NoError(t, dbtest.InLoop.Together(ctx, 20, func(ctx context.Context, i int) error {
					want := fmt.Sprintf("%s %d", name, i)
					v, err := use(ctx, e, "select '"+want+"'")
					if err == nil && v != want {
						return fmt.Errorf("%q has the answer %q", want, v)
					}
					return err
				}))
			}
			after := repaint.CurrentStats()
			require.Equal(t, before.Offloaded, after.Offloaded)
			require.Greater(t, after.Polls, before.Polls)
			return nil
		}))
	})
}

func TestTheMainFunctionsStatementLetsTasksGoOn(t *testing.T) {
	leakcheck.Test(t)
	url := testserver.MariaDB(t).Database(t).URL()
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		e := dbtest.Open(t, ctx, url)
		turns := 0
		repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			for {
				turns++
				if err := repaint.Sleep(ctx, time.Millisecond); err != nil {
					return 0, err
				}
			}
		})
		_, err := db.Scalar[int](ctx, e, "select sleep(0.1)")
		require.Greater(t, turns, 2)
		return err
	}))
}

// The rest of an answer must not become the next statement's answer.
func TestAGreenletKilledInADriversCallCostsItsConnection(t *testing.T) {
	wires(t, func(t *testing.T, url string) {
		for name, use := range uses {
			for what, query := range map[string]string{
				"waits":       "select concat('wrong', sleep(0.3))",
				"is in a row": "select repeat('wrong', 400000)",
			} {
				t.Run(name+" that "+what, func(t *testing.T) {
					leakcheck.Test(t)
					require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
						e := dbtest.Open(t, ctx, url, db.PoolSize(1), db.MaxOverflow(0))
						for turns := range 8 {
							var g *greenlet.Greenlet
							victim := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
								g = greenlet.Current()
								_, err := use(ctx, e, query)
								return 0, err
							})
							for range turns {
								require.NoError(t, repaint.Sleep(ctx, 0))
							}
							if err := g.Kill(); err != nil { // its deferred functions may take a moment
								require.ErrorIs(t, err, greenlet.ErrSurvived)
							}
							_, err := repaint.Await(ctx, victim)
							if err != nil {
								require.ErrorIs(t, err, greenlet.ErrExit)
							}
							for i := range 3 {
								want := fmt.Sprintf("right %d %d", turns, i)
								v, err := use(ctx, e, "select '"+want+"'")
								require.NoError(t, err)
								require.Equal(t, want, v)
							}
						}
						require.Positive(t, e.Stats().Discarded)
						return nil
					}))
				})
			}
		}
	})
}

// A server goes on with a statement after its connection has closed.
func TestTheStatementOfAKilledGreenletEndsOnTheServer(t *testing.T) {
	leakcheck.Test(t)
	at := testserver.MariaDB(t).Database(t)
	limited, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, repaint.Run(limited, func(ctx context.Context) error {
		e := dbtest.Open(t, ctx, at.URL())
		for name, use := range map[string]func(ctx context.Context) error{
			"engine": func(ctx context.Context) error {
				_, err := db.Scalar[int](ctx, e, "select sleep(600)")
				return err
			},
			"transaction": func(ctx context.Context) error {
				return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
					_, err := db.Scalar[int](ctx, tx, "select sleep(600)")
					return err
				})
			},
		} {
			var g *greenlet.Greenlet
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				g = greenlet.Current()
				return 0, use(ctx)
			})
			whileSleeping(ctx, t, at, func() {
				if err := g.Kill(); err != nil { // its deferred functions may take a moment
					require.ErrorIs(t, err, greenlet.ErrSurvived)
				}
			})
			for running(ctx, t, at) != "0" {
				require.NoError(t, ctx.Err(), name)
			}
		}
		return nil
	}))
}

func TestAContextThatEndsInADriversCallKeepsTheConnection(t *testing.T) {
	wires(t, func(t *testing.T, url string) {
		for name, use := range uses {
			if name == "stream" {
				continue // a stream is closed with its connection, in either colour
			}
			t.Run(name, func(t *testing.T) {
				leakcheck.Test(t)
				require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
					e := dbtest.Open(t, ctx, url, db.PoolSize(1), db.MaxOverflow(0))
					for i := range 5 {
						short, cancel := context.WithTimeout(ctx, time.Duration(i)*3*time.Millisecond)
						_, err := use(short, e, "select sleep(30) from (values (1), (2)) t")
						cancel()
						require.ErrorIs(t, err, context.DeadlineExceeded)
						want := fmt.Sprintf("right %d", i)
						v, err := use(ctx, e, "select '"+want+"'")
						require.NoError(t, err)
						require.Equal(t, want, v)
					}
					require.Zero(t, e.Stats().Discarded)
					return nil
				}))
			})
		}
	})
}

// A pool's connections go from hand to hand: loops use those that a goroutine has made, and the
// reverse.
func TestGoroutinesAndLoopsShareAPool(t *testing.T) {
	wires(t, func(t *testing.T, url string) {
		leakcheck.Test(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		e := dbtest.Open(t, ctx, url, db.PoolSize(3), db.MaxOverflow(0))
		ask := func(ctx context.Context, who, i int) error {
			for name, use := range uses {
				want := fmt.Sprintf("%s %d %d", name, who, i)
				if v, err := use(ctx, e, "select '"+want+"'"); err != nil || v != want {
					return errors.Join(err, fmt.Errorf("%q has the answer %q", want, v))
				}
			}
			return nil
		}
		var all sync.WaitGroup
		for who := range 6 {
			all.Go(func() {
				c := dbtest.Colour{Loop: who%2 == 0}
				var err error
				for round := range 4 { // each round has a loop of its own
					if !c.Loop {
						err = errors.Join(err, c.Together(ctx, 5, func(ctx context.Context, i int) error { return ask(ctx, who, 5*round+i) }))
						continue
					}
					err = errors.Join(err, repaint.Run(ctx, func(ctx context.Context) error {
						return c.Together(ctx, 5, func(ctx context.Context, i int) error { return ask(ctx, who, 5*round+i) })
					}))
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}

func TestLargePacketsBothWaysInALoop(t *testing.T) {
	wires(t, func(t *testing.T, url string) {
		leakcheck.Test(t)
		require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
			e := dbtest.Open(t, ctx, url, db.PoolSize(3))
			turns := 0
			ticking, stop := context.WithCancel(ctx)
			defer stop()
			repaint.Spawn(ticking, func(ctx context.Context) (int, error) {
				for repaint.Sleep(ctx, 0) == nil {
					turns++
				}
				return 0, nil
			})
			err := dbtest.InLoop.Together(ctx, 3, func(ctx context.Context, i int) error {
				text := strings.Repeat(string(rune('a'+i)), 5_000_000)
				v, err := db.Scalar[string](ctx, e, "select :v", db.Named("v", text))
				if err == nil && v != text {
					return errors.New("what came back isn't what was sent")
				}
				return err
			})
			require.Greater(t, turns, 3) // with compression there is little to send
			return err
		}))
	})
}

// A statement in a callback is refused before it reaches the connection.
func TestACallbacksStatementLeavesTheConnection(t *testing.T) {
	leakcheck.Test(t)
	url := testserver.MariaDB(t).Database(t).URL()
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		e := dbtest.Open(t, ctx, url, db.PoolSize(1), db.MaxOverflow(0))
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		refused := loop.NewPromise[error](nil)
		repaint.CurrentLoop().CallSoon(func() {
			_, err := conn.Exec(ctx, "do 0")
			refused.Resolve(err)
		})
		err, _ = repaint.Await(ctx, refused.Future())
		require.ErrorIs(t, err, repaint.ErrInCallback)
		v, err := db.Scalar[int](ctx, conn, "select 7")
		require.Equal(t, 7, v)
		return err
	}))
}

// If the loop must know its requests, or can't wait for descriptors, the whole call runs on another
// goroutine.
func TestCallsAreOffloadedWhereTheLoopDoesntWaitItself(t *testing.T) {
	url := testserver.MariaDB(t).Database(t).URL()
	for name, opt := range map[string]loop.Option{
		"virtual clock": loop.VirtualClock(time.Unix(0, 0)), "seed": loop.Seed(1),
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Test(t)
			require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
				e := dbtest.Open(t, ctx, url)
				for want := range 5 {
					v, err := db.Scalar[int](ctx, e, "select :v", db.Named("v", want))
					require.NoError(t, err)
					require.Equal(t, want, v)
				}
				require.Zero(t, repaint.CurrentStats().Polled)
				return nil
			}, opt))
		})
	}
}
