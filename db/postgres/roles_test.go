package postgres_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

// An Engine's Reader reads from a standby, whatever else the Engine does is done by the primary, and a read that
// has a token sees what was written before.
func TestAnEnginesReaderReadsFromAStandby(t *testing.T) {
	cluster := testserver.NewCluster(t, 1)
	primary, standby := cluster.Primary, cluster.Standbys[0]
	primary.MustQuery(t, "create table t (id int)")
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, cluster.URL("postgres", "&reader_target=standby&token_wait=20s"))
		at := func(q db.Querier) int {
			port, err := db.Scalar[int](ctx, q, "select inet_server_port()")
			require.NoError(t, err)
			return port
		}
		require.Equal(t, primary.Port, at(e))
		require.Equal(t, standby.Port, at(e.Reader()))
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			require.Equal(t, primary.Port, at(tx))
			return nil
		}))
		for id := range 5 {
			_, err := e.Exec(ctx, fmt.Sprintf("insert into t values (%d)", id))
			require.NoError(t, err)
			token, err := e.Driver().(*pg.DB).Token(ctx)
			require.NoError(t, err)
			n, err := db.Scalar[int](pg.WaitFor(ctx, token), e.Reader(), fmt.Sprintf("select count(*) from t where id = %d", id))
			require.NoError(t, err)
			require.Positive(t, n)
		}
		_, err := e.Reader().Query(ctx, "insert into t values (-1) returning id")
		require.ErrorIs(t, err, db.ErrReadOnly)
	})
}
