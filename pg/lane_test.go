package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestWhatLeavesStateIsRefusedOnALane(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1")
		require.NoError(t, db.Ping(ctx))
		for _, sql := range []string{
			"set search_path to x", "reset all", "begin", "/* no */ start transaction", "create temp table t (i int)", "listen x",
			"select 1; begin", "prepare x as select 1", "declare c cursor with hold for select 1",
			"create table pg_temp.t (i int)", `create view "pg_temp".v as select 1`, "create function pg_temp.f() returns int language sql return 1",
			"explain analyze create temp table t as select 1", "explain (analyze, costs off) select pg_advisory_lock(1)", "select 1 into temp t",
			"select set_config('work_mem', '1MB', false)", "select 1 from pg_class where pg_try_advisory_lock(1)",
		} {
			_, err := db.Exec(ctx, sql)
			require.ErrorIs(t, err, ErrRefusedOnLane, sql)
			require.ErrorContains(t, err, "session", sql)
			_, err = db.Query(ctx, sql)
			require.ErrorIs(t, err, ErrRefusedOnLane, sql)
			b := new(pgx.Batch)
			b.Queue("select 1")
			b.Queue(sql)
			err = db.SendBatch(ctx, b).Close()
			require.ErrorIs(t, err, ErrRefusedOnLane, sql)
			require.ErrorContains(t, err, "statement 2 of the batch's 2", sql)
		}
		_, err := db.Exec(ctx, "copy t from stdin")
		require.ErrorIs(t, err, ErrUnsupported)
		require.EqualValues(t, 1, db.Stats().Connects)
	})
}

func TestWhatOnlyLooksLikeStateIsNotRefusedOnALane(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1")
		body := "begin atomic select $1; select $1 + 1; end"
		if testserver.Postgres(t).Major() < 14 {
			body = "as 'select $1; select $1 + 1'"
		}
		for _, sql := range []string{
			"create table temp (temp int, pg_temp text)", "insert into temp values (1, 'set x; begin')", "insert into temp (temp) select temp from temp -- into temp t",
			"update temp set temp = 2 /* create temp table t */", "create table temporary as select temp from temp", "drop table temporary",
			"select temp into temporary from temp", "explain analyze delete from temp", "select $$ pg_advisory_lock(1) $$, 'set_config(1, 2, false)' from temp",
			"select set_config('work_mem', '1MB', true), pg_advisory_xact_lock(1)", "create schema app",
			"create function app.pg_advisory_lock(int) returns int language sql " + body, "select app.pg_advisory_lock(1)",
			"create function f() returns void language sql as 'select pg_advisory_lock(1)'", "create view v as select set_config('a.b', 'c', false)",
		} {
			_, err := db.Exec(ctx, sql)
			require.NoError(t, err, sql)
		}
		require.EqualValues(t, 1, db.Stats().Connects)
		require.Zero(t, db.Stats().Poisoned)
	})
}

// The server's answers show what the text doesn't. No other caller then uses the lane.
func TestLaneWithAnOpenTransactionIsReplaced(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		// With this setting the server reads as code what the driver reads as a literal.
		db, _ := open(t, "&pool_lanes=1&standard_conforming_strings=off")
		_, err := db.Exec(ctx, "create table t (id int)")
		require.NoError(t, err)
		hidden := `select '\''; begin; insert into t values (1) --'`
		for _, err := range c.together(ctx, 20, func(ctx context.Context, i int) error {
			if i == 10 {
				_, err := db.Exec(ctx, hidden, pgx.QueryExecModeSimpleProtocol)
				return err
			}
			_, err := db.Exec(ctx, "insert into t values ($1)", 2)
			return err
		}) {
			if err != nil {
				require.ErrorIs(t, err, ErrRefusedOnLane)
				require.ErrorContains(t, err, "left a transaction open")
			}
		}
		require.Equal(t, 19, count(t, ctx, db, "t where id = 2"), "what was acknowledged is there")
		require.Equal(t, 0, count(t, ctx, db, "t where id = 1"))
		require.EqualValues(t, 1, db.Stats().Poisoned)
		require.EqualValues(t, 2, db.Stats().Connects)
	})
}

func TestStalePlansArePreparedAnew(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=2")
		other := openAt(t, target.URL())
		for _, changer := range []*DB{db, other} {
			testStalePlans(t, ctx, db, changer)
		}
	})
}

// testStalePlans changes the schema under db's statements.
func testStalePlans(t *testing.T, ctx context.Context, db, changer *DB) {
	before := db.Stats().Reprepared
	_, err := changer.Exec(ctx, "create table t (id int, v int); insert into t values (1, 2)")
	require.NoError(t, err)
	read := func() (values []any) {
		rows, err := db.Query(ctx, "select * from t where id = $1", 1)
		require.NoError(t, err)
		got, err := pgx.CollectOneRow(rows, func(r pgx.CollectableRow) ([]any, error) { return r.Values() })
		require.NoError(t, err)
		return got
	}
	for range 4 {
		require.Equal(t, []any{int32(1), int32(2)}, read())
	}
	_, err = changer.Exec(ctx, "alter table t add column w text default 'new'")
	require.NoError(t, err)
	for range 4 {
		require.Equal(t, []any{int32(1), int32(2), "new"}, read())
	}
	_, err = changer.Exec(ctx, "alter table t alter column v type text, alter column id type bigint")
	require.NoError(t, err)
	for range 4 {
		require.Equal(t, []any{int64(1), "2", "new"}, read())
	}
	// The type of a parameter.
	for _, kind := range []string{"int", "text", "timestamptz", "float8"} {
		_, err = changer.Exec(ctx, "drop table t; create table t (id "+kind+")")
		require.NoError(t, err)
		arg := map[string]any{"int": 1, "text": "1", "timestamptz": "2020-01-01", "float8": 1.5}[kind]
		for range 3 {
			_, err := db.Exec(ctx, "insert into t values ($1)", arg)
			require.NoError(t, err)
		}
		require.Equal(t, 3, count(t, ctx, db, "t"))
	}
	require.Greater(t, db.Stats().Reprepared, before)
	// A statement that is really wrong gets an error.
	_, err = changer.Exec(ctx, "drop table t")
	require.NoError(t, err)
	_, err = db.Exec(ctx, "insert into t values ($1)", 1.5)
	require.ErrorContains(t, err, "42P01")
}

func TestStatementCacheIsBounded(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1&statement_cache_capacity=3")
		for range 3 {
			for i := range 30 {
				var n int
				require.NoError(t, db.QueryRow(ctx, fmt.Sprintf("select $1::int + %d", i), 1).Scan(&n))
				require.Equal(t, i+1, n)
			}
		}
		var n int
		require.NoError(t, db.QueryRow(ctx, "select count(*) from pg_prepared_statements").Scan(&n))
		require.LessOrEqual(t, n, 3)
	})
}

func TestEveryExecMode(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for _, mode := range execModes {
			db, _ := open(t, "&default_query_exec_mode="+mode.name)
			_, err := db.Exec(ctx, "create table t (id int, name text)")
			require.NoError(t, err)
			if mode.mode == pgx.QueryExecModeSimpleProtocol {
				_, err = db.Exec(ctx, "insert into t values ($1, $2)", 1, "one")
				require.ErrorIs(t, err, ErrUnsupported)
				_, err = db.Exec(ctx, "insert into t values (1, 'one')")
			} else {
				_, err = db.Exec(ctx, "insert into t values ($1, $2)", 1, "one")
			}
			require.NoError(t, err)
			for range 2 {
				var id int
				var name string
				require.NoError(t, db.QueryRow(ctx, "select id, name from t").Scan(&id, &name), mode.name)
				require.Equal(t, "1 one", fmt.Sprint(id, " ", name))
				if mode.mode != pgx.QueryExecModeSimpleProtocol {
					require.NoError(t, db.QueryRow(ctx, "select id, name from t where id = $1 and name = $2", 1, "one").Scan(&id, &name), mode.name)
				}
			}
			require.ErrorIs(t, db.QueryRow(ctx, "select 1 where false").Scan(), pgx.ErrNoRows)
			_, err = db.Exec(ctx, "")
			require.NoError(t, err)
			var pgErr *pgconn.PgError
			_, err = db.Query(ctx, "select nonsense")
			require.ErrorAs(t, err, &pgErr)
		}
		// For one statement.
		db, _ := open(t, "")
		var text string
		require.NoError(t, db.QueryRow(ctx, "select $1 || 'x'", pgx.QueryExecModeExec, "a").Scan(&text))
		require.Equal(t, "ax", text)
		rows, err := db.Query(ctx, "select 1::int, 2::int", pgx.QueryResultFormats{0, 1})
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.Equal(t, [][]byte{[]byte("1"), {0, 0, 0, 2}}, rows.RawValues())
		values, err := rows.Values()
		require.NoError(t, err)
		require.Equal(t, []any{int32(1), int32(2)}, values)
		rows.Close()
	})
}

func TestPipelineOff(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pipeline=off&pool_sessions=3")
		_, err := db.Exec(ctx, "create table t (id int)")
		require.NoError(t, err)
		for _, err := range c.together(ctx, 50, func(ctx context.Context, i int) error {
			var got int
			if _, err := db.Exec(ctx, "insert into t values ($1)", i); err != nil {
				return err
			}
			if err := db.QueryRow(ctx, "select id from t where id = $1", i).Scan(&got); err != nil || got != i {
				return fmt.Errorf("%d: %d %w", i, got, err)
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		require.NoError(t, db.Ping(ctx))
		st := db.Stats()
		require.Zero(t, st.Lanes)
		require.LessOrEqual(t, st.Sessions, 3)
		require.Equal(t, 50, count(t, ctx, db, "t"))
		// The leftovers of a statement are undone before the next one.
		_, err = db.Exec(ctx, "set application_name to 'left behind'")
		require.NoError(t, err)
		for range 6 {
			var name string
			require.NoError(t, db.QueryRow(ctx, "show application_name").Scan(&name))
			require.Empty(t, name)
		}
	})
}

func TestErrorsNameStatementStageAndHost(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "")
		_, err := db.Exec(ctx, "insert into nowhere values ($1) -- "+strings.Repeat("long ", 100), 1)
		var e *StatementError
		require.ErrorAs(t, err, &e)
		require.Equal(t, StagePrepare, e.Stage)
		require.Equal(t, target.Addr(), e.Host)
		require.Less(t, len(e.SQL), 100)
		require.ErrorContains(t, err, `"insert into nowhere values ($1) -- long long`)
		_, err = db.Query(ctx, "select 1 / (i - $1) from generate_series(1, 1) i", 1)
		require.ErrorAs(t, err, &e)
		require.Equal(t, StageRun, e.Stage)
		_, err = db.Query(ctx, "select $1::int", "x", "y")
		require.ErrorAs(t, err, &e)
		require.Equal(t, StageEncode, e.Stage)
		require.ErrorContains(t, err, "expected 1 arguments, got 2")
		require.NotContains(t, err.Error(), target.Password+"@")

		ended, cancel := context.WithCancelCause(ctx)
		cause := errors.New("enough")
		cancel(cause)
		_, err = db.Query(ended, "select 1")
		require.ErrorIs(t, err, cause)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestLargeParametersAndResultsAtOnce(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1&pipeline_depth=8")
		const size = 8 << 20
		for i, err := range c.together(ctx, 6, func(ctx context.Context, i int) error {
			sent := strings.Repeat(string(rune('a'+i)), size)
			var got string
			if err := db.QueryRow(ctx, "select $1::text", sent).Scan(&got); err != nil {
				return err
			}
			if got != sent {
				return fmt.Errorf("%d bytes came back, another text", len(got))
			}
			return nil
		}) {
			require.NoError(t, err, i)
		}
	})
}

func TestQueueLimit(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1&pipeline_depth=1&pool_queue=2")
		require.NoError(t, db.Ping(ctx))
		unlock := lock(t, ctx, target)
		defer unlock()
		var ends []func() error
		for range 3 {
			ends = append(ends, c.start(ctx, waits(db)))
		}
		until(t, ctx, "the queue", func() bool { return db.written() == 1 && db.Stats().Queued == 2 })
		_, err := db.Exec(ctx, "select 1")
		require.ErrorIs(t, err, ErrQueueFull)
		unlock()
		for _, end := range ends {
			require.NoError(t, end())
		}
	})
}

// A table can be called temp, or temporary. These words have a meaning only where a table is made,
// or where rows go into a new one.
func TestTablesNamedTempAreNoTemporaryTables(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1")
		for _, sql := range []string{
			"create table temp (id int)", "create table if not exists temp (id int)", "select * from temp", "insert into temp values (1)", "insert into temp (id) select 2",
			"select temp.id from temp", "update temp set id = 3", "delete from temp where temp.id = 3", "create index on temp (id)", "create view v as select * from temp",
			"select 1 as temp", "with temp as (select 1) select * from temp", "drop view v", "drop table temp", "select 1 as id into temp", "select id into temporary from temp", "insert into temporary select * from temp",
			"truncate temp, temporary", "drop table temp, temporary", `create table "temp" (temp int)`, "select temp from temp", "/* temp */ alter table temp add temporary int", "drop table temp",
		} {
			_, err := db.Exec(ctx, sql)
			require.NoError(t, err, sql)
		}
		for _, sql := range []string{
			"create temp table a (id int)", "create temporary table a (id int)", "create local temp table a (id int)", "create global temporary table a (id int)", "create temp view a as select 1",
			"create temp sequence a", "create or replace temp view a as select 1", "select 1 into temp a", "select 1 into temporary table a", "select 1 into local temp a", "with x as (select 1) select * into temp a from x",
			"create /* real */ temp table a (id int)", "create temp table temp (id int)", "select 1 into temp temp",
		} {
			_, err := db.Exec(ctx, sql)
			require.ErrorIs(t, err, ErrRefusedOnLane, sql)
		}
		require.Zero(t, db.Stats().Poisoned)
	})
}
