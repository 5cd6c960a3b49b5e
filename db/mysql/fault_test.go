package mysql_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestFaultsAreRecognised(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		at := server.Database(t)
		e := dbtest.Open(t, ctx, at.URL())
		dbtest.Exec(t, ctx, e,
			"create table p(id int primary key, u varchar(50) unique, n int not null, c int, s varchar(3), i tinyint, constraint small check (c < 100))",
			"create table f(p int, constraint parent foreign key (p) references p(id))",
			"insert into p(id, u, n) values (1, \"u' for key 'x\", 1), (2, 'v', 1)", "insert into f values (1)")
		for _, c := range []struct {
			text      string
			condition error
			code      string
			place     string // table column constraint
		}{
			{"insert into p(id, n) values (1, 1)", db.ErrUnique, "1062 (23000)", "  PRIMARY"},
			{"insert into p(id, u, n) values (3, \"u' for key 'x\", 1)", db.ErrUnique, "1062 (23000)", "  u"},
			{"insert into f values (9)", db.ErrForeignKey, "1452 (23000)", "f p parent"},
			{"delete from p where id = 1", db.ErrForeignKey, "1451 (23000)", "f p parent"},
			{"insert into p(id, n) values (3, null)", db.ErrNotNull, "1048 (23000)", " n "},
			{"insert into p(id) values (3)", db.ErrNotNull, "1364 (HY000)", " n "},
			{"insert into p(id, n, c) values (3, 1, 100)", db.ErrCheck, "4025 (23000)", "p  small"},
			{"insert into p(id, n, s) values (3, 1, 'long')", db.ErrData, "1406 (22001)", " s "},
			{"insert into p(id, n, i) values (3, 1, 1000)", db.ErrData, "1264 (22003)", " i "},
			{"insert into p(id, n, i) values (3, 1, 'x')", db.ErrData, "1366 (22007)", "p i "},
			{"selec 1", db.ErrSyntax, "1064 (42000)", "  "},
			{"select 'x", db.ErrSyntax, "1064 (42000)", "  "},
			{"select * from nope", db.ErrUndefinedTable, "1146 (42S02)", "nope  "},
			{"drop table nope", db.ErrUndefinedTable, "1051 (42S02)", "nope  "},
			{"select nope from p", db.ErrUndefinedColumn, "1054 (42S22)", " nope "},
			{"select p.nope from p", db.ErrUndefinedColumn, "1054 (42S22)", "p nope "},
			{"insert into p(nope) values (1)", db.ErrUndefinedColumn, "1054 (42S22)", " nope "},
			{"select nope()", db.ErrUndefined, "1305 (42000)", "  "},
			{"select * from nope.t", db.ErrUndefinedTable, "1146 (42S02)", "t  "},
			{"select 9223372036854775807 + 1", db.ErrData, "1690 (22003)", "  "},
			{"set max_statement_time = 0.01; select sleep(5)", db.ErrTimeout, "1969 (70100)", "  "},
			{"update p set id = 2 returning n", db.ErrUnsupported, "", "  "},
			{"select 1; update p set n = 2 returning n", db.ErrSyntax, "1064 (42000)", "  "},
			{"replace into p(id) select 5 returning", db.ErrSyntax, "1064 (42000)", "  "},
		} {
			_, err := e.Exec(ctx, c.text)
			require.Error(t, err, c.text)
			var is *db.Error
			require.ErrorAs(t, err, &is, c.text)
			require.Equal(t, c.condition, is.Condition, c.text)
			require.Equal(t, c.code, is.Code, c.text)
			require.Equal(t, c.place, is.Table+" "+is.Column+" "+is.Constraint, c.text)
			require.ErrorContains(t, err, "on mysql")
			require.ErrorContains(t, err, "[SQL: "+c.text)
		}
		_, err := e.Query(ctx, "insert into p(id, n) values (7, 1), (8, 1) returning id")
		require.NoError(t, err)
		result, err := e.Exec(ctx, "delete from p where id = 99 returning id")
		require.NoError(t, err)
		require.Zero(t, result.RowsAffected())
		result, err = e.Exec(ctx, "insert into p(id, n) values (9, 1), (10, 1) returning id")
		require.NoError(t, err)
		require.EqualValues(t, 2, result.RowsAffected())
		dbtest.Exec(t, ctx, e, "delete from p where id > 8")
		ids, err := db.All[int](ctx, e, "delete from p where id > 6 returning id")
		require.NoError(t, err)
		require.Equal(t, []int{7, 8}, ids)
	})
}

func TestPermissions(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		at := server.Database(t)
		at.MustQuery(t, "create table t(a int, b int); create or replace user reader@'%' identified by 'secret'; grant select(a) on "+at.DBName+".t to reader@'%'")
		defer at.MustQuery(t, "drop user reader@'%'")
		at.User, at.Password = "reader", "secret"
		e := dbtest.Open(t, ctx, at.URL())
		for _, text := range []string{"insert into t values (1, 1)", "select b from t", "drop table t", "create database x"} {
			_, err := e.Exec(ctx, text)
			require.ErrorIs(t, err, db.ErrPermission, text)
			require.NotContains(t, err.Error(), "secret")
		}
	})
}
