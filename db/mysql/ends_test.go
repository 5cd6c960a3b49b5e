package mysql_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/db/mysql"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestConnectionsThatEndAtTheMomentOfUse(t *testing.T) {
	target := testserver.MariaDB(t).Database(t)
	endAll := func(t testing.TB) {
		const others = "select id from information_schema.processlist where db = database() and id <> connection_id()"
		for _, id := range strings.Fields(target.MustQuery(t, others)) {
			_, _ = target.Query(t.Context(), "kill "+id) // the connection may have gone by itself
			for target.MustQuery(t, others+" and id = "+id) != "" {
			}
		}
	}
	for name, open := range map[string]func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error){
		"URL": func(_ testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error) {
			return db.Open(ctx, target.URL(), opts...)
		},
		"OpenDB": func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error) {
			pool, err := sql.Open("mysql", target.DSN())
			require.NoError(t, err)
			t.Cleanup(func() { _ = pool.Close() }) // Close complains about connections that are gone
			return mysql.OpenDB(ctx, pool, opts...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Ends{
				At: target,
				Open: func(t testing.TB, ctx context.Context, opts ...db.Option) *db.Engine {
					e, err := open(t, ctx, opts...)
					require.NoError(t, err)
					return e
				},
				All: endAll,
			}.Test(t)
		})
	}
}

func TestWaitTimeoutAtTheMomentOfUse(t *testing.T) {
	target := testserver.MariaDB(t, testserver.Config("wait_timeout=1")).Database(t)
	dbtest.Ends{
		At: target,
		Open: func(t testing.TB, ctx context.Context, opts ...db.Option) *db.Engine {
			e, err := db.Open(ctx, target.URL(), opts...)
			require.NoError(t, err)
			return e
		},
	}.TestSpread(t, time.Second, 2)
}
