package postgres_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// A script is split where the server would split it, whatever bodies and literals its statements
// have.
func TestScriptsWithBodies(t *testing.T) {
	server := testserver.Postgres(t)
	server.Needs(t, 14, "BEGIN ATOMIC")
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, dbtest.PostgresURL(server.Database(t)))
		_, err := e.Exec(ctx, `
			create table t (id int, "end" int); create table log (id serial, what text);
			create rule r as on insert to t do also (insert into log(what) values ('rule one;'); insert into log(what) values ('rule two'););
			create procedure p(x int) language sql begin atomic
				insert into log(what) values (case when x > 0 then (case x when 1 then 'one' else 'many' end) else 'none' end);
				insert into log(what) select 'as end' as end;
				insert into log(what) select t.end::text from t;
			end;
			create function f(begin int) returns text language sql set search_path = public begin atomic select 'first'; select 'last ' || begin; end;
			create function g() returns trigger language plpgsql as $body$ begin insert into log(what) values ('trigger; $$ end'); return new; end; $body$;
			create trigger tr after insert on t for each row execute function g();
			do $$ begin insert into log(what) values ('do; it'); end $$;
			insert into t values (1, 2); call p(1); call p(5); insert into log(what) select f(7); -- the end`+"\r"+`;
			insert into log(what) values (E'it''s \'a'`+"\n"+` ' quote\';' /* ; /* ; */ ; */), (U&'\0041;');
		`)
		require.NoError(t, err)
		got, err := db.All[string](ctx, e, "select what from log order by id")
		require.NoError(t, err)
		require.Equal(t, []string{"do; it", "trigger; $$ end", "rule one;", "rule two", "one", "as end", "2", "many", "as end", "2", "last 7",
			"it's 'a quote';", "A;"}, got)
	})
}

// Literals and comments are read as the server reads them.
func TestParametersBesideLiteralsOfEveryKind(t *testing.T) {
	server := testserver.Postgres(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, dbtest.PostgresURL(server.Database(t)))
		for text, want := range map[string]string{
			"select E'a'\n'b\\':x' || :v::text":                         "ab':xv",
			"select E'a' -- it's :x\n\t'\\':x' || :v::text":             "a':xv",
			"select 'a'\n'b\\' || :v::text":                             `ab\v`,
			"select :v::text -- :x\r|| '!'":                             "v!",
			"select :v::text /* :x /* ' */ :x */ || $a$:x $$ '$a$":      "v:x $$ '",
			`select U&'\0041:x\\' || :v::text as U&":x\0041"`:           `A:x\v`,
			`select name 'x\' || :v::text`:                              `x\v`,
			"select (array['v', 'w'])[1:1]::text || :v::text || '\n:x'": "{v}v\n:x",
		} {
			got, err := db.Scalar[string](ctx, e, text, db.Named("v", "v"))
			require.NoError(t, err, text)
			require.Equal(t, want, got, text)
		}
	})
}
