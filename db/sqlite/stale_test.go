package sqlite_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

// Each connection remembers the schema, and SQLite looks for some names there before it looks at the
// database. A CREATE must not fail for what another connection has dropped; nor must it be repeated
// if it stands in a text of several statements.
func TestACreateSeesWhatAnotherConnectionDropped(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, dbtest.File(t))
		dbtest.Exec(t, ctx, e, "create table base (a int)")
		one, err := e.Connect(ctx)
		require.NoError(t, err)
		other, err := e.Connect(ctx)
		require.NoError(t, err)
		for _, test := range []struct{ create, drop string }{
			{"create table t (a int)", "drop table t"},
			{"create index i on base (a)", "drop index i"},
			{"create view v as select a from base", "drop view v"},
			{"create trigger g after insert on base begin select 1; end", "drop trigger g"},
			{"alter table base add b int", "alter table base drop b"},
		} {
			for range 2 {
				_, err = one.Exec(ctx, test.create)
				require.NoError(t, err, test.create)
				_, err = other.Exec(ctx, test.drop)
				require.NoError(t, err, test.drop)
			}
			_, err = one.Exec(ctx, test.create)
			require.NoError(t, err, test.create)
			_, err = one.Exec(ctx, test.create)
			require.Error(t, err, test.create)
		}
		_, err = other.Exec(ctx, "drop index i")
		require.NoError(t, err)
		_, err = one.Exec(ctx, "insert into base (a) values (1); create index i on base (a)")
		if err != nil {
			require.ErrorContains(t, err, "already exists")
		}
		rows, err := db.Scalar[int](ctx, one, "select count(*) from base")
		require.NoError(t, err)
		require.LessOrEqual(t, rows, 1)
		require.NoError(t, one.Close())
		require.NoError(t, other.Close())
		require.NoError(t, e.Close(ctx))
	})
}
