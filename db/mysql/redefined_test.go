package mysql_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

func TestATextIsReadAsWhatItShowsNow(t *testing.T) {
	onMariaDB(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		here, err := db.Scalar[string](ctx, e, "select database()")
		require.NoError(t, err)
		there := here + "_2"
		dbtest.Exec(t, ctx, e, "create table t (v bigint)", "insert into t values (42)", "create database "+there,
			"create table "+there+".t (v varchar(10))", "insert into "+there+".t values ('text')",
			"create procedure p() begin if @a = 1 then select 42 as a; else select 'text' as a; end if; end")
		defer dbtest.Exec(t, ctx, e, "drop database "+there)
		dbtest.CheckRedefined(t, ctx, e, []dbtest.Redefined{
			{Query: "select * from t", First: []string{"use " + here}, Then: []string{"use " + there}},
			{Query: "select if('a' || 'b' = 'ab', 'text', 42)", First: []string{"set sql_mode = ''"}, Then: []string{"set sql_mode = 'PIPES_AS_CONCAT'"}},
			{Query: "select if(charset('x') = 'latin1', 'text', 42)", First: []string{"set names utf8mb4"}, Then: []string{"set names latin1"}},
			{Query: "select * from t", Then: []string{"create temporary table t (v varchar(10))", "insert into t values ('text')"}, Undo: []string{"drop temporary table t"}},
			{Query: "call p()", First: []string{"set @a = 1"}, Then: []string{"set @a = 2"}},
			{
				Query: "execute p", First: []string{"prepare p from 'select 42'"},
				Then: []string{"prepare p from 'select ''text'''"}, Undo: []string{"deallocate prepare p"},
			},
		})
	}, db.PoolSize(2))
}
