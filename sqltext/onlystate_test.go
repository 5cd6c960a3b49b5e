package sqltext_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/sqltext"
)

func TestStatementsThatAffectOnlyTheirConnection(t *testing.T) {
	for _, c := range []struct {
		l        *sqltext.Language
		yes, not []string
	}{
		{sqltext.PostgreSQL,
			[]string{"set x = 1", "reset all", "set local x = 1", "set constraints all deferred", "listen a", "unlisten *", "prepare p as select 1", "deallocate p", "discard all",
				"create temp table t (a int)", "select 1 into temp t", "select set_config('a', 'b', false)", "select pg_advisory_lock(1)", "load 'x'"},
			[]string{"select 1", "create table temp (a int)", "select set_config('a', 'b', true)", "select pg_advisory_xact_lock(1)", "notify a", "call p()", "alter role r set x = 1"}},
		{sqltext.MySQL,
			[]string{"set x = 1", "set session x = 1", "set @a = 1", "use d", "create temporary table t (a int)", "select get_lock('a', 1)", "select 1 into @a", "lock tables t write", "prepare p from 'select 1'"},
			[]string{"set global x = 1", "set @@global.x = 1", "set password = 'x'", "set default role r for u", "call p()", "do sleep(1)", "select @a := 1", "select 1 into outfile 'x'", "create table t (a int)", "flush tables"}},
		{sqltext.SQLite,
			[]string{"pragma foreign_keys = off", "pragma main.cache_size(5)", "attach 'x' as y", "detach y", "create temp table t (a)"},
			[]string{"pragma foreign_keys", "pragma journal_mode = wal", "pragma user_version = 3", "pragma wal_checkpoint(full)", "pragma optimize", "create table temp (a)"}},
	} {
		for _, text := range c.yes {
			require.True(t, c.l.Classify(text, c.l.Split(text)[0]).Effects.Any(sqltext.OnlyState), text)
		}
		for _, text := range c.not {
			require.False(t, c.l.Classify(text, c.l.Split(text)[0]).Effects.Any(sqltext.OnlyState), text)
		}
	}
}
