package sqlite_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

const short = "with recursive n(i) as (select 1 union all select i + 1 from n where i < :n) select i from n"

// uses are the uses of a connection that a cancel can hit.
var uses = []func(ctx context.Context, c *db.Conn, i int) error{
	func(ctx context.Context, c *db.Conn, i int) error {
		_, err := db.All[int](ctx, c, short, db.Named("n", i%50+1))
		return err
	},
	func(ctx context.Context, c *db.Conn, i int) error {
		_, err := c.Exec(ctx, "insert into t values (1)")
		return err
	},
	func(ctx context.Context, c *db.Conn, i int) error {
		return c.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			if _, err := tx.Exec(ctx, "delete from t"); err != nil {
				return err
			}
			return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "insert into t values (2)")
				return err
			})
		})
	},
	func(ctx context.Context, c *db.Conn, i int) error {
		rows, err := c.Stream(ctx, short, db.Named("n", i%50+1))
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		return errors.Join(rows.Err(), rows.Close())
	},
}

// A cancel may come before, during or after a statement. It never costs the connection, nor the
// next statement on it.
func TestACancelNeverCostsTheConnection(t *testing.T) {
	rounds := 6000 // 20,000 rounds found each way in which it once did
	if testing.Short() {
		rounds = 1000
	}
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, dbtest.File(t))
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		dbtest.Exec(t, ctx, conn, "create table t (id integer)")
		ended := 0
		for i := range rounds {
			inner, cancel := context.WithCancel(ctx)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range i % 40 {
					runtime.Gosched()
				}
				cancel()
			}()
			err := uses[i%len(uses)](inner, conn, i)
			if err != nil {
				require.ErrorIs(t, err, context.Canceled, "round %d", i)
				require.NotErrorIs(t, err, db.ErrDisconnected, "round %d", i)
				ended++
			}
			<-done
			_, err = db.Scalar[int](ctx, conn, "select 1")
			require.NoError(t, err, "after round %d", i)
		}
		require.NoError(t, conn.Close())
		t.Logf("%d of %d were cancelled in time", ended, rounds)
	})
}
