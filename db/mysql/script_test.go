package mysql_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// A script is split where the server would split it, whatever bodies its statements have.
func TestScriptsWithBodies(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, server.Database(t).URL())
		_, err := e.Exec(ctx, `
			create table log (id int auto_increment primary key, what varchar(50)); -- begin
			create table t (id int primary key, v int, `+"`end`"+` int default 0);

			create procedure p_if(x int)
				if x > 0 then insert into log(what) values ('if'); elseif x < 0 then insert into log(what) values (if(x < -5, 'less', 'negative'));
				else insert into log(what) values ('zero'); end if;
			create procedure p_while(x int) while x > 0 do insert into log(what) values (concat('while ', x)); set x = x - 1; end while;
			create procedure p_loop(x int)
				l: loop
					if x <= 0 then leave l; end if;
					insert into log(what) values (repeat('l', x)); set x = x - 1;
				end loop l;
			create procedure p_repeat(x int) repeat insert into log(what) values ('repeat'); set x = x - 1; until case when x > 0 then false else true end end repeat;
			create procedure p_case(x int)
				case x when 1 then insert into log(what) values ('one'); when 2 then begin insert into log(what) values ('two'); end;
				else insert into log(what) select case when x > 2 then 'many' else 'none' end; end case;
			create procedure p_for() for i in 1..2 do insert into log(what) values (concat('for ', i)); end for;
			create procedure p_handler()
			begin
				declare done int default 0;
				declare c cursor for select id from t for update;
				declare exit handler for sqlstate value '23000', 1062 begin insert into log(what) values ('duplicate'); end;
				declare continue handler for not found set done = 1;
				insert into t(id) values (100); /* ; end */ insert into t(id) values (100);
			end;
			create function f(x int) returns varchar(20) character set utf8mb4 deterministic
			begin if x is null then return 'null; end'; end if; return case when x > 0 then 'positive' else 'other' end; end;
			create trigger tr before insert on t for each row begin if new.v is null then set new.v = 7; end if; set new.`+"`end`"+` = case when new.v then 1 else 2 end; end;
			create trigger tr2 before insert on t for each row follows tr if new.v = 7 then set new.v = 8; end if;
			create event ev on schedule every 1 day disable do begin delete from log; insert into log(what) values ('event'); end;
			begin not atomic declare x int default 2; while x > 0 do insert into log(what) values ('block'); set x = x - 1; end while; end;
			if (select count(*) from log) = 2 then insert into log(what) values ('two blocks'); end if;
			for r in (select 1 as a union select 2) do insert into log(what) values (concat('row ', r.a)); end for;

			call p_if(1); call p_if(-1); call p_if(-9); call p_if(0); call p_while(2); call p_loop(2); call p_repeat(2); call p_case(1); call p_case(2); call p_case(3);
			call p_for(); call p_handler(); insert into log(what) values (f(1)), (f(null)); insert into t(id) values (1);
		`)
		require.NoError(t, err)
		got, err := db.All[string](ctx, e, "select what from log order by id")
		require.NoError(t, err)
		require.Equal(t, []string{"block", "block", "two blocks", "row 1", "row 2", "if", "negative", "less", "zero", "while 2", "while 1", "ll", "l", "repeat", "repeat",
			"one", "two", "many", "for 1", "for 2", "duplicate", "positive", "null; end"}, got)
		v, err := db.Scalar[int](ctx, e, "select v + `end` from t where id = 1")
		require.NoError(t, err)
		require.Equal(t, 9, v)
	})
}

func TestScriptsInOracleMode(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, server.Database(t).URL())
		_, err := e.Exec(ctx, `
			set sql_mode = 'ORACLE'; create table log (id int auto_increment primary key, what varchar(50));
			create procedure p(x int) as y int := 2; begin
				if x > 0 then insert into log(what) values ('if'); elsif y = 2 then insert into log(what) values ('elsif'); end if;
				for i in 1..y loop insert into log(what) values ('for'); end loop;
				while y > 0 loop insert into log(what) values ('while'); y := y - 1; end loop;
				<<here>> loop exit here; end loop;
				exception when others then insert into log(what) values ('exception');
			end p;
			create function f(x int) return int as begin return x + 1; end;
			create package k as procedure a(x int); function b return int; end;
			create package body k as
				z int := 5;
				procedure a(x int) as n int; begin insert into log(what) values ('a'); end;
				function b return int is begin if z > 0 then return z; end if; return 0; end b;
			begin z := 6; end;
			declare x int := 1; begin insert into log(what) values ('block'); end;
			begin insert into log(what) values ('begin'); end;
			call p(1); call p(0); call k.a(1); insert into log(what) values (f(1)), (k.b());
		`)
		require.NoError(t, err)
		got, err := db.All[string](ctx, e, "select what from log order by id")
		require.NoError(t, err)
		require.Equal(t, []string{"block", "begin", "if", "for", "for", "while", "while", "elsif", "for", "for", "while", "while", "a", "2", "6"}, got)
	})
}

func TestDelimiterLinesAreTheClients(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, server.Database(t).URL())
		_, err := e.Exec(ctx, "delimiter //\ncreate procedure p() begin select 1; end //\ndelimiter ;")
		require.ErrorIs(t, err, db.ErrUnsupported)
		require.ErrorContains(t, err, "command line client")
	})
}

// SET STATEMENT has no effect after its statement.
func TestSetStatement(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, server.Database(t).URL())
		for range 2 {
			n, err := db.Scalar[int](ctx, e, "set statement group_concat_max_len = 1234 for select @@group_concat_max_len + :n", db.Named("n", 1))
			require.NoError(t, err)
			require.Equal(t, 1235, n)
			n, err = db.Scalar[int](ctx, e, "set statement group_concat_max_len = 1234 for with a as (select @@group_concat_max_len as x) select x from a")
			require.NoError(t, err)
			require.Equal(t, 1234, n)
		}
		_, err := e.Exec(ctx, "set statement sql_mode = '' for create table t (id int)")
		require.NoError(t, err)
	})
}
