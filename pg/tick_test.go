package pg

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// A loop in which only one task waits for the database reads the connection itself. It must still
// notice everything else.
func TestALoopThatReadsHearsOfEverythingElse(t *testing.T) {
	testserver.Postgres(t)
	for name, unlockLater := range map[string]func(l *loopUnderTest){
		"a timer": func(l *loopUnderTest) {
			repaint.Spawn(l.ctx, func(ctx context.Context) (int, error) {
				err := repaint.Sleep(ctx, 20*time.Millisecond)
				l.unlock()
				return 0, err
			})
		},
		"a call from another goroutine": func(l *loopUnderTest) {
			loop := repaint.CurrentLoop()
			time.AfterFunc(20*time.Millisecond, func() { loop.Post(l.unlock) })
		},
		"work in another goroutine": func(l *loopUnderTest) {
			repaint.Spawn(l.ctx, func(ctx context.Context) (int, error) {
				_, err := repaint.Block(ctx, func(context.Context) (int, error) {
					time.Sleep(20 * time.Millisecond)
					return 0, nil
				})
				l.unlock()
				return 0, err
			})
		},
		"another statement": func(l *loopUnderTest) {
			repaint.Spawn(l.ctx, func(ctx context.Context) (int, error) {
				err := repaint.Sleep(ctx, 20*time.Millisecond)
				var one int
				if err == nil {
					err = l.other.QueryRow(ctx, "select 1").Scan(&one)
				}
				l.unlock()
				return one, err
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Test(t)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			db, target := open(t, "")
			other := openAt(t, target.URL())
			for range 5 {
				unlock := lock(t, ctx, target)
				require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
					unlockLater(&loopUnderTest{ctx, other, unlock})
					return waits(db)(ctx)
				}))
			}
		})
	}
}

type loopUnderTest struct {
	ctx    context.Context
	other  *DB // a statement on the same lane would wait, too
	unlock func()
}

// While a loop reads a lane, it serves other callers too, and they serve it.
func TestALoopThatReadsSharesItsLane(t *testing.T) {
	leakcheck.Test(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, _ := open(t, "&pool_lanes=1")
	errs := colour{}.together(ctx, 8, func(ctx context.Context, i int) error {
		one := func(ctx context.Context) error {
			for k := range 200 {
				var got int
				if err := db.QueryRow(ctx, "select $1::int", i*1000+k).Scan(&got); err != nil {
					return err
				}
				if got != i*1000+k {
					t.Errorf("%d asked for %d and got %d", i, i*1000+k, got)
				}
			}
			return nil
		}
		if i%2 == 0 {
			return one(ctx)
		}
		return repaint.Run(ctx, one)
	})
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func TestALoopThatReadsCanBeCancelled(t *testing.T) {
	target := testserver.Postgres(t, testserver.TLS()).Database(t)
	leakcheck.Test(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, mode := range []string{"disable", "require"} {
		db := openAt(t, strings.Replace(target.URL(), "sslmode=verify-full", "sslmode="+mode, 1))
		unlock := lock(t, ctx, target)
		require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
			for range 10 {
				short, end := context.WithTimeout(ctx, 5*time.Millisecond)
				require.ErrorIs(t, waits(db)(short), context.DeadlineExceeded)
				end()
				var one int
				require.NoError(t, db.QueryRow(ctx, "select 1").Scan(&one))
			}
			return nil
		}))
		unlock()
		require.Zero(t, db.Stats().Lost, "no connection was replaced")
	}
}
