package dbtest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// Redefined is a query that returns a number after the statements of First, and text after those of
// Then. The result changes though the query stays the same.
type Redefined struct {
	Query       string
	First, Then []string
	Undo        []string
}

// CheckRedefined tests that a query always returns what it means now: on a Conn and in a
// transaction, after either has prepared it.
func CheckRedefined(t *testing.T, ctx context.Context, e *db.Engine, cases []Redefined) {
	t.Helper()
	for _, c := range cases {
		for _, args := range [][]any{nil, {db.Named("unused", 1)}} {
			query := c.Query
			if args != nil {
				query = c.Query + " where 1 = :unused"
			}
			check := func(ctx context.Context, q db.Querier) {
				t.Helper()
				Exec(t, ctx, q, c.First...)
				for range 3 {
					n, err := db.Scalar[int64](ctx, q, query, args...)
					require.NoError(t, err, query)
					require.EqualValues(t, 42, n, query)
				}
				Exec(t, ctx, q, c.Then...)
				for range 3 {
					v, err := db.Scalar[any](ctx, q, query, args...)
					require.NoError(t, err, query)
					require.Equal(t, "text", v, query)
				}
				Exec(t, ctx, q, c.Undo...)
			}
			if args != nil && c.Query[0] != 's' {
				continue // the statement takes no condition
			}
			conn, err := e.Connect(ctx)
			require.NoError(t, err)
			check(ctx, conn)
			require.NoError(t, conn.Close())
			require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				check(ctx, tx)
				return nil
			}))
		}
	}
}

// PostgresRedefined runs CheckRedefined on PostgreSQL.
func PostgresRedefined(t *testing.T, ctx context.Context, e *db.Engine) {
	Exec(t, ctx, e, "create schema a", "create schema b", "create table a.t (v bigint)", "insert into a.t values (42)",
		"create table b.t (v text)", "insert into b.t values ('text')")
	CheckRedefined(t, ctx, e, []Redefined{
		{
			Query: "fetch 1 from c",
			First: []string{"declare c scroll cursor with hold for select 42::bigint from generate_series(1, 9)"},
			Then:  []string{"close c", "declare c cursor with hold for select 'text' from generate_series(1, 9)"},
			Undo:  []string{"close c"},
		},
		{
			Query: "execute p", First: []string{"prepare p as select 42::bigint"},
			Then: []string{"do $$ begin execute 'deallocate p'; execute $x$prepare p as select 'text'$x$; end $$"}, Undo: []string{"deallocate p"},
		},
		{Query: "select * from t", First: []string{"set search_path = a"}, Then: []string{"set search_path = b"}},
		{
			Query: "select case when '01/02/2026'::date = '2026-01-02' then '42' else 'text' end", First: []string{"reset datestyle"},
			Then: []string{"set datestyle = 'SQL, DMY'"},
		},
		{
			Query: "select case when '01/02/2026'::date = '2026-01-02' then '42' else 'text' end", First: []string{"reset datestyle"},
			Then: []string{"select set_config('datestyle', 'SQL, DMY', false)"},
		},
		{Query: "table t", First: []string{"set search_path = a"}, Then: []string{"set search_path = b"}},
		{
			Query: "select * from t", First: []string{"set search_path = a"},
			Then: []string{"create temp table t as select * from b.t"}, Undo: []string{"drop table pg_temp.t"},
		},
	})
}
