package repainttest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/repainttest"
	"github.com/seed1239206e/repaint/sqltext"
)

func TestTablesOfStatements(t *testing.T) {
	plain := repainttest.PlainTables("a", "B", "order")
	for _, c := range []struct {
		text, reads, writes string // "?" for what may do anything
	}{
		{"select 1", "", ""},
		{"select * from a", "a", ""},
		{"SELECT x FROM A, b AS n WHERE n.y = 'b' -- order", "a b", ""},
		{`select count(*), coalesce(sum(x), 0) from "order" o join a on a.id = o.id where o.x in (1, 2)`, "a order", ""},
		{"select x from public.a", "a", ""},
		{"select (select max(x) from b) from (select x from a) s", "a b", ""},
		{"with n as (select * from a) select * from n, b", "a b", ""},
		{"select x from a where x is distinct from $1", "a", ""},
		{"select x from a for update", "a", "a"},
		{"select x from a for no key update of a", "a", "a"},
		{"insert into a (x, y) values ($1, $2) on conflict (x) do update set y = excluded.y returning x", "a", "a"},
		{"insert into a select * from b", "a b", "a b"},
		{"update a set x = (select max(x) from b) where id = 1", "a b", "a b"},
		{"delete from a using b where a.id = b.id", "a b", "a b"},
		{"with gone as (delete from a returning x) select * from gone", "a", "a"},
		{"begin isolation level serializable", "", ""},
		{"commit", "", ""},
		{"savepoint x", "", ""},

		{"select * from pg_stat_activity", "?", ""},
		{"select * from a, pg_class", "?", ""},
		{"select * from a join unknown u on true", "?", ""},
		{"select * from other.a", "?", ""},
		{"select f(x) from a", "?", ""},
		{"select public.count(x) from a", "?", ""},
		{`select "f"(x) from a`, "?", ""},
		{"select nextval('n')", "?", ""},
		{"select pg_advisory_lock(1)", "?", ""},
		{"select * into c from a", "?", ""},
		{"select 1; select 2", "?", ""},
		{"select * from (table unknown) x", "?", ""},
		{"insert unknown values (1)", "?", ""},
		{"update unknown set x = 1", "?", ""},
		{"delete from unknown", "?", ""},
		{"commit and chain", "?", ""},
		{"commit prepared 'x'", "?", ""},
		{"do $$begin end$$", "?", ""},
		{"call p()", "?", ""},
		{"set search_path = x", "?", ""},
		{"truncate a", "?", ""},
		{"create table c (x int)", "?", ""},
		{"select x from a)", "?", ""},
		{"", "?", ""},
		{`select x from "`, "?", ""},
	} {
		t.Run(c.text, func(t *testing.T) {
			reads, writes, all := plain.Footprint(sqltext.PostgreSQL, c.text)
			if c.reads == "?" {
				require.True(t, all)
				return
			}
			require.False(t, all)
			require.Equal(t, c.reads, strings.Join(reads, " "))
			require.Equal(t, c.writes, strings.Join(writes, " "))
		})
	}
	_, _, all := plain.Footprint(sqltext.MySQL, "select @x := x from a")
	require.True(t, all, "a variable of the session")
	_, _, all = plain.Footprint(sqltext.MySQL, "select x from a /*! join unknown */")
	require.True(t, all, "what the server does depends on its version")
	reads, _, all := plain.Footprint(sqltext.MySQL, "select x from `a` where y = 'unknown'")
	require.False(t, all)
	require.Equal(t, []string{"a"}, reads)
}

func TestCatalogueCompletesWhatStatementsTouch(t *testing.T) {
	for name, c := range map[string]struct {
		definitions []string
		opaque      []string
	}{
		"PostgreSQL": {[]string{
			"create table parent (id int primary key)",
			"create table child (id serial primary key, owner int references parent on delete cascade)",
			"create table grandchild (above int references child on delete cascade)",
			"create table triggered (v int)",
			"create function f() returns trigger language plpgsql as 'begin return new; end'",
			"create trigger t before insert on triggered for each row execute function f()",
			"create function one() returns int language sql as 'select 1'",
			"create table defaults (v int default one())",
			"create table checks (v int check (v > one()))",
			"create sequence s",
			"create table numbered (v int default nextval('s'))",
			"create view seen as select * from parent",
			"create table whole (v int) partition by list (v)",
			"create table part partition of whole for values in (1)",
			"create table secret (v int)",
			"alter table secret enable row level security",
			"create table ruled (v int)",
			"create rule r as on insert to ruled do also delete from parent",
		}, []string{"triggered", "defaults", "checks", "numbered", "seen", "whole", "part", "secret", "ruled"}},
		"SQLite": {[]string{
			"create table parent (id int primary key)",
			"create table child (id integer primary key, owner int references parent on delete cascade)",
			"create table grandchild (above int references child on delete cascade)",
			"create table triggered (v int)",
			"create trigger t after insert on triggered begin delete from parent; end",
			"create view seen as select * from parent",
		}, []string{"triggered", "seen"}},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := openTables(t, name, c.definitions...)
			schema, err := repainttest.ReadSchema(t.Context(), d.query())
			require.NoError(t, err)
			touched := func(text string) string {
				reads, writes, all := schema.Footprint(sqltext.PostgreSQL, text)
				if all {
					return "?"
				}
				return strings.Join(reads, " ") + " / " + strings.Join(writes, " ")
			}
			require.Equal(t, "child / ", touched("select id from child"))
			require.Equal(t, "child grandchild parent / child grandchild", touched("insert into child (owner) values (1)"))
			require.Equal(t, "child grandchild parent / child grandchild parent", touched("delete from parent"))
			require.Equal(t, "a / a", touched("delete from a"))
			for _, name := range c.opaque {
				require.Equal(t, "?", touched("insert into "+name+" values (1)"), name)
			}
		})
	}
}

func TestCatalogueThatIsNotKnownIsSaid(t *testing.T) {
	_, err := repainttest.ReadSchema(t.Context(), func(context.Context, string) ([][]string, error) { return nil, errors.New("no") })
	require.ErrorContains(t, err, "name the tables in PlainTables")
}
