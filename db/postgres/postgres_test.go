package postgres_test

import (
	"context"
	"database/sql/driver"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// onPostgres runs a test on a new database, in both colours.
func onPostgres(t *testing.T, options string, fn func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour), opts ...db.Option) {
	t.Helper()
	server := testserver.Postgres(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		fn(t, ctx, dbtest.Open(t, ctx, server.Database(t).URL()+options, opts...), c)
	})
}

func scalar[T any](t *testing.T, ctx context.Context, q db.Querier, query string, args ...any) T {
	t.Helper()
	v, err := db.Scalar[T](ctx, q, query, args...)
	require.NoError(t, err)
	return v
}

func TestStatementsOfTheEngineTakeNoConnection(t *testing.T) {
	onPostgres(t, "&pool_lanes=2", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		var pids [2]int
		for i := range pids {
			pids[i] = scalar[int](t, ctx, e, "select pg_backend_pid()")
		}
		require.NotContains(t, pids, scalar[int](t, ctx, conn, "select pg_backend_pid()"))
		acquired := e.Stats().Acquired
		require.NoError(t, c.Together(ctx, 300, func(ctx context.Context, i int) error {
			n, err := db.Scalar[int](ctx, e, "select :n + 1", db.Named("n", i))
			if err == nil {
				require.Equal(t, i+1, n)
			}
			return err
		}))
		require.Equal(t, acquired, e.Stats().Acquired, "the only connection of the pool is in use all the time")
		lanes := scalar[int](t, ctx, conn, "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
		require.LessOrEqual(t, lanes, 2)
		require.NoError(t, conn.Close())
	}, db.PoolSize(1), db.MaxOverflow(0))
}

func TestWithoutPipelineThereAreOnlyThePoolsConnections(t *testing.T) {
	onPostgres(t, "&pipeline=off", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		var most atomic.Int64
		require.NoError(t, c.Together(ctx, 50, func(ctx context.Context, i int) error {
			n, err := db.Scalar[int64](ctx, e, "select count(*) from pg_stat_activity where datname = current_database()")
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			return err
		}))
		require.LessOrEqual(t, most.Load(), int64(2))
		require.Positive(t, e.Stats().Acquired)
	}, db.PoolSize(2), db.MaxOverflow(0))
}

func TestWhatLeavesSomethingBehindGetsAConnectionThatIsClosedAfterIt(t *testing.T) {
	onPostgres(t, "", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		for _, text := range []string{
			"set work_mem = '1234kB'", "create temp table x(a int)", "listen news", "prepare p as select 1", "select 1 as a into temporary y",
			"do $$ begin perform set_config('work_mem', '1235kB', false); end $$; set work_mem = '1236kB'",
		} {
			before := e.Stats().Connects
			if !strings.Contains(text, ";") {
				_, err := e.Exec(ctx, text)
				require.ErrorIs(t, err, db.ErrMisuse, "by itself it would do nothing")
			}
			dbtest.Exec(t, ctx, e, text+"; select 1")
			require.Equal(t, "4MB", scalar[string](t, ctx, e, "show work_mem"))
			conn, err := e.Connect(ctx)
			require.NoError(t, err)
			require.Equal(t, before+1, e.Stats().Connects, text)
			require.Zero(t, scalar[int](t, ctx, conn, "select count(*) from pg_prepared_statements where from_sql"))
			require.NoError(t, conn.Close())
		}
	}, db.PoolSize(1), db.MaxOverflow(0))
}

func TestAClosedConnectionIsClosedAtTheServer(t *testing.T) {
	onPostgres(t, "", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		pid := func() int {
			conn, err := e.Connect(ctx)
			require.NoError(t, err)
			defer conn.Close()
			return scalar[int](t, ctx, conn, "select pg_backend_pid()")
		}
		old := pid()
		require.Equal(t, old, pid())
		e.Invalidate()
		require.NotEqual(t, old, pid())
		gone := func() bool {
			return scalar[int](t, ctx, e, "select count(*) from pg_stat_activity where pid = :pid", db.Named("pid", old)) == 0
		}
		for !gone() {
			require.NoError(t, repaint.Sleep(ctx, 0))
		}
	})
}

func TestErrorsOfTheServer(t *testing.T) {
	onPostgres(t, "", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table rooms (room int, during int4range, constraint free exclude using gist (during with &&))",
			"insert into rooms values (1, '[1,5)')",
			"create table parents (id int primary key)", "create table children (parent int constraint has_parent references parents deferrable initially deferred)")
		for _, one := range []struct {
			statement  string
			condition  error
			code       string
			constraint string
			table      string
		}{
			{"insert into rooms values (1, '[4,9)')", db.ErrExclusion, "23P01", "free", "rooms"},
			{"insert into children values (1)", db.ErrForeignKey, "23503", "has_parent", "children"},
			{"select 1/0", db.ErrData, "22012", "", ""},
			{"select 'x'::int", db.ErrData, "22P02", "", ""},
			{"select 99999::int2", db.ErrData, "22003", "", ""},
			{"set statement_timeout = 5; select pg_sleep(10)", db.ErrTimeout, "57014", "", ""},
			{"select * from nowhere.nothing", db.ErrUndefinedTable, "42P01", "", "nowhere.nothing"},
			{"select 1::nothing", db.ErrUndefined, "42704", "", ""},
			{"create table rooms (a int)", nil, "42P07", "", ""},
			{"vacuum (nosuch) rooms", db.ErrSyntax, "42601", "", ""},
			{"create user u; set role u; create database d", db.ErrPermission, "42501", "", ""},
		} {
			_, err := e.Exec(ctx, one.statement)
			require.Error(t, err, one.statement)
			var own *db.Error
			require.ErrorAs(t, err, &own)
			require.Equal(t, one.condition, own.Condition, "%v", err)
			require.Equal(t, one.code, own.Code, "%v", err)
			require.Equal(t, one.constraint, own.Constraint)
			require.Equal(t, one.table, own.Table)
			if one.code == "42501" {
				dbtest.Exec(t, ctx, e, "drop user u")
			}
		}
	})
}

func TestAnErrorAtCommitRollsBack(t *testing.T) {
	onPostgres(t, "", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table parents (id int primary key)", "create table children (parent int constraint has_parent references parents deferrable initially deferred)")
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		for range 3 {
			err = conn.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				dbtest.Exec(t, ctx, tx, "insert into children values (1)")
				return nil
			})
			require.ErrorIs(t, err, db.ErrForeignKey)
			require.Zero(t, scalar[int](t, ctx, conn, "select count(*) from children"))
		}
		require.NoError(t, conn.Close())
		require.Zero(t, e.Stats().Discarded)
	})
}

func TestTransactionsAreBegunAsAskedFor(t *testing.T) {
	onPostgres(t, "", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		const show = "select current_setting('transaction_isolation') || ' ' || current_setting('transaction_read_only') || ' ' || current_setting('transaction_deferrable')"
		for want, opts := range map[string][]db.TxOption{
			"read committed off off":   nil,
			"read uncommitted off off": {db.Isolation(db.ReadUncommitted)},
			"repeatable read on off":   {db.Isolation(db.RepeatableRead), db.ReadOnly()},
			"serializable on on":       {db.Isolation(db.Serializable), db.ReadOnly(), db.Deferrable()},
		} {
			require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				require.Equal(t, want, scalar[string](t, ctx, tx, show))
				return nil
			}, opts...))
		}
		require.Equal(t, "read committed off off", scalar[string](t, ctx, e, show))
	})
}

func TestAReadOnlyTransactionHoldsForWhatCantBeSeenInTheText(t *testing.T) {
	onPostgres(t, "", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table items (id int)",
			"create function add() returns int language sql as $$ insert into items values (1) returning id $$")
		err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			return tx.QueryRow(ctx, "select add()").Err()
		}, db.ReadOnly())
		require.ErrorIs(t, err, db.ErrReadOnly)
		require.Equal(t, 1, scalar[int](t, ctx, e, "select add()"))
	})
}

func TestALostConnectionOfALane(t *testing.T) {
	server := testserver.Postgres(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		at := server.Database(t)
		proxy := faultproxy.New(t, at.Addr())
		at.Host, at.Port = proxy.Host(), proxy.Port()
		e := dbtest.Open(t, ctx, at.URL(), db.PrePing(0))
		dbtest.Exec(t, ctx, e, "create table items(id int primary key)")
		proxy.Cut()
		for i := 0; ; i++ {
			_, err := e.Exec(ctx, "insert into items values (:i)", db.Named("i", i))
			if err == nil {
				break
			}
			require.ErrorIs(t, err, db.ErrDisconnected)
		}
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, scalar[int](t, ctx, conn, "select count(*) from items"))
		require.NoError(t, conn.Close())
	})
}

func TestWhoCantConnectIsTold(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		wrong := at
		wrong.Password = "no"
		_, err := db.Open(ctx, wrong.URL())
		require.ErrorIs(t, err, db.ErrPermission)
		require.NotContains(t, err.Error(), ":no@")
		wrong = at
		wrong.DBName = "nosuch"
		_, err = db.Open(ctx, wrong.URL())
		require.ErrorIs(t, err, db.ErrUndefined)
		wrong = at
		wrong.Port = 1
		_, err = db.Open(ctx, wrong.URL())
		require.ErrorIs(t, err, db.ErrDisconnected)
	})
}

func TestURLs(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	ctx := context.Background()
	for _, url := range []string{
		at.URL(), at.SocketURL(), "postgresql" + at.URL()[len("postgres"):],
		at.URL() + "&application_name=a+b&search_path=x,public&statement_timeout=1000&options=-c%20work_mem%3D1MB",
	} {
		e := dbtest.Open(t, ctx, url)
		require.Equal(t, at.DBName, scalar[string](t, ctx, e, "select current_database()"))
	}
	e := dbtest.Open(t, ctx, at.URL()+"&application_name=a%20b&pool_size=3&options=-c%20work_mem%3D1MB")
	require.Equal(t, "a b", scalar[string](t, ctx, e, "show application_name"))
	require.Equal(t, "1MB", scalar[string](t, ctx, e, "show work_mem"))
	for url, want := range map[string]string{
		"postgres+lib://host":              `there is no driver "lib"`,
		"postgres://host?pool_sessions=3":  `no option "pool_sessions"; there are `,
		"postgres://host?pool_lanes=0":     "pool_lanes=0",
		"postgres://host?pipeline=perhaps": "pipeline=perhaps: want on or off",
		"postgres://host?sslmode=nonsense": "sslmode",
	} {
		_, err := db.Open(ctx, url)
		require.ErrorContains(t, err, want, url)
	}
}

func TestHowTextsAreTaken(t *testing.T) {
	onPostgres(t, "", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table items(id int primary key, tags text[])", "insert into items values (1, '{a,b,c}')")
		require.Equal(t, 7, scalar[int](t, ctx, e, "select :a::int + '3'::int", db.Named("a", 4)))
		_, err := e.Query(ctx, "select 1 in (:list)::bool", db.Named("list", []int{1}))
		require.ErrorIs(t, err, db.ErrSyntax, "an empty list isn't possible there")
		for list, in := range map[*[]int]bool{{}: false, {1, 2}: true} {
			require.Equal(t, in, scalar[bool](t, ctx, e, "select (1 in (:list))::bool", db.Named("list", *list)))
		}
		require.Equal(t, ":a", scalar[string](t, ctx, e, "select $$:a$$"))
		require.Equal(t, `\:a`, scalar[string](t, ctx, e, `select '\:a'`))
		require.Equal(t, "b", scalar[string](t, ctx, e, "select tags[:i] from items", db.Named("i", 2)))
		require.Equal(t, []string{"a", "b"}, scalar[[]string](t, ctx, e, `select tags[1\:2] from items`))
		require.Equal(t, 1, scalar[int](t, ctx, e, "select id from items where :tag = any(tags)", db.Named("tag", "c")))
		require.Equal(t, 1, scalar[int](t, ctx, e, "select id from items where id = any(:ids)", db.Named("ids", []int{1, 2})))
		result, err := e.Exec(ctx, "with gone as (delete from items returning id) insert into items select id + 1 from gone")
		require.NoError(t, err)
		require.EqualValues(t, 1, result.RowsAffected())
		conn, err := e.Connect(ctx, db.ReadOnly())
		require.NoError(t, err)
		for _, text := range []string{"with gone as (delete from items returning id) select * from gone", "explain analyze delete from items", "select 1 into other", "do $$ begin end $$"} {
			_, err := conn.Exec(ctx, text)
			require.ErrorIs(t, err, db.ErrReadOnly, text)
		}
		dbtest.Exec(t, ctx, conn, "explain select * from items", "show work_mem")
		require.NoError(t, conn.Close())
		_, err = e.Exec(ctx, "copy items from stdin")
		require.ErrorIs(t, err, db.ErrUnsupported)
	})
}

func TestManyStatementsInOneGo(t *testing.T) {
	server := testserver.Postgres(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		at := server.Database(t)
		proxy := faultproxy.New(t, at.Addr())
		at.Host, at.Port = proxy.Host(), proxy.Port()
		e := dbtest.Open(t, ctx, at.URL())
		dbtest.Exec(t, ctx, e, "create table items(id int primary key, value int)", "insert into items select i, 0 from generate_series(1, 200) i")
		type change struct{ ID, Value int }
		changes := make([]change, 200)
		for i := range changes {
			changes[i] = change{i + 1, i}
		}
		started := time.Now()
		_, err := db.ExecMany(ctx, e, "update items set value = :value where id = :id", changes)
		require.NoError(t, err)
		fast := time.Since(started)
		proxy.Delay(5*time.Millisecond, 5*time.Millisecond)
		started = time.Now()
		result, err := db.ExecMany(ctx, e, "update items set value = :value + 1 where id = :id", changes)
		require.NoError(t, err)
		require.EqualValues(t, 200, result.RowsAffected())
		require.Less(t, time.Since(started), fast+time.Second, "with a round trip for each it would be two seconds")
		require.Equal(t, 200*201/2, scalar[int](t, ctx, e, "select sum(value) from items"))
	})
}

// Every caller gets the same values, in whatever form the server sends them.
func TestValuesInEveryMode(t *testing.T) {
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec"} {
		t.Run(mode, func(t *testing.T) {
			onPostgres(t, "&default_query_exec_mode="+mode, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
				rows, err := e.Query(ctx, `select 1::smallint as a, 2::bigint as b, 1.5::float8 as c, '12.50'::numeric as d, 'x'::text as e, '\x00ff'::bytea as f,
					true as g, '2026-01-02 03:04:05.678901+01'::timestamptz as h, '2026-01-02 03:04:05'::timestamp as i, '2026-01-02'::date as j, '03:04:05.5'::time as k,
					'1 day 02:00:00'::interval as l, '123e4567-e89b-12d3-a456-426614174000'::uuid as m, '{"a": 1}'::jsonb as n, '{1,null}'::int[] as o,
					'{{a,b}}'::text[] as p, null::int as q, '10.0.0.1/32'::inet as r, '{1.50}'::numeric[] as s, 'infinity'::timestamptz as t, 4294967295::oid as u`)
				require.NoError(t, err)
				require.True(t, rows.Next())
				got, err := rows.Values()
				require.NoError(t, err)
				require.Equal(t, []any{
					int64(1), int64(2), 1.5, "12.50", "x", []byte{0, 255},
					true, time.Date(2026, 1, 2, 2, 4, 5, 678_901_000, time.UTC), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), "03:04:05.5",
					"1 day 02:00:00", "123e4567-e89b-12d3-a456-426614174000", `{"a": 1}`, []any{int64(1), nil},
					[]any{[]any{"a", "b"}}, nil, "10.0.0.1", []any{"1.50"}, "infinity", int64(4294967295),
				}, got)
			})
		})
	}
}

func TestIntervalsAsDurations(t *testing.T) {
	onPostgres(t, "", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		for text, want := range map[string]time.Duration{
			"2 days 03:00:00": 51 * time.Hour, "-1 day": -24 * time.Hour, "1 day -00:00:01": 24*time.Hour - time.Second, "-1 days +01:00:00": -23 * time.Hour,
		} {
			require.Equal(t, want, scalar[time.Duration](t, ctx, e, "select '"+text+"'::interval"))
		}
		for _, text := range []string{"1 mon", "1 year 2 days", "200000 days"} {
			_, err := db.Scalar[time.Duration](ctx, e, "select '"+text+"'::interval")
			require.ErrorIs(t, err, db.ErrScan, text)
		}
	})
}

func TestTypesOfTheApplication(t *testing.T) {
	onPostgres(t, "", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create type mood as enum ('sad', 'happy')", "create table people(id int, mood mood)")
		type mood string
		dbtest.Exec(t, ctx, e, "insert into people values (1, 'sad')")
		_, err := e.Exec(ctx, "update people set mood = :m", db.Named("m", mood("happy")))
		require.NoError(t, err)
		require.Equal(t, mood("happy"), scalar[mood](t, ctx, e, "select mood from people"))
		_, err = e.Exec(ctx, "update people set mood = :m", db.Named("m", "angry"))
		require.ErrorIs(t, err, db.ErrData)
	})
}

func TestHiddenParametersStayHidden(t *testing.T) {
	onPostgres(t, "", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table items(id int)")
		for arg, condition := range map[any]error{int64(987654321987): db.ErrData, 98765.4321: db.ErrData, true: db.ErrParameter} {
			_, err := e.Exec(ctx, "insert into items values (:id)", db.Named("id", arg))
			require.ErrorIs(t, err, condition)
			require.ErrorContains(t, err, ":id")
			require.NotContains(t, err.Error(), "98765")
		}
	}, db.HideParameters())
}

func TestTheResultOfAnEmptyListCanBeUsedLikeAnother(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, at.URL())
		for text, want := range map[string]string{
			"(1 in (:l))::int":                                "0",
			"(1 not in :l)::int":                              "1",
			"'x' || (now() in (:l))":                          "xfalse",
			"(row(1, 'a', now()) not in (:l))::text":          "true",
			"(array[1, 2] in (:l))::text":                     "false",
			"('[1]'::jsonb in (:l) is distinct from true)":    "true",
			"(date '2024-01-02' + 1 not in (:l) isnull)":      "false",
			"('a' collate \"C\" in (:l) or null)":             "",
			"((current_date, 'a'::\"char\") in (:l) = false)": "true",
		} {
			got, err := db.Scalar[*string](ctx, e, "select cast("+text+" as text)", db.Named("l", []string{}))
			require.NoError(t, err, text)
			if want == "" {
				require.Nil(t, got, text)
			} else {
				require.Equal(t, want, *got, text)
			}
		}
		for _, text := range []string{"select 1 in (:l)::int", "select 1 in (:l) /* */ ::int", "select 1 in :l::int"} {
			_, err := e.Query(ctx, text, db.Named("l", []int{1}))
			require.ErrorIs(t, err, db.ErrSyntax)
			require.ErrorContains(t, err, "(… in (:l))::type")
		}
	})
}

func TestAPanicOfAnArgumentLeavesConnAndTransactionAsTheyWere(t *testing.T) {
	onPostgres(t, "", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		panics := db.Named("v", panicker{})
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		leave := func(q db.Querier) {
			require.PanicsWithValue(t, panicker{}, func() { _, _ = q.Exec(ctx, "select cast(:v as text)", panics) })
			require.PanicsWithValue(t, panicker{}, func() { _, _ = q.Query(ctx, "select cast(:v as text)", panics) })
		}
		leave(e)
		dbtest.Exec(t, ctx, conn, "create temp table mine(v int)")
		leave(conn)
		tx, err := conn.BeginTx(ctx)
		require.NoError(t, err)
		leave(tx)
		dbtest.Exec(t, ctx, tx, "insert into mine values (1)")
		leave(tx)
		require.PanicsWithValue(t, panicker{}, func() { _, _ = tx.Stream(ctx, "select cast(:v as text)", panics) })
		require.NoError(t, tx.Commit(ctx))
		n, err := db.Scalar[int](ctx, conn, "select count(*) from mine")
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

// panicker is a value whose conversion panics.
type panicker struct{}

func (p panicker) Value() (driver.Value, error) { panic(p) }
