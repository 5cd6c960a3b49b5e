package pg

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// The same text can show something else each time, though the schema is the same.
func TestDescriptionsAreNotKeptOfWhatCanBeMadeAnew(t *testing.T) {
	const number, moment = "select 42::bigint as v", "select '2026-11-26 00:00Z'::timestamptz as v"
	for _, what := range []struct {
		name, text string
		define     string // a number
		redefine   string // a moment
	}{
		{
			"a cursor", "fetch 1 from c",
			"declare c cursor with hold for " + number,
			"close c; declare c cursor with hold for " + moment,
		},
		{
			"a cursor that is made anew where the text doesn't show it", "/* the */ fetch next c",
			"declare c cursor with hold for " + number,
			"do $$ declare c refcursor := 'c'; begin close c; open c for " + moment + "; end $$",
		},
		{
			"a prepared statement", "execute p",
			"prepare p as " + number,
			"deallocate p; prepare p as " + moment,
		},
		{
			"a prepared statement that is made anew where the text doesn't show it", "execute p",
			"prepare p as " + number,
			"do $$ begin execute 'deallocate p'; execute $x$prepare p as " + moment + "$x$; end $$",
		},
	} {
		t.Run(what.name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
				for _, mode := range execModes {
					db, _ := open(t, "&pool_sessions=1&default_query_exec_mode="+mode.name)
					for way, read := range readers {
						tx, err := db.Begin(ctx)
						require.NoError(t, err)
						defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
						_, err = tx.Exec(ctx, what.define)
						require.NoError(t, err)
						got, err := read(ctx, tx.(*Tx), what.text)
						require.NoError(t, err)
						require.Equal(t, int64(42), got, "%s, %s", mode.name, way)
						_, err = tx.Exec(ctx, what.redefine)
						require.NoError(t, err)
						got, err = read(ctx, tx.(*Tx), what.text)
						require.NoError(t, err)
						requireMoment(t, got, mode.name+", "+way)
						require.NoError(t, tx.Rollback(ctx))
					}
				}
			})
		})
	}
}

func requireMoment(t *testing.T, got any, where string) {
	t.Helper()
	moment, ok := got.(time.Time)
	require.True(t, ok, "%s: %T", where, got)
	require.True(t, time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC).Equal(moment), "%s: %v", where, got)
}

// A reader can execute statements that return rows, in every way.
type reader interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	Stream(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// readers are ways to read the only value of a statement.
var readers = map[string]func(ctx context.Context, from reader, sql string) (any, error){
	"query": func(ctx context.Context, from reader, sql string) (any, error) {
		return only(from.Query(ctx, sql))
	},
	"formats by type": func(ctx context.Context, from reader, sql string) (any, error) {
		return only(from.Query(ctx, sql, pgx.QueryResultFormatsByOID{20: 1, 1184: 1}))
	},
	"stream": func(ctx context.Context, from reader, sql string) (any, error) {
		return only(from.Stream(ctx, sql))
	},
	"batch": func(ctx context.Context, from reader, sql string) (any, error) {
		b := new(pgx.Batch)
		b.Queue(sql)
		results := from.SendBatch(ctx, b)
		v, err := only(results.Query())
		return v, errors.Join(err, results.Close())
	},
}

func only(rows pgx.Rows, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectOneRow(rows, func(r pgx.CollectableRow) (any, error) {
		values, err := r.Values()
		if err != nil || len(values) != 1 {
			return nil, fmt.Errorf("%d values: %w", len(values), err)
		}
		return values[0], nil
	})
}

// The same holds for texts that have a name of the driver.
func TestANameStandsForATextThatIsDescribedEachTime(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
		db, _ := open(t, "")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		_, err = s.Exec(ctx, "declare c cursor with hold for select 42::bigint")
		require.NoError(t, err)
		_, err = s.Prepare(ctx, "next", "fetch 1 from c")
		require.NoError(t, err)
		var n int64
		require.NoError(t, s.QueryRow(ctx, "next").Scan(&n))
		require.EqualValues(t, 42, n)
		_, err = s.Exec(ctx, "close c; declare c cursor with hold for select 'text'")
		require.NoError(t, err)
		var text string
		require.NoError(t, s.QueryRow(ctx, "next").Scan(&text))
		require.Equal(t, "text", text)
	})
}

// A batch can declare a cursor and fetch from it: FETCH isn't described before.
func TestABatchFetchesFromTheCursorThatItDeclares(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
		db, _ := open(t, "")
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		b := new(pgx.Batch)
		b.Queue("declare c cursor for select i from generate_series(1, 3) i")
		b.Queue("fetch 2 from c")
		results := tx.SendBatch(ctx, b)
		_, err = results.Exec()
		require.NoError(t, err)
		rows, err := results.Query()
		require.NoError(t, err)
		got, err := pgx.CollectRows(rows, pgx.RowTo[int])
		require.NoError(t, err)
		require.Equal(t, []int{1, 2}, got)
		require.NoError(t, results.Close())
		require.NoError(t, tx.Rollback(ctx))
	})
}

// The driver keeps the description of objects that the server itself watches. A session forgets it
// when the text of a statement shows that names mean something else now. Where no text shows it,
// the server refuses to execute what was prepared. In a transaction that is an error. It is never a
// wrong value.
func TestWhatTheServerWatchesIsNeverReadWithAnOldDescription(t *testing.T) {
	for _, change := range []struct {
		name, define, redefine, back string
		hidden                       bool
	}{
		{name: "search path", define: "set search_path to a", redefine: "set search_path to b"},
		{name: "search path, in other words", define: "set search_path to a", redefine: "set schema 'b'"},
		{name: "search path, by function", define: "set search_path to a", redefine: "select set_config('search_path', 'b', false)"},
		{name: "search path, out of sight", define: "set search_path to a", redefine: "select change()", hidden: true},
		{name: "search path, in a block", define: "set search_path to a", redefine: "do $$ begin set search_path to b; end $$"},
		{name: "search path, to its default", define: "set search_path to a", redefine: "reset search_path"},
		{name: "everything", define: "set search_path to a", redefine: "discard all"},
		{name: "temporary table", define: "set search_path to a", redefine: "create temp table t as select * from b.t", back: "drop table pg_temp.t"},
	} {
		t.Run(change.name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
				db, target := open(t, "&pool_sessions=1")
				_, err := db.Exec(ctx, `create schema a; create schema b;
					create function a.change() returns text language sql as $$ select set_config('search_path', 'b', false) $$;
					create table a.t (id bigint); insert into a.t values (42);
					create table b.t (id timestamptz); insert into b.t values ('2026-11-26 00:00Z')`)
				require.NoError(t, err)
				target.MustQuery(t, fmt.Sprintf("alter database %s set search_path to b", target.DBName))
				for way, read := range readers {
					for _, sql := range []string{"select * from t", "table t", "select id from t where id is not null"} {
						s, err := db.Acquire(ctx)
						require.NoError(t, err)
						defer s.Release()
						exec := func(sql string) {
							_, err := s.Exec(ctx, sql)
							require.NoError(t, err)
						}
						exec(change.define)
						got, err := read(ctx, s, sql)
						require.NoError(t, err)
						require.Equal(t, int64(42), got, "%s, %s", way, sql)
						exec(change.redefine)
						got, err = read(ctx, s, sql)
						require.NoError(t, err, "%s, %s", way, sql)
						requireMoment(t, got, way+", "+sql)
						if change.back != "" {
							exec(change.back)
						}
						if change.name == "everything" {
							s.Release()
							continue // not possible in a transaction
						}

						exec(change.define)
						tx, err := s.Begin(ctx)
						require.NoError(t, err)
						got, err = read(ctx, tx.(*Tx), sql)
						require.NoError(t, err)
						require.Equal(t, int64(42), got, "%s, %s", way, sql)
						_, err = tx.Exec(ctx, change.redefine)
						require.NoError(t, err)
						got, err = read(ctx, tx.(*Tx), sql)
						if change.hidden && testserver.Postgres(t).Major() < 18 { // which reports the search path
							var failure *pgconn.PgError
							require.ErrorAs(t, err, &failure)
							require.Equal(t, "0A000", failure.Code)
						} else {
							require.NoError(t, err, "%s, %s", way, sql)
							requireMoment(t, got, way+", "+sql)
						}
						require.NoError(t, tx.Rollback(ctx))
						s.Release()
					}
				}
			})
		})
	}
}

// When a transaction is rolled back, names mean again what they meant before it. If the driver kept
// the parameters' types, the server would convert one type into the other, by the session's time
// zone.
func TestTypesOfParametersAreForgottenWithTheTransaction(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
		db, _ := open(t, "&pool_sessions=1&timezone=UTC")
		_, err := db.Exec(ctx, `create table t (at timestamptz); create schema a; create table a.t (at timestamp)`)
		require.NoError(t, err)
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.FixedZone("", 2*60*60))
		for _, change := range []string{"set local search_path to a", "alter table t alter column at type timestamp", "create temp table t (at timestamp) on commit drop"} {
			tx, err := s.Begin(ctx)
			require.NoError(t, err)
			_, err = tx.Exec(ctx, change)
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "insert into t values ($1)", at)
			require.NoError(t, err)
			require.NoError(t, tx.Rollback(ctx))
			_, err = s.Exec(ctx, "insert into t values ($1)", at)
			require.NoError(t, err)
			got, err := only(s.Query(ctx, "delete from t returning at"))
			require.NoError(t, err)
			require.True(t, at.Equal(got.(time.Time)), "%s: %v", change, got)
		}
	})
}

// All lanes forget the types of parameters when the DB itself alters a table, although their
// prepared statements would still work, with a conversion.
func TestTypesOfParametersAreForgottenWhenATableChanges(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
		db, _ := open(t, "&timezone=UTC")
		_, err := db.Exec(ctx, `create table t (at timestamp)`)
		require.NoError(t, err)
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.FixedZone("", 2*60*60))
		change := map[string][2]string{
			"altered":  {"alter table t alter at type timestamptz", "alter table t alter at type timestamp"},
			"replaced": {"drop table t; create table t (at timestamptz)", "drop table t; create table t (at timestamp)"},
		}
		for name, exec := range map[string]func(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error){"lane": db.Exec, "session": s.Exec} {
			for how, texts := range change {
				if name == "session" && how == "replaced" {
					continue // sessions drop temporary tables, as a rule
				}
				_, err = db.Exec(ctx, "insert into t values ($1)", at)
				require.NoError(t, err)
				_, err = exec(ctx, texts[0])
				require.NoError(t, err)
				_, err = db.Exec(ctx, "delete from t")
				require.NoError(t, err)
				_, err = db.Exec(ctx, "insert into t values ($1)", at)
				require.NoError(t, err)
				got, err := only(db.Query(ctx, "delete from t returning at"))
				require.NoError(t, err)
				require.True(t, at.Equal(got.(time.Time)), "%s, %s: %v", name, how, got)
				_, err = exec(ctx, texts[1])
				require.NoError(t, err)
			}
		}
	})
}

// The server evaluates what it can when it prepares a statement. On a session the same text shows
// what it means under the present settings.
func TestATextMeansWhatTheSettingsSay(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
		db, _ := open(t, "&pool_sessions=1&timezone=UTC")
		_, err := db.Exec(ctx, `create function change(name text, value text) returns text language sql as 'select set_config(name, value, false)'`)
		require.NoError(t, err)
		for setting, c := range map[string]struct{ value, sql, before, after string }{
			"timezone":                    {"Asia/Tokyo", "select ('2026-01-01 00:00'::timestamptz at time zone 'UTC')::text", "2026-01-01 00:00:00", "2025-12-31 15:00:00"},
			"datestyle":                   {"SQL, DMY", "select extract(month from '01/02/2026'::date)::text", "1", "2"},
			"intervalstyle":               {"sql_standard", "select extract(hour from interval '-1 2:03:04')::text", "2", "-2"},
			"standard_conforming_strings": {"off", `select length('\\')::text`, "2", "1"},
			"transform_null_equals":       {"on", "select ((null = null) is true)::text", "false", "true"},
			"array_nulls":                 {"off", "select coalesce(array_position('{NULL}'::text[], 'NULL'), 0)::text", "0", "1"},
			"bytea_output":                {"escape", `select '\x00'::bytea::text`, `\x00`, `\000`},
			"extra_float_digits":          {"-10", "select 0.12345678901234::float8::text", "0.12345678901234", "0.12346"},
			"quote_all_identifiers":       {"on", "select quote_ident('a')", "a", `"a"`},
			"timezone_abbreviations":      {"Australia", "select extract(hour from '2026-01-01 00:00 EST'::timestamptz)::int::text", "5", "14"},
		} {
			ways := []string{"set %s = '%s'", "select set_config('%s', '%s', false)", "do $$ begin set %s = '%s'; end $$"}
			switch setting {
			case "timezone", "datestyle", "intervalstyle", "standard_conforming_strings":
				ways = append(ways, "select change('%s', '%s')") // the server reports it
			}
			for _, way := range ways {
				change := fmt.Sprintf(way, setting, c.value)
				for name, read := range readers {
					s, err := db.Acquire(ctx)
					require.NoError(t, err)
					defer s.Release()
					shows := func(from reader, want string) {
						t.Helper()
						got, err := read(ctx, from, c.sql)
						require.NoError(t, err)
						require.Equal(t, want, got, "%s, %s", change, name)
					}
					shows(s, c.before)
					tx, err := s.Begin(ctx)
					require.NoError(t, err)
					point, err := tx.Begin(ctx)
					require.NoError(t, err)
					_, err = point.Exec(ctx, change)
					require.NoError(t, err)
					shows(point.(*Tx), c.after)
					require.NoError(t, point.Rollback(ctx))
					shows(tx.(*Tx), c.before)
					_, err = tx.Exec(ctx, change)
					require.NoError(t, err)
					shows(tx.(*Tx), c.after)
					require.NoError(t, tx.Rollback(ctx))
					shows(s, c.before)
					_, err = s.Exec(ctx, change)
					require.NoError(t, err)
					shows(s, c.after)
					_, err = s.Exec(ctx, "reset all")
					require.NoError(t, err)
					shows(s, c.before)
					s.Release()
				}
			}
		}
	})
}

// Settings that the server reads at execution don't cost the prepared statements.
func TestWhatWasPreparedStaysWithHarmlessSettings(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
		db, _ := open(t, "&pool_sessions=1")
		prepared := func(sql string) (at time.Time) {
			tx, err := db.Begin(ctx)
			require.NoError(t, err)
			if sql != "" {
				_, err = tx.Exec(ctx, sql)
				require.NoError(t, err, sql)
			}
			_, err = tx.Query(ctx, "select 42")
			require.NoError(t, err)
			require.NoError(t, tx.QueryRow(ctx, "select prepare_time from pg_prepared_statements where statement = 'select 42'").Scan(&at))
			require.NoError(t, tx.Commit(ctx))
			return at
		}
		first := prepared("")
		for _, sql := range []string{"set local statement_timeout = 5000", "set local app.user_name = 'x'", "select set_config('app.user_name', 'y', true)", "set local work_mem = '8MB'", "select 1"} {
			require.Equal(t, first, prepared(sql), sql)
		}
		require.NotEqual(t, first, prepared("set local timezone = 'Asia/Tokyo'"))
	})
}

// A batch can have settings for its statements. Others who execute the same texts don't get these
// settings, and the batch doesn't get what was prepared before.
func TestABatchHasItsOwnMeanings(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
		db, _ := open(t, "&timezone=UTC&pool_lanes=1")
		const hour = "select extract(hour from '2026-01-01 00:00'::timestamptz at time zone 'UTC')::int"
		const hourPlus = "select extract(hour from '2026-01-01 00:00'::timestamptz at time zone 'UTC')::int + $1::int"
		for _, first := range []string{"alone", "batch"} {
			for _, one := range []struct {
				sql  string
				args []any
			}{{hour + " -- " + first, nil}, {hourPlus + " -- " + first, []any{0}}} {
				alone := func() {
					t.Helper()
					got, err := only(db.Query(ctx, one.sql, one.args...))
					require.NoError(t, err)
					require.Equal(t, int32(0), got, one.sql)
				}
				if first == "alone" {
					alone()
				}
				for range 2 {
					b := new(pgx.Batch)
					b.Queue("select set_config('timezone', 'Asia/Tokyo', true)")
					b.Queue(one.sql, one.args...)
					results := db.SendBatch(ctx, b)
					_, err := results.Exec()
					require.NoError(t, err)
					got, err := only(results.Query())
					require.NoError(t, err)
					require.Equal(t, int32(15), got, one.sql)
					require.NoError(t, results.Close())
					alone()
				}
			}
		}
	})
}
