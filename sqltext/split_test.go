package sqltext_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/sqltext"
)

func TestSplitFindsStatementsAndTheirVerbs(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules sqltext.Rules
		text  string
		want  []string
	}{
		{"nothing", sqlite, " ; -- nothing\n; /* */ ", nil},
		{"one", sqlite, " /* c */ select 1 -- tail", []string{"select: select 1"}},
		{"semicolon and comment behind", sqlite, "Select 1 ; -- tail", []string{"select: Select 1"}},
		{"two", sqlite, "insert into t values (';'); delete from t", []string{"insert: insert into t values (';')", "delete: delete from t"}},
		{"parentheses", postgres, "(select 1) union select 2", []string{"select: (select 1) union select 2"}},
		{"with select", sqlite, "with a as (select 1), b as (values (1)) select * from a", []string{"select: with a as (select 1), b as (values (1)) select * from a"}},
		{"with insert", sqlite, "with recursive a(n) as (select 1) insert into t select * from a", []string{"insert: with recursive a(n) as (select 1) insert into t select * from a"}},
		{"quoted name is no verb", sqlite, `with "insert" as (select 1) select 1`, []string{`select: with "insert" as (select 1) select 1`}},
		{"table with a column called begin", sqlite, "create table event(begin text); select 1",
			[]string{"create: create table event(begin text)", "select: select 1"}},
		{"function in dollar quotes", postgres, "create function f() returns int as $$ begin return 1; end $$ language plpgsql; select 1",
			[]string{"create: create function f() returns int as $$ begin return 1; end $$ language plpgsql", "select: select 1"}},
		{"begin is a statement elsewhere", sqlite, "begin; select 1; end", []string{"begin: begin", "select: select 1", "end: end"}},
		{"begin is a statement", mysql, "begin; select 1; begin work; commit", []string{"begin: begin", "select: select 1", "begin: begin work", "commit: commit"}},
		{"no word", sqlite, "(1)", []string{": (1)"}},
		{"executed comment", mysql, "/*!40101 set names utf8 */; /*!40000 select 1; */; /* nothing */;",
			[]string{"set: /*!40101 set names utf8 */", "select: /*!40000 select 1; */"}},
		{"carriage return", postgres, "select 1 -- one\r; select 2", []string{"select: select 1", "select: select 2"}},
		{"upper case", standard, "ROLLBACK; Größe", []string{"rollback: ROLLBACK", "größe: Größe"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, st := range c.rules.Split(c.text) {
				got = append(got, st.Verb+": "+c.text[st.Start:st.End])
			}
			require.Equal(t, c.want, got)
		})
	}
}

// bodies are statements that contain others. Each is one statement, wherever it is.
var bodies = map[string]struct {
	rules sqltext.Rules
	texts []string
}{
	"SQLite": {sqlite, []string{
		"create temp trigger x after insert on t begin select case when 1 then 2 end; delete from u; end",
		"create trigger if not exists main.x after update of a, b on t for each row when new.a is case when 1 then 2 end begin update t set a = 1; end",
		"create trigger x after insert on t begin select 1 end; select 2 as begin; insert into t select case a when 1 then case when 2 then 3 end end from u; end",
		"explain query plan create temporary trigger x after insert on t begin select 1; end",
	}},
	"PostgreSQL": {postgres, []string{
		"create rule r as on insert to t do also (insert into u values (1); insert into v values (2))",
		"create or replace rule r as on update to t do instead (delete from u; update v set a = (select 1);)",
		"create function f(x int) returns int language sql begin atomic select x; select case when x > 0 then (case x when 1 then 2 end) end; end",
		"create or replace procedure p(begin int) set search_path = public begin atomic insert into t values (1); insert into t select 1 as end; end",
		"create function f() returns int language sql begin atomic select t.end from t; end",
		"create function f() returns int language sql begin atomic; end",
	}},
	"MariaDB": {mysql, []string{
		"create procedure p() begin if 1 then select 1; end if; case 1 when 1 then select 2; else select 3; end case; end",
		"create procedure p(x int) if x > 0 then select 1; elseif x < 0 then select if(x, 2, 3); else select 4; end if",
		"create procedure p() while x < 3 do set x = x + 1; end while",
		"create procedure p() l: loop if x then leave l; end if; end loop l",
		"create procedure p() repeat set x = repeat('a', 2); until x > 3 end repeat",
		"create procedure p() repeat set x = 1; until case when x then 1 else 0 end end repeat",
		"create procedure p() case x when 1 then select 1; else begin end; end case",
		"create procedure p() for i in 1..3 do insert into t values (i); end for",
		"create or replace definer=`a`@`b` procedure d.p(out x int, in y varchar(10)) comment 'it''s; ' language sql not deterministic sql security invoker begin end",
		"create definer = current_user() procedure p() begin select 1; end",
		"create procedure if not exists p() reads sql data begin declare x int; declare continue handler for not found set x = 1; declare exit handler for sqlstate value '23000', sqlexception begin rollback; end; select 1; end",
		"create procedure p() begin declare exit handler for 1062, not found if x then select 1; end if; select 2; end",
		"create procedure p() begin declare c cursor for select a from t for update; open c; fetch c into x; close c; end",
		"create procedure p() begin select 1 as end; select t.end, t.case from x; end",
		"create function f(x int) returns varchar(10) character set utf8mb4 collate utf8mb4_bin deterministic begin if x then return 'a'; end if; return 'b'; end",
		"create function f(x int) returns int begin if x is null then return 1; end if; return 2; end",
		"create aggregate function f(x int) returns int begin declare continue handler for not found return 1; loop fetch group next row; end loop; end",
		"create function f() returns set('a', 'b') return case when 1 then 'a' else 'b' end",
		"create trigger t before insert on x for each row begin set new.a = case when new.b then 1 else 2 end; end",
		"create trigger t before insert on x for each row follows `begin` if new.a then set new.a = 1; end if",
		"create trigger t before insert on x for each row precedes other set new.a = if(new.a, 1, 2)",
		"create event e on schedule every 1 day on completion preserve enable comment 'x' do begin delete from t; end",
		"create event e on schedule at now() + interval 1 hour do delete from t",
		"alter event e on schedule every 1 day do begin delete from t; end",
		"begin not atomic declare x int default 1; while x < 3 do set x = x + 1; end while; if x then select 1; end if; end",
		"begin not atomic begin end; begin select 1; end; end",
		"if (select 1) then select 1; else select 2; end if",
		"while @x < 3 do set @x = @x + 1; end while",
		"case 1 when 1 then select 1; else select 2; end case",
		"loop select 1; end loop",
		"repeat select 1; until 1 end repeat",
		"for r in (select a from t) do select r.a; end for",
		"create procedure p() begin l1: begin leave l1; end l1; l2: while 1 do leave l2; end while; end",
		"create procedure p() begin do if(1, 2, 3); do sleep(0); if exists (select 1) then drop table if exists t; end if; end",
		"create procedure p() begin if 1 then if 2 then select case when 1 then if(1, 2, 3) else repeat('a', 2) end; end if; end if; end",
		"/*!50003 create trigger t before insert on x for each row begin set new.a = 1; end */",
		"/*!50003 create*/ /*!50017 definer=`a`@`b`*/ /*!50003 trigger t before insert on x for each row begin set new.a = 1; end */",
	}},
	"MariaDB in Oracle mode": {mysql, []string{
		"create or replace procedure p(a int) as x int := 1; begin select x; exception when others then select 2; end",
		"create procedure p is begin null; end p",
		"create function f(a int) return int as begin if a then return 1; elsif 2 then return 3; end if; return 2; end",
		"create function f return int is cursor c is select 1; begin for i in 1..3 loop null; end loop; while 1 loop exit; end loop; return 1; end",
		"create or replace package p as x int; procedure a(b int); function f return int; end",
		"create package body p as x int; procedure a(b int) as y int; begin select 1; end; function f return int is begin return 1; end f; begin set x = 1; end",
		"create package body p is procedure a is begin if 1 then null; end if; end; end p",
		"declare x int := 1; begin select x; end",
		"declare cursor c is select 1; begin open c; end",
		"begin select 1; <<a>> loop exit a; end loop; end",
		"create trigger t before insert on x for each row declare a int; begin set new.a = 1; end",
	}},
	"the standard's": {sqltext.Rules{DollarQuotes: true}, []string{
		"create trigger t after insert on x begin select 1; end",
		"create function f() returns int as $$ return 1 $$ language plpgsql",
		"begin atomic select 1; end",
	}},
}

func TestASemicolonInABodyEndsNoStatement(t *testing.T) {
	for name, c := range bodies {
		t.Run(name, func(t *testing.T) {
			for _, text := range c.texts {
				for _, script := range []string{text, "select 1;" + text, text + "; select 'it''s', case when 1 then 2 end; delete from t", text + " ;;"} {
					var got []string
					for _, st := range c.rules.Split(script) {
						got = append(got, script[st.Start:st.End])
					}
					require.Contains(t, got, text, script)
					if script == text {
						require.Len(t, got, 1)
					}
				}
			}
		})
	}
}

func TestWhatLooksLikeABodyEndsWithItsSemicolon(t *testing.T) {
	for _, c := range []struct {
		rules sqltext.Rules
		first string
	}{
		{mysql, "create procedure p() select if(1, 2, 3)"},
		{mysql, "create procedure p() select 1"},
		{mysql, "create function f() returns int return 1"},
		{mysql, "create function f returns string soname 'x.so'"},
		{mysql, "create trigger t before insert on `begin` for each row set new.a = 1"},
		{mysql, "create table t (a int) comment 'begin'"},
		{mysql, "create definer=root@localhost view v as select if(1, 2, 3)"},
		{mysql, "create unique index begin on t(a)"},
		{mysql, "drop procedure if exists p"},
		{mysql, "declare c cursor for select 1"},
		{mysql, "start transaction"},
		{sqlite, "begin immediate"},
		{sqlite, "create table trigger(a)"},
		{sqlite, "drop trigger x"},
		{postgres, "begin isolation level serializable"},
		{postgres, "begin not deferrable"},
		{postgres, "create function f() returns int language sql return 1"},
		{postgres, "create function f() returns int as 'select 1;' language sql"},
		{postgres, "create trigger t before insert on x execute function f()"},
		{postgres, "create table x as select 1 as begin"},
		{postgres, "select case when 1 then 2 end"},
		{standard, "begin isolation level serializable"},
		{standard, "begin not deferrable"},
		{standard, "declare c cursor for select 1"},
		{standard, "create function f() returns int as 'select 1;' language sql"},
		{sqltext.Rules{Natives: "@"}, "declare @x int"},
	} {
		script := c.first + "; select 2; begin; end"
		st := c.rules.Split(script)
		require.Len(t, st, 4, script)
		require.Equal(t, c.first, script[st[0].Start:st[0].End])
		require.False(t, st[0].Block, script)
	}
}

func TestAStatementKeepsTheCommentsAroundIt(t *testing.T) {
	for text, want := range map[string][]string{
		" /* a */ select 1 -- b":                       {" /* a */ select 1 -- b"},
		"/*+ h */ a /* 1 */;/* 2 */ b -- 3\n; -- tail": {"/*+ h */ a /* 1 */", "/* 2 */ b -- 3\n"},
		"-- none\n;;\n/* a */ a":                       {"\n/* a */ a"},
	} {
		var got []string
		for _, st := range postgres.Split(text) {
			got = append(got, text[st.From:st.To])
		}
		require.Equal(t, want, got, text)
	}
}

func TestABlockIsKnown(t *testing.T) {
	for text, block := range map[string]bool{"begin": false, "begin not atomic select 1; end": true, "select 1": false,
		"create procedure p() begin end": true, "create procedure p() select 1": false, "if 1 then select 1; end if": true} {
		require.Equal(t, block, mysql.Split(text)[0].Block, text)
	}
}

func TestWordsStopsAtOtherTokens(t *testing.T) {
	text := `/* x */ CREATE Temp /* y */ "Table" t(a)`
	st := sqlite.Split(text)[0]
	require.Equal(t, []string{"create", "temp"}, sqlite.Words(text, st, 2))
	require.Equal(t, []string{"create", "temp", `"Table"`, "t"}, sqlite.Words(text, st, 10))
}
