package pg

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/loop"
)

func TestTheRedFaceOfAReader(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for _, options := range []string{"", "&pipeline=off"} {
			db, _ := open(t, options)
			_, err := db.Exec(ctx, "create table t (id int)")
			require.NoError(t, err)
			red := db.Reader().Async()

			// All at once, then awaited.
			var futures []*loop.Future[pgx.Row]
			for i := range 20 {
				futures = append(futures, red.QueryRow(ctx, "select $1::int", i))
			}
			for i, f := range futures {
				row, err := repaint.Await(ctx, f)
				require.NoError(t, err)
				var n int
				require.NoError(t, row.Scan(&n))
				require.Equal(t, i, n)
			}
			rows, err := repaint.Await(ctx, red.Query(ctx, "select generate_series(1, 3)"))
			require.NoError(t, err)
			all, err := pgx.CollectRows(rows, pgx.RowTo[int])
			require.NoError(t, err)
			require.Equal(t, []int{1, 2, 3}, all)
			tag, err := repaint.Await(ctx, db.Async().Reader().Exec(ctx, "select 1"))
			require.NoError(t, err)
			require.EqualValues(t, 1, tag.RowsAffected())
			b := &pgx.Batch{}
			b.Queue("select 1")
			results, err := repaint.Await(ctx, red.SendBatch(ctx, b))
			require.NoError(t, err)
			require.NoError(t, results.Close())
			_, err = repaint.Await(ctx, red.Ping(ctx))
			require.NoError(t, err)

			// It only reads, its failures come by the futures, and cancelling a future gives its
			// statement up.
			_, err = repaint.Await(ctx, red.Exec(ctx, "insert into t values (1)"))
			requireReadOnly(t, err, "insert")
			_, err = repaint.Await(ctx, red.QueryRow(ctx, "select 1/0"))
			var server *pgconn.PgError
			require.ErrorAs(t, err, &server)
			require.Equal(t, "22012", server.Code)
			limited, cancel := context.WithCancel(ctx)
			slow := red.Query(limited, "select pg_sleep(20)")
			cancel()
			_, err = repaint.Await(ctx, slow)
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, 0, count(t, ctx, db, "t"))
		}
	})
}

// The calls of the red face that a loop's tasks make in one tick share Syncs.
func TestTheRedFaceOfAReaderSharesSyncs(t *testing.T) {
	testserver.Postgres(t) // so that no task starts the server
	inLoop(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_reader_lanes=1&reader_group=8")
		red := db.Reader().Async()
		_, err := repaint.Await(ctx, red.QueryRow(ctx, "select $1::int", 0)) // which also opens the lane
		require.NoError(t, err)
		before := db.Reader().Stats()
		var futures []*loop.Future[pgx.Row]
		for i := range 64 {
			futures = append(futures, red.QueryRow(ctx, "select $1::int", i))
		}
		for _, f := range futures {
			_, err = repaint.Await(ctx, f)
			require.NoError(t, err)
		}
		now := db.Reader().Stats()
		require.EqualValues(t, 64, now.Statements-before.Statements)
		require.Less(t, now.Syncs-before.Syncs, uint64(64))
	})
}
