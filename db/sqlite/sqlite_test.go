package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/db/sqlite"
)

func scalar[T any](t *testing.T, ctx context.Context, q db.Querier, query string, args ...any) T {
	t.Helper()
	v, err := db.Scalar[T](ctx, q, query, args...)
	require.NoError(t, err)
	return v
}

func TestURLsNameFiles(t *testing.T) {
	ctx := context.Background()
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("sub", 0o777))
	absolute := filepath.Join(t.TempDir(), "abs.db")
	odd := "a b?c%41#e&ä.db"
	for url, file := range map[string]string{
		"sqlite:///rel.db":                         "rel.db",
		"sqlite:///sub/rel.db":                     "sub/rel.db",
		"sqlite:///" + absolute:                    absolute,
		"sqlite:///a%20b%3Fc%2541%23e%26%C3%A4.db": odd,
	} {
		e := dbtest.Open(t, ctx, url)
		dbtest.Exec(t, ctx, e, "create table t(v)")
		_, err := os.Stat(file)
		require.NoError(t, err, url)
	}
}

func TestURLsThatCantBeRight(t *testing.T) {
	for url, want := range map[string]string{
		"sqlite://file.db":                 "the file name begins after the third slash",
		"sqlite://user@/file.db":           "the file name begins after the third slash",
		"sqlite+mattn:///file.db":          `there is no driver "mattn"`,
		"sqlite:///x.db?journal_mode=fast": "journal_mode=fast: not a value of this option; it takes delete, truncate, persist, memory, wal, off",
		"sqlite:///x.db?mode=w":            "it takes ro, rw, rwc",
		"sqlite:///x.db?foreign_keys=2":    "neither on nor off",
		"sqlite:///x.db?busy_timeout=x":    "neither a duration",
		"sqlite:///x.db?cache_size=big":    "a whole number",
		"sqlite:///x.db?_pragma=x":         `no option "_pragma"; there are busy_timeout, cache_size, foreign_keys`,
	} {
		_, err := db.Open(context.Background(), url)
		require.ErrorContains(t, err, want, url)
		_, err = os.Stat("x.db")
		require.ErrorIs(t, err, os.ErrNotExist, url)
	}
}

func TestADatabaseInMemoryIsOneForAllConnectionsAndItsEngineOnly(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		for _, url := range []string{"sqlite://", "sqlite:///", "sqlite:///:memory:"} {
			e := dbtest.Open(t, ctx, url, db.PoolSize(3))
			other := dbtest.Open(t, ctx, url)
			dbtest.Exec(t, ctx, e, "create table t(v)", "insert into t values (1)")
			var conns []*db.Conn
			for range 3 {
				conn, err := e.Connect(ctx)
				require.NoError(t, err)
				conns = append(conns, conn)
				require.Equal(t, 1, scalar[int](t, ctx, conn, "select count(*) from t"))
			}
			for _, conn := range conns {
				require.NoError(t, conn.Close())
			}
			_, err := other.Exec(ctx, "select * from t")
			require.ErrorIs(t, err, db.ErrUndefined)
		}
	})
}

// The pool may close all its connections; the database stays until Engine.Close.
func TestADatabaseInMemoryLivesAsLongAsItsEngine(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, "sqlite://", db.MaxLifetime(time.Nanosecond))
		dbtest.Exec(t, ctx, e, "create table t(v)", "insert into t values (1)")
		for range 3 {
			require.Equal(t, 1, scalar[int](t, ctx, e, "select count(*) from t"))
		}
		require.Greater(t, e.Stats().Connects, int64(3))
	})
}

func TestOptionsReachEveryConnection(t *testing.T) {
	ctx := context.Background()
	pragmas := func(url string, opts ...db.Option) (got []string) {
		e := dbtest.Open(t, ctx, url, opts...)
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { // this opens the writer's connection
			for _, q := range []db.Querier{e, tx} {
				all := ""
				for _, name := range []string{"foreign_keys", "busy_timeout", "journal_mode", "synchronous", "cache_size", "temp_store"} {
					all += fmt.Sprint(scalar[any](t, ctx, q, "pragma "+name), " ")
				}
				got = append(got, strings.TrimSpace(all))
			}
			return nil
		}))
		return got
	}
	file := func() string { return "sqlite:///" + filepath.ToSlash(filepath.Join(t.TempDir(), "x.db")) }
	require.Equal(t, []string{"1 5000 wal 2 -2000 0", "1 5000 wal 2 -2000 0"}, pragmas(file()))
	want := "0 1500 truncate 1 -500 2"
	require.Equal(t, []string{want, want}, pragmas(file()+"?foreign_keys=off&busy_timeout=1.5&journal_mode=TRUNCATE&synchronous=normal&cache_size=-500&temp_store=memory"))
}

func TestModesOfOpening(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		name := filepath.ToSlash(filepath.Join(t.TempDir(), "x.db"))
		_, err := db.Open(ctx, "sqlite:///"+name+"?mode=rw")
		require.Error(t, err, "rw doesn't create the file")
		e := dbtest.Open(t, ctx, "sqlite:///"+name)
		dbtest.Exec(t, ctx, e, "create table t(v)")
		e = dbtest.Open(t, ctx, "sqlite:///"+name+"?mode=ro")
		require.Equal(t, 0, scalar[int](t, ctx, e, "select count(*) from t"))
		_, err = e.Exec(ctx, "insert into t values (1)")
		require.ErrorIs(t, err, db.ErrReadOnly)
	})
}

func TestValuesRoundTrip(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table v(i integer, r real, t text, b blob, at timestamp, ok boolean, n integer)")
		type row struct {
			I  int64
			R  float64
			T  string
			B  []byte
			At time.Time
			OK bool
			N  *int
		}
		big := make([]byte, 1<<20)
		for i := range big {
			big[i] = byte(i)
		}
		noon := time.Date(2026, 3, 4, 12, 0, 0, 123456789, time.UTC)
		seven := 7
		for _, want := range []row{
			{},
			{B: []byte{}},
			{math.MaxInt64, math.MaxFloat64, "ä \x00 '\"; --", []byte{0, 255}, noon, true, &seven},
			{math.MinInt64, math.SmallestNonzeroFloat64, strings.Repeat("x", 1<<20), big, time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), false, nil},
			{-1, math.Inf(-1), "\xff", nil, time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), true, nil},
		} {
			const insert = "insert into v values (:i, :r, :t, :b, :at, :ok, :n)"
			_, err := e.Exec(ctx, insert, want)
			require.NoError(t, err)
			got, err := db.One[row](ctx, e, "select * from v")
			require.NoError(t, err)
			require.Equal(t, want, got)
			again, err := db.One[row](ctx, e, "update v set i = i returning *")
			require.NoError(t, err)
			require.Equal(t, want, again)
			dbtest.Exec(t, ctx, e, "delete from v")
		}
	})
}

func TestValuesHaveTheirNaturalTypes(t *testing.T) {
	ctx := context.Background()
	e := dbtest.Open(t, ctx, "sqlite://")
	dbtest.Exec(t, ctx, e, "create table v(i integer, r real, t text, b blob, at timestamp, day date, ok boolean, n integer)")
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.FixedZone("X", 7200))
	_, err := e.Exec(ctx, "insert into v values (1, 1.5, 'x', :b, :at, '2026-03-04', :ok, null)",
		db.Named("b", []byte{}), db.Named("at", noon), db.Named("ok", true))
	require.NoError(t, err)
	rows, err := e.Query(ctx, "select * from v")
	require.NoError(t, err)
	require.True(t, rows.Next())
	got, err := rows.Values()
	require.NoError(t, err)
	require.Equal(t, []any{int64(1), 1.5, "x", []byte{}, noon.UTC(), time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC), true, nil}, got)
	require.Equal(t, "2026-03-04 10:00:00+00:00", scalar[string](t, ctx, e, "select at || '' from v"), "as it is stored")
	require.Equal(t, noon.UTC(), scalar[time.Time](t, ctx, e, "select max(at) from v"), "an expression has no declared type")
}

func TestTimesSortAndCompareAsTimes(t *testing.T) {
	ctx := context.Background()
	e := dbtest.Open(t, ctx, "sqlite://")
	dbtest.Exec(t, ctx, e, "create table v(at timestamp)")
	base := time.Date(2026, 3, 4, 23, 59, 59, 0, time.FixedZone("east", 3600*9))
	var want []time.Time
	for i, d := range []time.Duration{0, 1, 10, 100 * time.Millisecond, 150 * time.Millisecond, time.Second, 24 * time.Hour} {
		at := base.Add(d).In(time.FixedZone("z", (i%5-2)*3600))
		want = append(want, at.UTC())
	}
	for _, i := range []int{3, 0, 6, 5, 1, 4, 2} {
		_, err := e.Exec(ctx, "insert into v values (:at)", db.Named("at", want[i]))
		require.NoError(t, err)
	}
	got, err := db.All[time.Time](ctx, e, "select at from v order by at")
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, 1, scalar[int](t, ctx, e, "select count(*) from v where at = :at", db.Named("at", want[2].In(base.Location()))))
	require.Equal(t, 2, scalar[int](t, ctx, e, "select count(*) from v where at < :at", db.Named("at", want[2])))
}

func TestFaultsAreRecognised(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e,
			"create table p(id integer primary key, u text unique, a int, b int, n text not null default 'x', c int check (c > 0), unique(a, b), constraint small check (a < 100))",
			"create table f(p integer references p)", "create table s(i integer) strict",
			"insert into p(id, u, a, b) values (1, 'u', 1, 1)",
			"create trigger no before delete on p begin select raise(abort, 'never'); end")
		for _, c := range []struct {
			text      string
			condition error
			code      string
			place     string
		}{
			{"insert into p(id) values (1)", db.ErrUnique, "SQLITE_CONSTRAINT_PRIMARYKEY (1555)", "p id "},
			{"insert into p(u) values ('u')", db.ErrUnique, "SQLITE_CONSTRAINT_UNIQUE (2067)", "p u "},
			{"insert into p(a, b) values (1, 1)", db.ErrUnique, "SQLITE_CONSTRAINT_UNIQUE (2067)", "p a, b "},
			{"insert into f values (9)", db.ErrForeignKey, "SQLITE_CONSTRAINT_FOREIGNKEY (787)", "  "},
			{"insert into p(n) values (null)", db.ErrNotNull, "SQLITE_CONSTRAINT_NOTNULL (1299)", "p n "},
			{"insert into p(c) values (-1)", db.ErrCheck, "SQLITE_CONSTRAINT_CHECK (275)", "  c > 0"},
			{"insert into p(a) values (100)", db.ErrCheck, "SQLITE_CONSTRAINT_CHECK (275)", "  small"},
			{"insert into s values ('x')", db.ErrConstraint, "SQLITE_CONSTRAINT_DATATYPE (3091)", "  "},
			{"delete from p", db.ErrConstraint, "SQLITE_CONSTRAINT_TRIGGER (1811)", "  "},
			{"selec 1", db.ErrSyntax, "SQLITE_ERROR (1)", "  "},
			{"select 'x", db.ErrSyntax, "SQLITE_ERROR (1)", "  "},
			{"select (1", db.ErrSyntax, "SQLITE_ERROR (1)", "  "},
			{"select * from nope", db.ErrUndefinedTable, "SQLITE_ERROR (1)", "nope  "},
			{"select nope from p", db.ErrUndefinedColumn, "SQLITE_ERROR (1)", "  "},
			{"insert into p(nope) values (1)", db.ErrUndefinedColumn, "SQLITE_ERROR (1)", "  "},
			{"select nope()", db.ErrUndefined, "SQLITE_ERROR (1)", "  "},
			{"create table p(id)", nil, "SQLITE_ERROR (1)", "  "},
		} {
			_, err := e.Exec(ctx, c.text)
			require.Error(t, err, c.text)
			var is *db.Error
			require.ErrorAs(t, err, &is, c.text)
			require.Equal(t, c.condition, is.Condition, c.text)
			require.Equal(t, c.code, is.Code, c.text)
			require.Equal(t, c.place, is.Table+" "+is.Column+" "+is.Constraint, c.text)
			require.ErrorContains(t, err, "on sqlite")
			require.ErrorContains(t, err, "[SQL: "+c.text)
		}
	})
}

func TestWhichStatementsWrite(t *testing.T) {
	d := sqlite.Dialect{}
	for text, want := range map[string]backend.Traits{
		"select 1":                                  {Plan: true},
		"values (1)":                                {Plan: true},
		"with a as (select 1) select * from a":      {Plan: true},
		"explain query plan delete from t":          {},
		"insert into t values (1) returning id":     {Writes: true, Plan: true, Changes: true, Inserts: true},
		"replace into t values (1)":                 {Writes: true, Plan: true, Changes: true, Inserts: true},
		"with a as (select 1) insert into t select": {Writes: true, Plan: true, Changes: true, Inserts: true},
		"update t set a = 1":                        {Writes: true, Plan: true, Changes: true},
		"delete from t":                             {Writes: true, Plan: true, Changes: true},
		"create table t(a)":                         {Writes: true},
		"create temp table t(a)":                    {Writes: true, Session: true},
		"CREATE TEMPORARY VIEW v AS SELECT 1":       {Writes: true, Session: true},
		"drop table t":                              {Writes: true},
		"vacuum":                                    {Writes: true},
		"anything else":                             {Writes: true},
		"(select 1)":                                {Plan: true},
		"attach 'x' as y":                           {Writes: true, Session: true},
		"begin":                                     {TxControl: true},
		"select 1; delete from t":                   {Writes: true, Changes: true},
		"delete from t; select 1":                   {Writes: true},
		"pragma user_version":                       {},
		"pragma main.user_version":                  {},
		"pragma user_version = 3":                   {Writes: true, Session: true},
		"pragma user_version(3)":                    {Writes: true, Session: true},
		"pragma table_info(t)":                      {},
		"pragma main . table_info(t)":               {},
		"pragma table_info('a.b')":                  {},
		"pragma table_info = t":                     {Writes: true, Session: true},
		"pragma foreign_keys=off":                   {Writes: true, Session: true},
		"pragma wal_checkpoint":                     {Writes: true, Session: true},
		"pragma optimize":                           {Writes: true, Session: true},
		"pragma":                                    {Writes: true, Session: true},
		"pragma 'x'":                                {Writes: true, Session: true},
	} {
		require.Equal(t, want, d.Traits(text, d.Rules().Split(text)), text)
	}
}

// lockFile takes the file's write lock as another process would.
func lockFile(t *testing.T, url string) (unlock func()) {
	name, _, _ := strings.Cut(strings.TrimPrefix(url, "sqlite:///"), "?")
	pool, err := sql.Open("sqlite", "file:"+name)
	require.NoError(t, err)
	pool.SetMaxOpenConns(1)
	_, err = pool.Exec("begin immediate")
	require.NoError(t, err)
	return func() {
		_, err := pool.Exec("commit")
		require.NoError(t, err)
		require.NoError(t, pool.Close())
	}
}

func TestALockOfAnotherProcessIsWaitedForAndThenReported(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		url := dbtest.File(t)
		e := dbtest.Open(t, ctx, url+"&busy_timeout=0.02")
		patient := dbtest.Open(t, ctx, url+"&busy_timeout=10")
		dbtest.Exec(t, ctx, e, "create table t(v)")
		unlock := lockFile(t, url)

		_, err := e.Exec(ctx, "insert into t values (1)")
		require.ErrorIs(t, err, db.ErrBusy)
		require.ErrorContains(t, err, "raise busy_timeout")
		err = e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "insert into t values (1)")
			return err
		})
		require.ErrorIs(t, err, db.ErrBusy)
		require.Equal(t, 0, scalar[int](t, ctx, e, "select count(*) from t"), "reading goes on")

		waits := c.Go(ctx, func(ctx context.Context) error {
			_, err := patient.Exec(ctx, "insert into t values (2)")
			return err
		})
		unlock()
		require.NoError(t, waits())
		dbtest.Exec(t, ctx, e, "insert into t values (3)")
	})
}

func TestWaitingForALockEndsWithTheContext(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		url := dbtest.File(t)
		e := dbtest.Open(t, ctx, url+"&busy_timeout=600")
		dbtest.Exec(t, ctx, e, "create table t(v)")
		unlock := lockFile(t, url)
		defer unlock()
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		_, err := e.Exec(short, "insert into t values (1)")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		short, cancel = context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		err = e.InTx(short, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "insert into t values (1)")
			return err
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestSeveralEnginesShareAFile(t *testing.T) {
	ctx := context.Background()
	url := dbtest.File(t) + "&busy_timeout=60"
	const engines = 8
	require.NoError(t, dbtest.Blocking.Together(ctx, engines, func(ctx context.Context, i int) error {
		e, err := db.Open(ctx, url) // all open at once, on a file that doesn't exist yet
		if err != nil {
			return err
		}
		defer e.Close(ctx)
		if _, err := e.Exec(ctx, "create table if not exists t(v)"); err != nil {
			return err
		}
		for range 20 {
			if _, err := e.Exec(ctx, "insert into t values (:i)", db.Named("i", i)); err != nil {
				return err
			}
		}
		return nil
	}))
	e := dbtest.Open(t, ctx, url)
	require.Equal(t, engines*20, scalar[int](t, ctx, e, "select count(*) from t"))
}

func TestOpenDBTakesADatabaseOfDatabaseSQL(t *testing.T) {
	for _, c := range []struct {
		name, dsn string
		conns     int
		most      int
	}{
		{"file", "file:" + filepath.ToSlash(t.TempDir()) + "/x.db?_pragma=synchronous(off)", 0, 0},
		{"few connections", "file:" + filepath.ToSlash(t.TempDir()) + "/y.db?_pragma=synchronous(off)", 3, 3},
		{"one connection", "file:" + filepath.ToSlash(t.TempDir()) + "/z.db?_pragma=synchronous(off)", 1, 1},
		{"memory", ":memory:", 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dbtest.BothColours(t, func(t *testing.T, ctx context.Context, colour dbtest.Colour) {
				pool, err := sql.Open("sqlite", c.dsn)
				require.NoError(t, err)
				defer pool.Close()
				pool.SetMaxOpenConns(c.conns)
				e, err := sqlite.OpenDB(ctx, pool)
				require.NoError(t, err)
				if c.most > 0 {
					require.Equal(t, c.most, e.Stats().MaxOpen)
				}
				dbtest.Exec(t, ctx, e, "drop table if exists t", "create table t(id integer primary key, v text)")
				require.True(t, scalar[bool](t, ctx, e, "pragma foreign_keys"))
				require.NoError(t, colour.Together(ctx, 100, func(ctx context.Context, i int) error {
					return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
						var id int
						if err := tx.QueryRow(ctx, "insert into t(v) values (:v) returning id", db.Named("v", i)).Scan(&id); err != nil {
							return err
						}
						v, err := db.Scalar[int](ctx, tx, "select v from t where id = :id", db.Named("id", id))
						if err == nil && v != i {
							err = fmt.Errorf("%d is not %d", v, i)
						}
						return err
					})
				}))
				require.Equal(t, 100, scalar[int](t, ctx, e, "select count(distinct v) from t"))
				require.NoError(t, e.Close(ctx))
				require.NoError(t, pool.PingContext(ctx), "it isn't ours to close")
				require.Zero(t, pool.Stats().InUse)
			})
		})
	}
}

func TestPreparedStatementsFollowTheSchema(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table t(a)", "insert into t values (1)")
		columns := func() []string {
			rows, err := e.Query(ctx, "select * from t")
			require.NoError(t, err)
			return rows.Columns()
		}
		require.Equal(t, []string{"a"}, columns())
		dbtest.Exec(t, ctx, e, "alter table t add column b")
		require.Equal(t, []string{"a", "b"}, columns())
		dbtest.Exec(t, ctx, e, "drop table t", "create table t(c)")
		require.Equal(t, []string{"c"}, columns())
	})
}

func TestWritersTakeTurnsInTheOrderTheyCame(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table t(id integer primary key, v integer)")
		const n = 30
		var waits []func() error
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			dbtest.Exec(t, ctx, tx, "select 1")
			for i := range n {
				waits = append(waits, c.Go(context.WithoutCancel(ctx), func(ctx context.Context) error {
					const insert = "insert into t(v) values (:v)"
					if i%3 == 0 { // statements and transactions stand in one line
						return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
							_, err := tx.Exec(ctx, insert, db.Named("v", i))
							return err
						})
					}
					_, err := e.Exec(ctx, insert, db.Named("v", i))
					return err
				}))
				dbtest.UntilWaiting(ctx, e, i+1)
			}
			return nil
		}))
		for _, wait := range waits {
			require.NoError(t, wait())
		}
		require.Zero(t, scalar[int](t, ctx, e, "select count(*) from t where v <> id - 1"))
	})
}
