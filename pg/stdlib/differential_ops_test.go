package stdlib_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// literals are types, and values of them with their bounds. NULL is added to each.
var literals = []struct {
	of     string
	values []string
}{
	{"bool", []string{"true", "false"}},
	{"int2", []string{"0", "'-32768'", "32767"}},
	{"int4", []string{"0", "'-2147483648'", "2147483647"}},
	{"int8", []string{"0", "'-9223372036854775808'", "9223372036854775807", "256"}},
	{"oid", []string{"0", "4294967295"}},
	{"xid", []string{"'0'", "'4294967295'"}},
	{"float4", []string{"0", "'-0'", "1.5", "'3.4028235e38'", "'1e-45'", "'NaN'", "'Infinity'", "0.1"}},
	{"float8", []string{"0", "'1.7976931348623157e308'", "'5e-324'", "'NaN'", "'-Infinity'", "0.1"}},
	{"numeric", []string{"0", "12345678901234567890.123456789", "'NaN'", "'-Infinity'", "1e100", "-0.000001", "7"}},
	{"numeric(9,2)", []string{"0", "1234567.89", "-0.01"}},
	{"text", []string{"''", "'x'", "'ünïcødé 世界'", "'12'", "'true'", "'2026-11-26'", "repeat('long', 3000)"}},
	{"varchar", []string{"'x'"}},
	{"varchar(42)", []string{"''", "'abc'"}},
	{"char(5)", []string{"'ab'", "''"}},
	{`"char"`, []string{"'a'"}},
	{"name", []string{"'a_name'"}},
	{"bytea", []string{`'\x'`, `'\x00ff'`, `'\x3132'`}},
	{"date", []string{"'2026-11-26'", "'0001-01-01'", "'infinity'", "'-infinity'", "'4713-01-01 BC'", "'99999-12-31'"}},
	{"timestamp", []string{"'2026-11-26 12:34:56.789012'", "'infinity'", "'0044-03-15 BC'", "'2000-01-01'"}},
	{"timestamptz", []string{"'2026-11-26 12:34:56.789012+02'", "'-infinity'", "'1900-01-01 00:00:00+00'"}},
	{"time", []string{"'00:00'", "'23:59:59.999999'", "'24:00'"}},
	{"timetz", []string{"'12:00+05:30'"}},
	{"interval", []string{"'0'", "'1 year 2 mons -3 days 04:05:06.7'", "'-1 us'"}},
	{"uuid", []string{"'6ba7b810-9dad-11d1-80b4-00c04fd430c8'"}},
	{"json", []string{`'{"a": [1, null, "x"]}'`, "'null'", "'1'"}},
	{"jsonb", []string{`'{"b": 1, "a": 1.50}'`, `'"text"'`, "'[]'"}},
	{"xml", []string{"'<a/>'"}},
	{"int4[]", []string{"'{}'", "'{1,NULL,-3}'", "'{{1,2},{3,4}}'"}},
	{"text[]", []string{"'{}'", `'{"a b",NULL,"\"","NULL"}'`}},
	{"numeric[]", []string{"'{1.5,NaN}'"}},
	{"timestamptz[]", []string{"'{2026-11-26 12:00+00,NULL}'"}},
	{"jsonb[]", []string{`array['{"a":1}'::jsonb]`}},
	{"mood", []string{"'sad'", "'happy'"}},
	{"mood[]", []string{"'{sad,happy}'"}},
	{"inet", []string{"'10.0.0.1'", "'::1/64'"}},
	{"cidr", []string{"'10.0.0.0/8'"}},
	{"macaddr", []string{"'08:00:2b:01:02:03'"}},
	{"bit(3)", []string{"'101'"}},
	{"varbit", []string{"'10101'"}},
	{"varbit(9)", []string{"'1'"}},
	{"point", []string{"'(1,2.5)'"}},
	{"box", []string{"'(1,1),(0,0)'"}},
	{"int4range", []string{"'[1,5)'", "'empty'", "'(,)'"}},
	{"tstzrange", []string{"'[2026-01-01 00:00+00,)'"}},
	{"int4multirange", []string{"'{[1,2),[5,9)}'"}},
	{"money", []string{"'1.25'"}},
	{"tsvector", []string{"'a b'"}},
	{"hstore", nil},
	{"regclass", []string{"'pg_class'"}},
	{"record", []string{"row(1, 'a', null)"}},
	{"t", []string{"row(1, 'a', null, null, null, null)"}},
	{"void", []string{"pg_notify('x', '')"}},
}

var destinations = []reflect.Type{
	reflect.TypeFor[any](), reflect.TypeFor[int64](), reflect.TypeFor[int8](), reflect.TypeFor[uint32](), reflect.TypeFor[float64](), reflect.TypeFor[float32](),
	reflect.TypeFor[bool](), reflect.TypeFor[string](), reflect.TypeFor[[]byte](), reflect.TypeFor[sql.RawBytes](), reflect.TypeFor[time.Time](),
	reflect.TypeFor[*int64](), reflect.TypeFor[*string](), reflect.TypeFor[*time.Time](), reflect.TypeFor[*[]byte](), reflect.TypeFor[**bool](),
	reflect.TypeFor[sql.NullInt64](), reflect.TypeFor[sql.NullInt16](), reflect.TypeFor[sql.NullString](), reflect.TypeFor[sql.NullBool](),
	reflect.TypeFor[sql.NullFloat64](), reflect.TypeFor[sql.NullTime](), reflect.TypeFor[sql.Null[string]](), reflect.TypeFor[json.RawMessage](),
	reflect.TypeFor[pgtype.Numeric](), reflect.TypeFor[pgtype.Date](), reflect.TypeFor[pgtype.Timestamptz](), reflect.TypeFor[pgtype.UUID](),
	reflect.TypeFor[pgtype.Interval](), reflect.TypeFor[pgtype.Text](), reflect.TypeFor[[]int32](), reflect.TypeFor[[]string](),
	reflect.TypeFor[map[string]any](), reflect.TypeFor[complex128](),
}

type named string

var at = time.Date(2026, 11, 26, 12, 34, 56, 789012000, time.FixedZone("", 7200))

// arguments are given to any type, so many are refused.
var arguments = []any{
	nil, 0, 1, int8(-1), int64(math.MaxInt64), uint64(math.MaxUint64), uint8(200), 1.5, math.NaN(), math.Inf(1), float32(0.1), true, "", "x", "12", "{1,2}",
	"2026-11-26", `{"a": 1}`, "happy", "bad\x00", "\xff", named("n"), []byte{0, 255}, []byte("12"), []byte(nil), json.RawMessage(`{"a":1}`), at, &at, (*int)(nil), (*time.Time)(nil),
	[]int32{1, 2}, []int(nil), []string{"a", "b,c"}, []*string{nil}, [][]int{{1}, {2}}, map[string]any{"a": 1}, struct{ A int }{1}, time.Second,
	sql.NullString{}, sql.NullString{String: "5", Valid: true}, sql.NullInt64{Int64: 5, Valid: true}, sql.Null[int]{V: 3, Valid: true},
	pgtype.Numeric{}, pgtype.Int4{Int32: 4, Valid: true}, pgtype.Date{InfinityModifier: pgtype.Infinity, Valid: true},
	[16]byte{1}, pgtype.UUID{Bytes: [16]byte{2}, Valid: true}, pgtype.Range[pgtype.Int4]{}, make(chan int), complex(1, 2),
}

// failing are statements that the server refuses, or that give nothing.
var failing = []string{
	"select 1/0", "select * from nowhere", "select nothing", "selec 1", "select 'x'::int", "select 1 where false", "",
	"-- nothing", "select 'bad'::mood", "insert into t values (null, 'x')", "insert into t values (-1)", "insert into t values (-1, 'bad')",
	"insert into child values (-5)", "insert into t values (-7, 'a'), (-7, 'a')", "select 1; select 2", "select 1/0; select 2", "select 99999999999::int",
	"do $$ begin raise exception 'mine' using errcode = 'AB123'; end $$", "do $$ begin raise notice 'only'; end $$", "select pg_sleep('x')",
	"commit and", "select $1", "select $1::int", "select $2::int", "lock table t", "declare c cursor for select 1",
	"vacuum (analyze) child", "explain (costs off) select 1", "show server_version_num", "create table t (id int)", "drop table if exists nothing",
	"select set_config('application_name', 'x', true)", "table t", "values (1, 'a'), (2, null)", "select", "select 1 as a, 2 as a", "savepoint a",
}

func randomOperation(random *rand.Rand) operation {
	return pick(random, []func(*rand.Rand) operation{values, values, values, encoded, encoded, encoded, failure, changes, transaction, prepared, ended, onConn})(random)
}

// values reads some literals.
func values(random *rand.Rand) operation {
	var columns []string
	for range 1 + random.IntN(4) {
		l := pick(random, literals)
		value := pick(random, append([]string{"null"}, l.values...))
		switch {
		case len(l.values) == 0, value == "null" && (l.of == "record" || l.of == "void"):
			columns = append(columns, "null")
		case l.of == "void":
			columns = append(columns, value)
		default:
			columns = append(columns, value+"::"+l.of)
		}
	}
	query := "select " + strings.Join(columns, ", ") + pick(random, []string{"", " from generate_series(1, 2)", " where false"})
	into := make([]reflect.Type, len(columns))
	for i := range into {
		into[i] = pick(random, destinations)
	}
	return operation{fmt.Sprint(query, " into ", into), func(ctx context.Context, d *sql.DB) string {
		rows, err := d.QueryContext(ctx, query)
		return read(rows, err, func(i int) reflect.Type { return into[i] })
	}}
}

func asAny(int) reflect.Type { return reflect.TypeFor[any]() }

// encoded sends arguments.
func encoded(random *rand.Rand) operation {
	var columns []string
	var args []any
	for i := range 1 + random.IntN(2) {
		of := pick(random, literals).of
		for of == "hstore" || of == "void" || of == "record" {
			of = pick(random, literals).of
		}
		columns = append(columns, fmt.Sprintf("$%d::%s", i+1, of))
		args = append(args, pick(random, arguments))
	}
	switch random.IntN(20) {
	case 0:
		args = args[1:]
	case 1:
		args = append(args, 1)
	}
	query := "select " + strings.Join(columns, ", ")
	return operation{fmt.Sprintf("%s of %T %v", query, args, args), func(ctx context.Context, d *sql.DB) string {
		rows, err := d.QueryContext(ctx, query, args...)
		return read(rows, err, asAny)
	}}
}

func failure(random *rand.Rand) operation {
	query, exec := pick(random, failing), random.IntN(2) == 0
	exec = exec && !strings.Contains(query, "$1") && !strings.Contains(query, "$2") // a meant difference
	return operation{fmt.Sprintf("%q, exec: %v", query, exec), func(ctx context.Context, d *sql.DB) string {
		if exec {
			return affected(d.ExecContext(ctx, query))
		}
		var v any
		err := d.QueryRowContext(ctx, query).Scan(&v)
		return written(v) + " " + kind(err)
	}}
}

// An executor is a sql.DB, a sql.Tx or a sql.Conn.
type executor interface {
	querier
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// A step is a part of an operation, on what that is done with.
type step func(ctx context.Context, e executor) string

// change writes to the tables, and reads them.
func change(random *rand.Rand) (string, step) {
	id, amount := random.IntN(30), fmt.Sprint(random.IntN(100000), ".", random.IntN(1000))
	query, args := "", []any(nil)
	switch random.IntN(8) {
	case 0, 1:
		query, args = "insert into t values ($1, $2, $3, $4, $5, $6)", []any{id, pick(random, []any{"a", "bad", nil, "'"}), amount, at, []int{id, 2}, map[string]any{"id": id}}
	case 2:
		query, args = "insert into t (id, v) select i, 'many' from generate_series($1::int, $2) i on conflict do nothing", []any{id, id + random.IntN(5)}
	case 3:
		query, args = "update t set n = $1, at = null where id > $2", []any{amount, id}
	case 4:
		query, args = "delete from t where id between $1 and $2", []any{id, id + random.IntN(4)}
	case 5:
		query, args = "insert into child values ($1)", []any{id}
	case 6:
		query = fmt.Sprintf("insert into t values (%d, 'x'); delete from child where id > %d", id, id)
	default:
		query, args = "select * from t left join child using (id) where id >= $1 order by id limit 5", []any{id}
	}
	if strings.HasPrefix(query, "select") || !strings.Contains(query, ";") && random.IntN(4) == 0 {
		if !strings.HasPrefix(query, "select") && !strings.Contains(query, "conflict") && strings.HasPrefix(query, "insert into t") {
			query += " returning *"
		}
		return query, func(ctx context.Context, e executor) string {
			rows, err := e.QueryContext(ctx, query, args...)
			return read(rows, err, asAny)
		}
	}
	return query, func(ctx context.Context, e executor) string { return affected(e.ExecContext(ctx, query, args...)) }
}

func changes(random *rand.Rand) operation {
	name, do := change(random)
	return operation{name, func(ctx context.Context, d *sql.DB) string { return do(ctx, d) }}
}

// several steps after each other.
func several(random *rand.Rand) (string, step) {
	var names []string
	var steps []step
	for range random.IntN(4) {
		name, do := change(random)
		if random.IntN(4) == 0 {
			name = pick(random, []string{"savepoint a", "rollback to a", "release a", "select 1/0", "show transaction_isolation", "show transaction_read_only"})
			query := name
			do = func(ctx context.Context, e executor) string {
				if !strings.HasPrefix(query, "s") || strings.HasPrefix(query, "savepoint") {
					return affected(e.ExecContext(ctx, query))
				}
				var v any
				err := e.QueryRowContext(ctx, query).Scan(&v)
				return written(v) + " " + kind(err)
			}
		}
		names, steps = append(names, name), append(steps, do)
	}
	return strings.Join(names, "; "), func(ctx context.Context, e executor) string {
		var b strings.Builder
		for _, do := range steps {
			fmt.Fprintln(&b, do(ctx, e))
		}
		return b.String()
	}
}

func transaction(random *rand.Rand) operation {
	opts := &sql.TxOptions{Isolation: sql.IsolationLevel(random.IntN(9)), ReadOnly: random.IntN(4) == 0}
	name, steps := several(random)
	commit, cancelled := random.IntN(3) > 0, random.IntN(10) == 0
	return operation{fmt.Sprintf("%v: %s; commit: %v, cancelled: %v", opts, name, commit, cancelled), func(ctx context.Context, d *sql.DB) string {
		inner, cancel := context.WithCancel(ctx)
		defer cancel()
		tx, err := d.BeginTx(inner, opts)
		if err != nil {
			return kind(err)
		}
		said := steps(ctx, tx)
		if cancelled {
			cancel()
			if err := tx.Commit(); err == nil || !strings.Contains(kind(err), context.Canceled.Error()) && !strings.Contains(kind(err), sql.ErrTxDone.Error()) {
				return "committed: " + kind(err) // which of the two depends on a goroutine of database/sql
			}
			_ = tx.Rollback()
			return said
		}
		end, other := tx.Rollback, tx.Commit
		if commit {
			end, other = other, end
		}
		ended := []string{kind(end()), kind(other())}
		_, after := tx.ExecContext(ctx, "select 1")
		return fmt.Sprintln(said, ended, kind(after))
	}}
}

func prepared(random *rand.Rand) operation {
	query := pick(random, []string{"select $1::int + $2::int", "select $1::text, $2::jsonb", "insert into t (id, v) values ($1, $2)", "select * from nowhere where a = $1", "select $1 +", "select 1"})
	var args [][]any
	for range 1 + random.IntN(3) {
		args = append(args, []any{pick(random, arguments), pick(random, arguments)}[:pick(random, []int{0, 1, 2, 2, 2, 2})])
	}
	inTx := random.IntN(3) == 0
	return operation{fmt.Sprintf("prepare %s for %v, in a transaction: %v", query, args, inTx), func(ctx context.Context, d *sql.DB) (said string) {
		var on executor = d
		if inTx {
			tx, err := d.BeginTx(ctx, nil)
			if err != nil {
				return kind(err)
			}
			defer func() { said += kind(tx.Rollback()) }()
			on = tx
		}
		s, err := on.PrepareContext(ctx, query)
		if err == nil && strings.Contains(query, "nowhere") || strings.HasSuffix(query, "+") && err == nil {
			// In a task the first execution says it.
			_, err = s.ExecContext(ctx, 1)
			_ = s.Close()
		}
		if err != nil {
			return kind(err)
		}
		for _, a := range args {
			if strings.HasPrefix(query, "insert") {
				said += affected(s.ExecContext(ctx, a...))
			} else {
				rows, err := s.QueryContext(ctx, a...)
				said += read(rows, err, asAny)
			}
		}
		return said + kind(s.Close()) + kind(s.QueryRowContext(ctx).Scan(new(int)))
	}}
}

// ended is what is done under a context that has ended, or ends meanwhile.
func ended(random *rand.Rand) operation {
	how, what := random.IntN(3), random.IntN(4)
	if how == 2 && random.IntN(5) > 0 {
		how = 0 // it takes time
	}
	return operation{fmt.Sprint("a context that ended ", how, " doing ", what), func(ctx context.Context, d *sql.DB) string {
		switch how {
		case 0:
			ended, cancel := context.WithCancel(ctx)
			cancel()
			ctx = ended
		case 1:
			ended, cancel := context.WithDeadline(ctx, time.Unix(0, 0))
			defer cancel()
			ctx = ended
		default:
			ends, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
			defer cancel()
			ctx = ends
		}
		switch what {
		case 0:
			return affected(d.ExecContext(ctx, "select pg_sleep(60)"))
		case 1:
			return kind(d.QueryRowContext(ctx, "select pg_sleep(60)").Scan(new(any)))
		case 2:
			tx, err := d.BeginTx(ctx, nil)
			if err == nil {
				_, err = tx.ExecContext(ctx, "select pg_sleep(60)")
				_ = tx.Rollback()
			}
			return kind(err)
		}
		rows, err := d.QueryContext(ctx, "select pg_sleep(60)")
		return read(rows, err, asAny)
	}}
}

// onConn is what lasts on a sql.Conn.
func onConn(random *rand.Rand) operation {
	limit := 100000 + random.IntN(1000)
	name, steps := several(random)
	return operation{"on a sql.Conn: " + name, func(ctx context.Context, d *sql.DB) string {
		conn, err := d.Conn(ctx)
		if err != nil {
			return kind(err)
		}
		said := affected(conn.ExecContext(ctx, fmt.Sprintf("set statement_timeout = %d", limit)))
		said += affected(conn.ExecContext(ctx, "create temp table mine (id int)"))
		said += affected(conn.ExecContext(ctx, "insert into mine values (1), (2)"))
		said += steps(ctx, conn)
		rows, err := conn.QueryContext(ctx, "select *, current_setting('statement_timeout') from mine")
		said += read(rows, err, asAny)
		said += affected(conn.ExecContext(ctx, "drop table mine"))
		said += affected(conn.ExecContext(ctx, "reset statement_timeout"))
		return said + kind(conn.PingContext(ctx)) + kind(conn.Close()) + kind(conn.Close()) + kind(conn.PingContext(ctx))
	}}
}
