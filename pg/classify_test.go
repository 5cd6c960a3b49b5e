package pg

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		sql        string
		class      class
		statements int
	}{
		{"", classPlain, 0},
		{" ; ;-- nothing\n", classPlain, 0},
		{"select 1", classPlain, 1},
		{"select 1;", classPlain, 1},
		{"select 1; select 2", classPlain, 2},
		{"select ';set'; insert into t values (';begin')", classPlain, 2},
		{`select ";begin" from "a;b"`, classPlain, 1},
		{"select $$;begin;$$, $x$;$$;set;$x$", classPlain, 1},
		{"select $1, a$b$ from t; begin", classTx, 2},
		{`select E'it\'s;begin', e'\\'; commit`, classTx, 2},
		{`select 'back\'; begin`, classTx, 2},
		{"/* set */ select 1", classPlain, 1},
		{"/* a /* nested */ ; */ begin", classTx, 1},
		{"-- select\nSeT x to 1", classStateful, 1},
		{"\t reset all", classStateful, 1},
		{"discard all", classStateful, 1},
		{"prepare x as select 1", classStateful, 1},
		{"prepare transaction 'x'", classTx, 1},
		{"commit prepared 'x'", classPlain, 1},
		{"rollback prepared 'x'", classPlain, 1},
		{"declare c cursor for select 1", classStateful, 1},
		{"load 'x'", classStateful, 1},
		{"listen x", classStateful, 1},
		{"notify x", classPlain, 1},
		{"create table t (temp int)", classPlain, 1},
		{"create temp table t (a int)", classStateful, 1},
		{"CREATE TEMPORARY VIEW v AS SELECT 1", classStateful, 1},
		{"create or replace temp view v as select 1", classStateful, 1},
		{"create local temp table t (a int)", classStateful, 1},
		{"select 1 into temp t", classStateful, 1},
		{"with x as (select 1) select * into temporary t from x", classStateful, 1},
		{"begin", classTx, 1},
		{"start transaction", classTx, 1},
		{"end", classTx, 1},
		{"abort", classTx, 1},
		{"savepoint s", classTx, 1},
		{"set local x to 1", classTx, 1},
		{"set transaction read only", classTx, 1},
		{"call p()", classPlain, 1},
		{"do $$begin perform 1; end$$", classPlain, 1},
		{"copy t from stdin", classCopy, 1},
		{"copy t to '/x'", classPlain, 1},
		{"create function f() returns int language sql begin atomic select 1; select 2; end", classPlain, 1},
		{"create function f() returns int language plpgsql as $f$ begin return 1; end $f$; set x to 1", classStateful, 2},
		{"select 1e5, .5, 1_000; begin", classTx, 2},
		{"insert into t values (1); call p()", classPlain, 2},
		{"select 'unfinished; begin", classPlain, 1},
		{"select $x$ unfinished; begin", classPlain, 1},
		{"/* unfinished; begin", classPlain, 0},
	} {
		v := classify(c.sql)
		require.Equal(t, c.class, v.class, c.sql)
		require.Equal(t, c.statements, v.statements, c.sql)
	}
}

func FuzzClassify(f *testing.F) {
	for _, s := range []string{"select 1", "begin", "$$", "'", "/*", "a$b$", "e'\\", "--"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		v := classify(sql)
		// What stands behind a statement that ends in order is seen.
		if !strings.ContainsAny(sql, `'"$/-\(`) && !strings.Contains(strings.ToUpper(sql), "ATOMIC") {
			if after := classify(sql + "\n;begin"); after.class != classCopy {
				require.Equal(t, max(v.class, classTx), after.class)
			}
		}
	})
}

func TestShorten(t *testing.T) {
	require.Equal(t, "select 1", shorten(" \n select\t\n 1 "))
	long := shorten(strings.Repeat("select ä ", 100))
	require.Less(t, len(long), 120)
	require.True(t, strings.HasSuffix(long, " …"))
}

func TestClassifyWhatCommits(t *testing.T) {
	for sql, want := range map[string]string{
		"insert into t values (1)":  "",
		"call p()":                  "lasts",
		"do $$ begin end $$":        "lasts",
		"select 1; call p()":        "lasts",
		"vacuum full t":             "lasts",
		"analyze":                   "lasts",
		"reindex (verbose) table t": "lasts",
		"cluster t using i":         "lasts",
		"create unique index concurrently if not exists i on t(a)": "lasts",
		"create index i on t(a)":                                   "",
		"drop index concurrently i":                                "lasts",
		"drop index i":                                             "",
		"alter table t detach partition p concurrently":            "lasts",
		"create table concurrent (concurrently_not int)":           "",
		"create database d":                                        "lasts",
		"drop tablespace s":                                        "lasts",
		"create subscription s connection '' publication p":        "lasts",
		"alter system set work_mem = 1":                            "lasts",
		"commit":                                                   "commits",
		"insert into t values (1); end":                            "commits",
		"prepare transaction 'x'":                                  "commits",
		"prepare x as select 1":                                    "",
		"commit prepared 'x'":                                      "lasts",
		"rollback prepared 'x'":                                    "lasts",
		"rollback":                                                 "",
		"savepoint s":                                              "",
		"select 'call', \"vacuum\"":                                "",
	} {
		got := ""
		if v := classify(sql); v.lasts {
			got = "lasts"
		} else if v.commits {
			got = "commits"
		}
		require.Equal(t, want, got, sql)
	}
}
