package sqlite_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

func TestWhatStatementsLeaveBehind(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		for _, url := range []string{dbtest.File(t), "sqlite://"} {
			e := dbtest.Open(t, ctx, url, db.PoolSize(1), db.MaxOverflow(0))
			dbtest.Exec(t, ctx, e, "create table t (id)")
			dbtest.CheckLeftovers(t, ctx, e, "SQLite", func(ctx context.Context, q db.Querier) (string, error) {
				return db.Scalar[string](ctx, q, `select concat_ws(' ', (select count(*) from sqlite_temp_master), (select group_concat(name) from pragma_database_list),
					(select cache_size from pragma_cache_size), (select recursive_triggers from pragma_recursive_triggers), (select query_only from pragma_query_only),
					'a' like 'A', last_insert_rowid(), changes())`)
			}, "drop table if exists \"temp\"")
			require.NoError(t, e.Close(ctx))
		}
	})
}
