package sqlite_test

import (
	"context"
	"testing"

	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

func TestATextIsReadAsWhatItShowsNow(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, dbtest.File(t))
		dbtest.Exec(t, ctx, e, "create table t (v integer)", "insert into t values (42)", "create view w as select 42 as v")
		dbtest.CheckRedefined(t, ctx, e, []dbtest.Redefined{
			{Query: "select * from t", Then: []string{"create temp table t (v text)", "insert into temp.t values ('text')"}, Undo: []string{"drop table temp.t"}},
			{Query: "select * from w", Then: []string{"create temp view w as select 'text' as v"}, Undo: []string{"drop view temp.w"}},
			{
				Query: "select * from w", Then: []string{"drop view w", "create view w as select 'text' as other"},
				Undo: []string{"drop view w", "create view w as select 42 as v"},
			},
			{
				Query: "select case when 'a' like 'A' then 42 else 'text' end", First: []string{"pragma case_sensitive_like = off"},
				Then: []string{"pragma case_sensitive_like = on"},
			},
		})
	})
}
