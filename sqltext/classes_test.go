package sqltext_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/sqltext"
)

// effects writes a verdict as letters, for the tables of these tests.
func effects(e sqltext.Effects) string {
	var b strings.Builder
	for _, one := range []struct {
		effect sqltext.Effects
		letter byte
	}{
		{sqltext.ReturnsRows, 'r'}, {sqltext.Writes, 'w'}, {sqltext.CountsRows, 'c'}, {sqltext.MakesKey, 'k'}, {sqltext.Keepable, 'p'},
		{sqltext.Varies, 'v'}, {sqltext.LeavesState, 'S'}, {sqltext.Sticks, '!'}, {sqltext.ControlsTx, 'T'}, {sqltext.ForTx, 'L'}, {sqltext.EndsTx, 'E'},
		{sqltext.Commits, 'C'}, {sqltext.CommitsItself, 'M'}, {sqltext.RunsCode, 'x'}, {sqltext.Redefines, 'N'},
		{sqltext.CopiesIn, 'I'}, {sqltext.CopiesOut, 'O'},
	} {
		if e.Any(one.effect) {
			b.WriteByte(one.letter)
		}
	}
	return b.String()
}

type class struct {
	text    string
	effects string
	cause   string
}

func checkClasses(t *testing.T, l *sqltext.Language, cases []class) {
	t.Helper()
	for _, c := range cases {
		for _, text := range []string{c.text, "/* a */ " + strings.ToUpper(c.text) + " -- b"} {
			if text != c.text && strings.ContainsAny(c.text, "'\"`[") {
				continue
			}
			statements := l.Split(text)
			require.Len(t, statements, 1, text)
			v := l.Classify(text, statements[0])
			require.Equal(t, c.effects, effects(v.Effects), text)
			require.Equal(t, c.cause, v.Cause, text)
			require.Equal(t, v.Cause == "", v.Effects.Pipelines(), text)
		}
	}
}

func TestWhatPostgreSQLsStatementsDo(t *testing.T) {
	checkClasses(t, sqltext.PostgreSQL, []class{
		{"select 1", "rp", ""},
		{"(select 1) union select 2", "rp", ""},
		{"values (1)", "rp", ""},
		{"table t", "rp", ""},
		{"show x", "rv", ""},
		{"insert into t values (1)", "wcp", ""},
		{"insert into t values (1) returning a", "rwcp", ""},
		{"update t set a = 1", "wcp", ""},
		{"delete from t", "wcp", ""},
		{"merge into t using u on true when matched then delete", "wcp", ""},
		{"with a as (select 1) select 1", "rp", ""},
		{"with a as (select 1) insert into t select 1", "wcp", ""},
		{"with a as (delete from t returning a) select 1", "rwcp", ""},
		{"with a as materialized (update t set a = 1 returning a) select 1", "rwcp", ""},
		{"select 1 for update", "rp", ""},
		{"truncate t", "w", ""},
		{"notify x", "w", ""},
		{"vacuum", "wM", ""},

		{"begin", "T", "BEGIN"},
		{"start transaction", "T", "START"},
		{"commit", "TC", "COMMIT"},
		{"end", "TC", "END"},
		{"rollback", "T", "ROLLBACK"},
		{"abort", "T", "ABORT"},
		{"savepoint s", "T", "SAVEPOINT"},
		{"release s", "T", "RELEASE"},
		{"prepare transaction 'x'", "TC", "PREPARE TRANSACTION"},
		{"commit prepared 'x'", "wM", ""},
		{"rollback prepared 'x'", "wM", ""},
		{"set transaction read only", "T", "SET TRANSACTION"},
		{"set session characteristics as transaction read only", "ST", "SET SESSION CHARACTERISTICS"},
		{"set local x to 1", "LN", "SET LOCAL"},
		{"set constraints all deferred", "L", "SET CONSTRAINTS"},

		{"set x to 1", "SN", "SET"},
		{"set time zone 'UTC'", "SN", "SET"},
		{"set local timezone to 'UTC'", "LN", "SET LOCAL"},
		{"set session authorization x", "SN", "SET"},
		{"reset session authorization", "SN", "RESET"},
		{"reset all", "SN", "RESET"},
		{`set "search_path" = 'x'`, "SN", "SET"},
		{"set local statement_timeout = 5", "L", "SET LOCAL"},
		{"set session work_mem = '1MB'", "S", "SET"},
		{"set enable_seqscan = off", "S", "SET"},
		{"reset lock_timeout", "S", "RESET"},
		{"set app.user_name = 'x'", "S", "SET"},
		{"set local app.search_path = 'x'", "L", "SET LOCAL"},
		{"select set_config('app.user_name', $1, true)", "rp", ""},
		{"select set_config('Statement_Timeout', '5', true)", "rp", ""},
		{"select set_config(is_local => true, new_value => '5', setting_name => 'work_mem')", "rp", ""},
		{"select set_config('timezone', $1, true)", "rpN", ""},
		{"select set_config('app.' || $1, $2, true)", "rpN", ""},
		{"select set_config($1, $2, true)", "rpN", ""},
		{"set session x to 1", "SN", "SET"},
		{"reset all", "SN", "RESET"},
		{"discard all", "S", "DISCARD"},
		{"load 'x'", "S!", "LOAD"},
		{"listen x", "S", "LISTEN"},
		{"unlisten x", "S", "UNLISTEN"},
		{"prepare x as select 1", "wS", "PREPARE"},
		{"execute x", "rwvS", "EXECUTE"},
		{"deallocate x", "S", "DEALLOCATE"},
		{"declare c cursor for select 1", "S", "DECLARE"},
		{"fetch 1 from c", "rvS", "FETCH"},
		{"move 1 from c", "vS", "MOVE"},
		{"close c", "S", "CLOSE"},
		{"call p()", "wMx", ""},
		{"do $$ begin perform 1; end $$", "wMx", ""},

		{"vacuum full t", "wM", ""},
		{"analyze", "wM", ""},
		{"reindex (verbose) table t", "wM", ""},
		{"cluster t using i", "wM", ""},
		{"create unique index concurrently if not exists i on t (a)", "wMN", ""},
		{"create index i on t (a)", "wN", ""},
		{"drop index concurrently i", "wMN", ""},
		{"drop index i", "wN", ""},
		{"alter table t alter a type int using pg_advisory_lock(1)", "wSN", "pg_advisory_lock"},
		{"alter function pg_advisory_lock(bigint) owner to x", "wN", ""},
		{"alter table t detach partition p concurrently", "wMN", ""},
		{"create table concurrent (concurrently int)", "wN", ""},
		{"create database d", "wMN", ""},
		{"drop tablespace s", "wMN", ""},
		{"create subscription s connection '' publication p", "wMN", ""},
		{"alter system set work_mem = 1", "wMN", ""},
		{"alter table system add column a int", "wN", ""},
		{"select 'call', \"vacuum\" from t", "rp", ""},
		{"set search_path to x", "SN", "SET"},
		{"set session schema 'x'", "SN", "SET"},
		{"set local role x", "LN", "SET LOCAL"},
		{"set session authorization x", "SN", "SET"},
		{"set work_mem to 'role'", "S", "SET"},
		{"reset role", "SN", "RESET"},
		{"reset work_mem", "S", "RESET"},

		{"copy t from stdin", "wcI", "COPY FROM STDIN"},
		{"copy t (stdin) from stdin with (format binary)", "wcI", "COPY FROM STDIN"},
		{"copy t to stdout", "wcO", "COPY TO STDOUT"},
		{"copy t to stdin", "wcO", "COPY TO STDOUT"},
		{"copy (select a from stdin) to stdout", "wcO", "COPY TO STDOUT"},
		{"copy t to '/stdout'", "wc", ""},
		{"copy t from '/stdin'", "wc", ""},
		{"copy stdin from '/x'", "wc", ""},
	})
}

func TestWhatIsLeftOnAConnectionOfPostgreSQL(t *testing.T) {
	checkClasses(t, sqltext.PostgreSQL, []class{
		{"create temp table t (a int)", "wSN", "CREATE TEMP"},
		{"create temporary view v as select 1", "wSN", "CREATE TEMP"},
		{"create or replace temp recursive view v (a) as select 1", "wSN", "CREATE TEMP"},
		{"create local temp table t (a int)", "wSN", "CREATE TEMP"},
		{"create global temporary table if not exists t (a int)", "wSN", "CREATE TEMP"},
		{"create temp sequence s", "wSN", "CREATE TEMP"},
		{"create temp table t as select 1", "wSN", "CREATE TEMP"},
		{"create table pg_temp.t (a int)", "wSN", "CREATE in pg_temp"},
		{"create unlogged table if not exists pg_temp.t (a int)", "wSN", "CREATE in pg_temp"},
		{`create table "pg_temp"."t" (a int)`, "wSN", "CREATE in pg_temp"},
		{`create table U&"pg\005ftemp" . t (a int)`, "wSN", "CREATE in pg_temp"},
		{"create table pg_temp_3.t (a int)", "wSN", "CREATE in pg_temp"},
		{"create view pg_temp.v as select 1", "wSN", "CREATE in pg_temp"},
		{"create or replace function pg_temp.f() returns int language sql return 1", "wSN", "CREATE in pg_temp"},
		{"create procedure pg_temp.p() language sql begin atomic end", "wSN", "CREATE in pg_temp"},
		{"create aggregate pg_temp.a (int) (sfunc = f, stype = int)", "wSN", "CREATE in pg_temp"},
		{"create sequence pg_temp.s", "wSN", "CREATE in pg_temp"},
		{"create type pg_temp.t as (a int)", "wSN", "CREATE in pg_temp"},
		{"create domain pg_temp.d as int", "wSN", "CREATE in pg_temp"},
		{"create operator pg_temp.=== (leftarg = int, rightarg = int, function = f)", "wSN", "CREATE in pg_temp"},
		{"create table pg_temp.t as select 1", "wSN", "CREATE in pg_temp"},
		{"select 1 into temp t", "rwcpSN", "INTO TEMP"},
		{"select 1 into temporary table t", "rwcpSN", "INTO TEMP"},
		{"select 1 into local temp t from x", "rwcpSN", "INTO TEMP"},
		{`select 1 into temp "from" from x`, "rwcpSN", "INTO TEMP"},
		{"select 1 into pg_temp.t", "rwcpSN", "INTO TEMP"},
		{"select 1 into table pg_temp.t", "rwcpSN", "INTO TEMP"},
		{"with x as (select 1) select * into temporary t from x", "rwcpSN", "INTO TEMP"},
		{"select pg_advisory_lock(1)", "rpS", "pg_advisory_lock"},
		{"select 1 from t where pg_try_advisory_lock(id)", "rpS", "pg_try_advisory_lock"},
		{"select pg_catalog.pg_advisory_lock_shared(1, 2)", "rpS", "pg_advisory_lock_shared"},
		{`select "pg_catalog" . "pg_try_advisory_lock_shared" (1)`, "rpS", "pg_try_advisory_lock_shared"},
		{"insert into t select pg_advisory_lock(1)", "wcpS", "pg_advisory_lock"},
		{"with a as (select pg_advisory_lock(1)) select 1", "rpS", "pg_advisory_lock"},
		{"call p(pg_advisory_lock(1)::text)", "wSMx", "pg_advisory_lock"},
		{"copy (select pg_advisory_lock(1)) to stdout", "wcSO", "pg_advisory_lock"},
		{"create table t as select pg_advisory_lock(1)", "wSN", "pg_advisory_lock"},
		{"create materialized view v as select pg_advisory_lock(1)", "wSN", "pg_advisory_lock"},
		{"select set_config('a', 'b', false)", "rpSN", "set_config"},
		{"select set_config('a', 'b', 'off')", "rpSN", "set_config"},
		{"select set_config('a', f(1, true), false)", "rpSN", "set_config"},
		{"select set_config($1, $2, $3)", "rpSN", "set_config"},
		{"select set_config('a', 'b', not true)", "rpSN", "set_config"},
		{"select set_config('a', 'b', true and false)", "rpSN", "set_config"},
		{"select set_config(is_local => false, setting_name => 'a', new_value => 'true')", "rpSN", "set_config"},
		{"select setseed(0.5)", "rpS!", "setseed"},
		{"select public.dblink_connect('x')", "rpS!", "dblink_connect"},
		{"select pg_create_logical_replication_slot('a', 'b', true)", "rpS!", "pg_create_logical_replication_slot"},
		{"select set_limit(0.5)", "rpS", "set_limit"},
		{"explain analyze select setseed(0.5)", "rvS!", "setseed"},
		{"update pg_settings set setting = '1' where name = 'x'", "wcpSN", "UPDATE pg_settings"},
		{`update only pg_catalog . "pg_settings" set setting = '1'`, "wcpSN", "UPDATE pg_settings"},
		{"with a as (update pg_settings set setting = '1' returning name) select 1", "rwcpSN", "UPDATE pg_settings"},

		{"explain analyze create temp table t as select 1", "rwvSN", "CREATE TEMP"},
		{"explain (analyze) create temp table t as select 1", "rwvSN", "CREATE TEMP"},
		{"explain (costs off, analyze true) select 1 into temp t", "rwvSN", "INTO TEMP"},
		{"explain (analyse 1) select pg_advisory_lock(1)", "rvS", "pg_advisory_lock"},
		{"explain analyze verbose insert into t values (pg_advisory_lock(1))", "rwvS", "pg_advisory_lock"},
		{"explain verbose analyze execute x", "rwvS", "EXPLAIN"},
	})
}

func TestWhatLeavesNothingOnAConnectionOfPostgreSQL(t *testing.T) {
	checkClasses(t, sqltext.PostgreSQL, []class{
		{"create table temp (temp int)", "wN", ""},
		{"create table temporary (temp int)", "wN", ""},
		{"create table temp.t (a int)", "wN", ""},
		{`create table "temp" (a int)`, "wN", ""},
		{"create table pg_temp (pg_temp int)", "wN", ""},
		{"create table pg_temporal.t (a int)", "wN", ""},
		{`create table "PG_TEMP".t (a int)`, "wN", ""},
		{"create index temp on temp (temp)", "wN", ""},
		{"create view v as select pg_advisory_lock(1)", "wN", ""},
		{"create view v as select * from pg_temp.t", "wN", ""},
		{"create function f() returns void language sql begin atomic select pg_advisory_lock(1); end", "wN", ""},
		{"create table pg_advisory_lock (a int)", "wN", ""},
		{"create table if not exists set_config (a int)", "wN", ""},
		{"create table t (temp int, pg_temp text)", "wN", ""},
		{"insert into temp values (1)", "wcp", ""},
		{"insert into temp (temp) select temp from temp", "wcp", ""},
		{"insert into temporary select 1", "wcp", ""},
		{"insert into setseed (a) values (1)", "wcp", ""},
		{"insert into t (a) values ('create temp table t')", "wcp", ""},
		{"merge into temp t using u on true when matched then delete", "wcp", ""},
		{"update temp set temp = 1", "wcp", ""},
		{"delete from temp", "wcp", ""},
		{"select * from temp", "rp", ""},
		{"select temp into temp from temp", "rwcpN", ""},
		{"select temp into temp", "rwcpN", ""},
		{"select temp into temp.temp", "rwcpN", ""},
		{"(select 1 into temp)", "rwcpN", ""},
		{"select 1 into unlogged t", "rwcpN", ""},
		{"select pg_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(2)", "rp", ""},
		{"select pg_advisory_lock", "rp", ""},
		{"select pg_advisory_lock from pg_advisory_lock where pg_advisory_lock > (1)", "rp", ""},
		{"select app.pg_advisory_lock(1), app.set_config(1, 2, false)", "rp", ""},
		{`select "PG_ADVISORY_LOCK"(1)`, "rp", ""},
		{"select 'pg_advisory_lock(1)', $$ set_config('a', 'b', false) $$", "rp", ""},
		{"select 1 -- pg_advisory_lock(1)", "rp", ""},
		{"select 1 /* into temp t /* set x */ */", "rp", ""},
		{"select set_config('a', 'b', true)", "rpN", ""},
		{"select set_config('a', 'b', 't'::bool)", "rpN", ""},
		{"select set_config('a', 'b', is_local => true)", "rpN", ""},
		{"select set_config(is_local := true, setting_name := 'a', new_value := 'false')", "rpN", ""},
		{"select pg_catalog.set_config('a', current_setting('b'), true), 1", "rpN", ""},
		{"select pg_create_physical_replication_slot('a')", "rp", ""},
		{"select pg_create_physical_replication_slot('a', true, false)", "rp", ""},
		{"drop function set_config(text, text, bool)", "wN", ""},
		{"update app.pg_settings set setting = '1'", "wcp", ""},
		{"select * from pg_settings for update", "rp", ""},
		{"comment on function pg_advisory_lock(bigint) is 'x'", "w", ""},
		{"explain create temp table t as select 1", "rv", ""},
		{"explain (analyze false) create temp table t as select 1", "rv", ""},
		{"explain (analyze off, costs on) select pg_advisory_lock(1)", "rv", ""},
		{"explain (select 1)", "rv", ""},
		{"explain verbose select set_config('a', 'b', false)", "rv", ""},
		{"explain analyze delete from t", "rwv", ""},
		{"explain (analyze, buffers) select 1", "rv", ""},
	})
}

func TestWhatIsLeftByABlockOfPostgreSQL(t *testing.T) {
	checkClasses(t, sqltext.PostgreSQL, []class{
		{"do $$ begin set role x; end $$", "wSMxN", "SET in DO"},
		{"do language plpgsql $x$ declare a int := 1; begin set work_mem = 1; end $x$", "wSMx", "SET in DO"},
		{"do 'begin if true then set work_mem = ''1MB''; end if; end' language \"plpgsql\"", "wSMx", "SET in DO"},
		{"do $$ begin for i in 1..2 loop listen x; end loop; end $$", "wSMx", "LISTEN in DO"},
		{"do $$ begin null; exception when others then load 'x'; end $$", "wS!Mx", "LOAD in DO"},
		{"do $$ begin create temp table t (a int, b int); end $$", "wSMxN", "CREATE TEMP in DO"},
		{"do $$ begin create table pg_temp.t as select 1; create table u (a int); end $$", "wSMxN", "CREATE in pg_temp in DO"},
		{"do $$ begin perform set_config('a', 'b', false); end $$", "wSMxN", "set_config"},
		{"do $$ declare a int := pg_advisory_lock(1); begin null; end $$", "wSMx", "pg_advisory_lock"},
		{"do $$ begin x := setseed(1); end $$", "wS!Mx", "setseed"},
		{"do $$ begin execute 'set role x'; end $$", "wSMxN", "SET in DO"},
		{"do $a$ begin execute $b$ select 1; prepare p as select ';' $b$ using 1; end $a$", "wSMx", "PREPARE in DO"},
		{"do $$ begin execute 'select pg_advisory_lock(1)'; end $$", "wSMx", "pg_advisory_lock in DO"},
		{"do $$ begin execute 'do ''begin set role x; end'''; end $$", "wSMxN", "SET in DO in DO"},
		{"do $$ begin set role x", "wSMxN", "SET in DO"},

		{"do $$ begin update t set role = 'x'; end $$", "wMx", ""},
		{"do $$ begin insert into t values (1); update t\nset a = 1; end $$", "wMx", ""},
		{"do $$ begin set local role x; perform set_config('a', 'b', true), pg_advisory_xact_lock(1); end $$", "wMxN", ""},
		{"do $$ begin create temp table t on commit drop as select 1; create table u (a int); end $$", "wMx", ""},
		{"do $$ declare c cursor for select 1; begin open c; fetch c into x; close c; commit; end $$", "wMx", ""},
		{"do $$ begin execute format('set %I = 1', x); execute x; call p(); perform f(); end $$", "wMx", ""},
		{"do $$ begin raise notice 'set role x'; -- set role x\n end $$", "wMx", ""},
		{"do $$ begin execute 'deallocate all'; deallocate x; end $$", "wMx", ""},
		{"do language plpython3u $$ begin; set role x; $$", "wMx", ""},
		{"do $$ begin execute 'deallocate all'; end $$", "wMx", ""},
		{"do $$ begin reset timezone; unlisten *; execute 'reset work_mem'; end $$", "wMxN", ""},
		{"do", "wMx", ""},
	})
}

func TestWhatSQLitesStatementsDo(t *testing.T) {
	checkClasses(t, sqltext.SQLite, []class{
		{"select 1", "rp", ""},
		{"with a as (select 1) select 1", "rp", ""},
		{"explain select 1", "rv", ""},
		{"insert into t values (1)", "wckp", ""},
		{"with a as (select 1) insert into t select 1 returning x", "rwckp", ""},
		{"replace into t values (1)", "wckp", ""},
		{"update t set a = 1", "wcp", ""},
		{"delete from t returning *", "rwcp", ""},
		{"vacuum", "w", ""},
		{"begin immediate", "T", "BEGIN"},
		{"commit", "TC", "COMMIT"},
		{"savepoint s", "T", "SAVEPOINT"},
		{"attach 'x' as y", "wS", "ATTACH"},
		{"create table temp (temp)", "w", ""},
		{"create table if not exists temp (a)", "w", ""},
		{"create table main.temp (a)", "w", ""},
		{"create table 'temp' (a)", "w", ""},
		{"create index temp on temp (temp)", "w", ""},
		{"insert into temp values (1)", "wckp", ""},
		{"select * from temp", "rp", ""},
		{"select 'create temp table', \"temp\".a -- create temp", "rp", ""},
		{"create temp table t (a)", "wS", "CREATE TEMP"},
		{"create temporary view v as select 1", "wS", "CREATE TEMP"},
		{"create temp trigger x after insert on t begin select 1; end", "wS", "CREATE TEMP"},
		{"create table temp.t (a)", "wS", "CREATE in temp"},
		{"create table if not exists temp . t (a)", "wS", "CREATE in temp"},
		{`create table "Temp"."t" (a)`, "wS", "CREATE in temp"},
		{"create table [temp].t (a)", "wS", "CREATE in temp"},
		{"create table `temp`.t (a)", "wS", "CREATE in temp"},
		{"create table 'temp'.t (a)", "wS", "CREATE in temp"},
		{"create view temp.v as select 1", "wS", "CREATE in temp"},
		{"create unique index temp.i on t (a)", "wS", "CREATE in temp"},
		{"create virtual table temp.t using fts5(a)", "wS", "CREATE in temp"},
		{"create trigger temp.x after insert on t begin select 1; end", "wS", "CREATE in temp"},
		{"select load_extension('x')", "rwpS", "load_extension"},
		{"select 1 as load_extension", "rp", ""},
		{"pragma user_version", "rv", ""},
		{"pragma main.user_version", "rv", ""},
		{"pragma user_version = 1", "wS", "PRAGMA"},
		{"pragma main.user_version(1)", "wS", "PRAGMA"},
		{"pragma table_info(t)", "rv", ""},
		{"pragma main.table_info('t')", "rv", ""},
		{"pragma table_info = t", "wS", "PRAGMA"},
		{"pragma optimize", "wS", "PRAGMA"},
		{"pragma", "wS", "PRAGMA"},
	})
}

func TestWhatMariaDBsStatementsDo(t *testing.T) {
	checkClasses(t, sqltext.MySQL, []class{
		{"select 1", "rp", ""},
		{"with a as (select 1) select 1", "rp", ""},
		{"insert into t values (1)", "wckp", ""},
		{"insert into t values (1) returning a", "rwckp", ""},
		{"insert into t (returning) values (1)", "wckp", ""},
		{"update t set returning = 1 where returning > 2", "wcp", ""},
		{"delete from t where a = returning returning returning", "rwcp", ""},
		{"show tables", "rv", ""},
		{"show tables where get_lock('a', 1)", "rwvS", "get_lock"},
		{"create table u select get_lock('a', 1)", "wSE", "get_lock"},
		{"create table u select 1 from t", "wE", ""},
		{"set statement max_statement_time = 1 for select 1", "rp", ""},
		{"set statement max_statement_time = 1 for with a as (select 1) delete from t returning a", "rwcp", ""},
		{"set statement max_statement_time = 1 for select get_lock('a', 1)", "rwpS", "get_lock"},
		{"explain analyze with a as (select 1) select @a := 1", "rwvS", "a user variable"},
		{"explain delete from t", "rv", ""},
		{"explain analyze select get_lock('a', 1)", "rwvS", "get_lock"},
		{"analyze format=json update t set a = 1", "rwv", ""},
		{"analyze select @a := 1", "rwvS", "a user variable"},
		{"analyze table t", "wE", ""},
		{"create table temporary (a int)", "wE", ""},
		{"create table t (temporary int)", "wE", ""},
		{"create temporary table t (a int)", "wS", "CREATE TEMPORARY"},
		{"create or replace temporary table t (a int)", "wS", "CREATE TEMPORARY"},
		{"drop temporary table t", "wS", "DROP TEMPORARY"},
		{"alter table t add b int", "wE", ""},
		{"truncate t", "wE", ""},
		{"begin", "T", "BEGIN"},
		{"begin work", "T", "BEGIN"},
		{"start transaction", "wT", "START TRANSACTION"},
		{"start slave", "wE", ""},
		{"xa start 'x'", "T", "XA"},
		{"set @a = 1", "wS", "SET"},
		{"set autocommit = 0", "wST", "SET AUTOCOMMIT"},
		{"set transaction read only", "wST", "SET TRANSACTION"},
		{"set password = 'x'", "wSE", "SET PASSWORD"},
		{"use x", "wSN", "USE"},
		{"set sql_mode = ''", "wSN", "SET"},
		{"set names latin1", "wSN", "SET"},
		{"set @@session.sql_mode = '', @a = 1", "wSN", "SET"},
		{"set @a = 1, sql_mode = ''", "wSN", "SET"},
		{"set @a = (select 1, 2)", "wS", "SET"},
		{"set @a = 1, @b = f(1, 2)", "wS", "SET"},
		{"lock tables t read", "wSE", "LOCK"},
		{"flush tables", "wE", ""},
		{"flush tables t with read lock", "wSE", "FLUSH TABLES WITH READ LOCK"},
		{"flush tables t for export", "wSE", "FLUSH TABLES WITH READ LOCK"},
		{"call p()", "wpvSM", "CALL"},
		{"begin not atomic select 1; end", "wSM", "BEGIN"},
		{"if 1 then select 1; end if", "wSM", "IF"},
		{"create procedure p() begin select get_lock('a', 1); end", "wE", ""},

		{"select get_lock('a', 1)", "rwpS", "get_lock"},
		{"select 1 from t where get_lock('a', 1) = 1", "rwpS", "get_lock"},
		{"select 1+get_lock('a', 1)", "rwpS", "get_lock"},
		{"select `get_lock`('a', 1)", "rwpS", "get_lock"},
		{"select /*!40000 get_lock('a', 1) */", "rwpS", "get_lock"},
		{"insert into t values (get_lock('a', 1))", "wckpS", "get_lock"},
		{"update t set a = get_lock('a', 1)", "wcpS", "get_lock"},
		{"delete from t where get_lock /* x */ ('a', 1)", "wcpS", "get_lock"},
		{"select @a := 1", "rwpS", "a user variable"},
		{"update t set a = (@a:=a)", "wcpS", "a user variable"},
		{"load data infile 'x' into table t (@a) set b = @a", "wcS", "a user variable"},
		{"select 1 into @a", "rwpS", "INTO"},
		{"select 'get_lock(1, 2)', \"into\", `into` from t", "rp", ""},
		{"select get_lock from t", "rp", ""},
		{"select d.get_lock('a', 1)", "rp", ""},
		{"select /* get_lock('a', 1) */ /*+ get_lock('a', 1) */ 1 # into\n", "rp", ""},
		{"select release_lock('a'), is_used_lock('a')", "rp", ""},
		{"insert into get_lock (a) values (1)", "wckp", ""},
	})
}

func TestReturningIsFound(t *testing.T) {
	for _, c := range []struct {
		language *sqltext.Language
		text     string
		rest     string
	}{
		{sqltext.PostgreSQL, "insert into t values (1) returning a", "returning a"},
		{sqltext.PostgreSQL, "insert into t values ('returning') /* returning */", ""},
		{sqltext.MySQL, "/* a */ delete from t where a = returning Returning b", "Returning b"},
		{sqltext.SQLite, "update t set a = 1 returning a", "returning a"},
		{sqltext.SQLite, "select returning from t", ""},
	} {
		rest := ""
		if at := c.language.Classify(c.text, c.language.Split(c.text)[0]).Returning; at > 0 {
			rest = c.text[at:]
		}
		require.Equal(t, c.rest, rest, c.text)
	}
}
