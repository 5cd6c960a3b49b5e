package sqlite_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

// A script is split where SQLite splits it, whatever its triggers contain.
func TestScriptsWithTriggers(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, "sqlite://")
		_, err := e.Exec(ctx, `
			create table t (id integer primary key, v, [end] text); create table log (what);
			create trigger ins after insert on t when new.v is case when 1 then new.v end begin
				insert into log values (case when new.v > 1 then case new.v when 2 then 'two' else 'many' end else 'one' end);
				insert into log select 'x' end; -- an alias
				update t set [end] = 'done; end;' where id = new.id;
			end;
			create trigger if not exists main.del before delete on t begin insert into log values ('deleted'); end;
			insert into t (v) values (1), (2), (3); delete from t where v = 3
		`)
		require.NoError(t, err)
		got, err := db.All[string](ctx, e, "select what from log")
		require.NoError(t, err)
		require.Equal(t, []string{"one", "x", "two", "x", "many", "x", "deleted"}, got)
		// The statements also run one by one, with an argument.
		_, err = e.Exec(ctx, "create trigger upd after update on t begin insert into log values ('updated'); select case when 1 then 2 end; end; -- it's all")
		require.NoError(t, err)
		_, err = e.Exec(ctx, "update t set v = 9 where v = :v", db.Named("v", 2))
		require.NoError(t, err)
		done, err := db.All[string](ctx, e, "select [end] from t order by id")
		require.NoError(t, err)
		require.Equal(t, []string{"done; end;", "done; end;"}, done)
	})
}
