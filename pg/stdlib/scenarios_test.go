package stdlib_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/postgres"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// The scenarios are what the tests of database/sql do with a fake driver, as far as it has a meaning
// for a driver and no other test here does it: on a real server, through this package and through
// Engine.SQL. docs/coming-from-database-sql.md counts them.
var scenarios = map[string]func(t *testing.T, d *door){
	"a statement is closed":           statementIsClosed,
	"a statement outlives its rows":   rowsOutliveTheirStatement,
	"statements of transactions":      statementsOfTransactions,
	"a statement in many tasks":       statementInManyTasks,
	"the end of a transaction":        endOfATransaction,
	"rows":                            rowsAreRead,
	"one row":                         oneRow,
	"nulls":                           nulls,
	"raw bytes":                       rawBytes,
	"a context ends while rows come":  contextEndsBetweenRows,
	"a context ends in a transaction": contextEndsInATransaction,
	"a Conn":                          connOfOneOwner,
	"named arguments":                 namedArguments,
	"many at once":                    manyAtOnce,
	"a context that has ended":        contextHasEnded,
}

func TestScenariosOfDatabaseSQL(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		engine, err := db.Open(d.ctx, testserver.Postgres(t).Database(t).URL())
		require.NoError(t, err)
		other := *d
		other.DB = engine.SQL()
		for name, scenario := range scenarios {
			t.Log(name, "through pg/stdlib")
			scenario(t, d)
			t.Log(name, "through Engine.SQL")
			scenario(t, &other)
		}
		require.NoError(t, other.Close())
		require.NoError(t, engine.Close(d.ctx))
	})
}

func statementIsClosed(t *testing.T, d *door) {
	s, err := d.PrepareContext(d.ctx, "select $1::int")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "again")
	_, err = s.QueryContext(d.ctx, 1)
	require.ErrorContains(t, err, "closed")
	var n int
	require.ErrorContains(t, s.QueryRowContext(d.ctx, 1).Scan(&n), "closed")
}

func rowsOutliveTheirStatement(t *testing.T, d *door) {
	s, err := d.PrepareContext(d.ctx, "select n from generate_series(1, $1::int) n")
	require.NoError(t, err)
	rows, err := s.QueryContext(d.ctx, 3)
	require.NoError(t, err)
	require.True(t, rows.Next())
	require.NoError(t, s.Close())
	seen := 1
	for rows.Next() {
		seen++
	}
	require.NoError(t, rows.Err())
	require.Equal(t, 3, seen)
	require.NoError(t, rows.Close())
	require.NoError(t, rows.Close(), "again")
	require.False(t, rows.Next())
	require.NoError(t, rows.Err(), "after Close")
}

// A statement of the database is used in a transaction, and one of a transaction in another one, and
// each outlives what was made from it.
func statementsOfTransactions(t *testing.T, d *door) {
	parent, err := d.PrepareContext(d.ctx, "select $1::int")
	require.NoError(t, err)
	defer parent.Close()
	value := func(s *sql.Stmt, n int) {
		var got int
		require.NoError(t, s.QueryRowContext(d.ctx, n).Scan(&got))
		require.Equal(t, n, got)
	}
	var before *sql.Stmt
	for round := range 3 {
		tx, err := d.BeginTx(d.ctx, nil)
		require.NoError(t, err)
		own := tx.StmtContext(d.ctx, parent)
		value(own, round)
		if before != nil {
			value(tx.StmtContext(d.ctx, before), round)
		}
		require.NoError(t, own.Close())
		value(parent, round)
		before, err = tx.PrepareContext(d.ctx, "select $1::int + 0")
		require.NoError(t, err)
		value(before, round)
		require.NoError(t, tx.Commit())
		_, err = before.QueryContext(d.ctx, 1)
		require.Error(t, err, "its transaction has ended")
	}
	value(parent, 9)
}

func statementInManyTasks(t *testing.T, d *door) {
	s, err := d.PrepareContext(d.ctx, "select $1::int, pg_sleep(0.001)::text")
	require.NoError(t, err)
	defer s.Close()
	fns := make([]func(context.Context), 20)
	for i := range fns {
		fns[i] = func(ctx context.Context) {
			for range 3 {
				var n int
				var none string
				assert.NoError(t, s.QueryRowContext(ctx, i).Scan(&n, &none))
				assert.Equal(t, i, n)
			}
		}
	}
	d.run(fns...)
}

func endOfATransaction(t *testing.T, d *door) {
	for name, end := range map[string]func(*sql.Tx) error{"commit": (*sql.Tx).Commit, "rollback": (*sql.Tx).Rollback} {
		tx, err := d.BeginTx(d.ctx, nil)
		require.NoError(t, err, name)
		if name == "commit" {
			_, err = tx.ExecContext(d.ctx, "select 1")
			require.NoError(t, err)
		}
		require.NoError(t, end(tx), name)
		require.ErrorIs(t, tx.Commit(), sql.ErrTxDone, name)
		require.ErrorIs(t, tx.Rollback(), sql.ErrTxDone, name)
		_, err = tx.ExecContext(d.ctx, "select 1")
		require.ErrorIs(t, err, sql.ErrTxDone, name)
		_, err = tx.QueryContext(d.ctx, "select 1")
		require.ErrorIs(t, err, sql.ErrTxDone, name)
		_, err = tx.PrepareContext(d.ctx, "select 1")
		require.ErrorIs(t, err, sql.ErrTxDone, name)
	}
	tx, err := d.BeginTx(d.ctx, nil)
	require.NoError(t, err)
	_, err = tx.QueryContext(d.ctx, "select nothing from nowhere")
	require.Error(t, err)
	require.NoError(t, tx.Rollback(), "after an error")
}

func rowsAreRead(t *testing.T, d *door) {
	rows, err := d.QueryContext(d.ctx, "select n, 'x' || n as name from generate_series(1, 3) n order by n")
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	require.Equal(t, []string{"n", "name"}, columns)
	var n int
	require.ErrorContains(t, rows.Scan(&n), "without calling Next")
	require.True(t, rows.Next())
	require.ErrorContains(t, rows.Scan(&n), "expected 2 destination arguments")
	var name string
	require.ErrorContains(t, rows.Scan(&name, &n), "converting")
	require.NoError(t, rows.Scan(&n, &name), "the row is still there")
	require.Equal(t, "1x1", fmt.Sprint(n, name))
	for rows.Next() {
	}
	require.NoError(t, rows.Err())
	require.False(t, rows.NextResultSet())
	require.Error(t, rows.Scan(&n, &name), "after the last row the rows are closed")
	_, err = rows.Columns()
	require.Error(t, err)
}

func oneRow(t *testing.T, d *door) {
	var n int
	require.ErrorIs(t, d.QueryRowContext(d.ctx, "select 1 where false").Scan(&n), sql.ErrNoRows)
	require.NoError(t, d.QueryRowContext(d.ctx, "select n from generate_series(1, 9) n").Scan(&n), "the others don't matter")
	require.Equal(t, 1, n)
	require.Error(t, d.QueryRowContext(d.ctx, "select 1").Scan(nil))
	require.ErrorContains(t, d.QueryRowContext(d.ctx, "select 1/n from generate_series(0, 1) n").Scan(&n), "division by zero")
	require.Error(t, d.QueryRowContext(d.ctx, "select 1/0").Err())
	row := d.QueryRowContext(d.ctx, "select 1")
	require.NoError(t, row.Err())
	require.NoError(t, row.Scan(&n))
}

func nulls(t *testing.T, d *door) {
	at := time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)
	var (
		text  sql.NullString
		i64   sql.NullInt64
		i32   sql.NullInt32
		i16   sql.NullInt16
		octet sql.NullByte
		f     sql.NullFloat64
		is    sql.NullBool
		when  sql.NullTime
		any   sql.Null[string]
		bytes []byte
		to    *string
	)
	const query = "select $1::text, $2::int8, $3::int4, $4::int2, $5::int2, $6::float8, $7::bool, $8::timestamptz, $9::text, $10::bytea, $11::text"
	into := []interface{}{&text, &i64, &i32, &i16, &octet, &f, &is, &when, &any, &bytes, &to}
	word := "w"
	require.NoError(t, d.QueryRowContext(d.ctx, query, sql.NullString{String: "s", Valid: true}, sql.NullInt64{Int64: 64, Valid: true}, sql.NullInt32{Int32: 32, Valid: true},
		sql.NullInt16{Int16: 16, Valid: true}, sql.NullByte{Byte: 8, Valid: true}, sql.NullFloat64{Float64: 1.5, Valid: true}, sql.NullBool{Bool: true, Valid: true},
		sql.NullTime{Time: at, Valid: true}, sql.Null[string]{V: "v", Valid: true}, []byte{}, &word).Scan(into...))
	require.Equal(t, "s 64 32 16 8 1.5 true v w", fmt.Sprintf("%s %d %d %d %d %v %v %s %s", text.String, i64.Int64, i32.Int32, i16.Int16, octet.Byte, f.Float64, is.Bool, any.V, *to))
	require.True(t, at.Equal(when.Time))
	require.NotNil(t, bytes, "empty isn't NULL")
	require.NoError(t, d.QueryRowContext(d.ctx, query, sql.NullString{}, sql.NullInt64{}, sql.NullInt32{}, sql.NullInt16{}, sql.NullByte{}, sql.NullFloat64{}, sql.NullBool{},
		sql.NullTime{}, sql.Null[string]{}, nil, (*string)(nil)).Scan(into...))
	require.False(t, text.Valid || i64.Valid || i32.Valid || i16.Valid || octet.Valid || f.Valid || is.Valid || when.Valid || any.Valid)
	require.Nil(t, bytes)
	require.Nil(t, to)
	var n int
	require.ErrorContains(t, d.QueryRowContext(d.ctx, "select null::int").Scan(&n), "NULL")
}

func rawBytes(t *testing.T, d *door) {
	rows, err := d.QueryContext(d.ctx, "select 'row ' || n, n from generate_series(1, 5) n order by n")
	require.NoError(t, err)
	defer rows.Close()
	var raw sql.RawBytes
	var n int
	for i := 1; rows.Next(); i++ {
		require.NoError(t, rows.Scan(&raw, &n))
		require.Equal(t, fmt.Sprint("row ", i), string(raw))
	}
	require.NoError(t, rows.Err())
	require.Error(t, d.QueryRowContext(d.ctx, "select 'x'").Scan(&raw), "QueryRow closes the row")
}

func contextEndsBetweenRows(t *testing.T, d *door) {
	for range 20 {
		ctx, end := context.WithCancel(d.ctx)
		rows, err := d.QueryContext(ctx, "select n from generate_series(1, 100) n")
		require.NoError(t, err)
		require.True(t, rows.Next())
		end()
		for rows.Next() {
		}
		if err := rows.Err(); err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
		require.NoError(t, rows.Close())
		require.NoError(t, d.PingContext(d.ctx))
	}
}

func contextEndsInATransaction(t *testing.T, d *door) {
	_, err := d.ExecContext(d.ctx, "create table ended (i int)")
	require.NoError(t, err)
	for i := range 10 {
		ctx, end := context.WithCancel(d.ctx)
		tx, err := d.BeginTx(ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(d.ctx, "insert into ended values ($1)", i)
		require.NoError(t, err)
		end()
		err = tx.Commit()
		require.True(t, errors.Is(err, context.Canceled) || errors.Is(err, sql.ErrTxDone), err)
	}
	var n int
	require.NoError(t, d.QueryRowContext(d.ctx, "select count(*) from ended").Scan(&n))
	require.Zero(t, n)
}

func connOfOneOwner(t *testing.T, d *door) {
	conn, err := d.DB.Conn(d.ctx)
	require.NoError(t, err)
	require.NoError(t, conn.PingContext(d.ctx))
	s, err := conn.PrepareContext(d.ctx, "select $1::int")
	require.NoError(t, err)
	var n int
	tx, err := conn.BeginTx(d.ctx, nil)
	require.NoError(t, err)
	require.NoError(t, tx.StmtContext(d.ctx, s).QueryRowContext(d.ctx, 3).Scan(&n))
	require.NoError(t, tx.Rollback())
	require.NoError(t, s.QueryRowContext(d.ctx, 4).Scan(&n))
	require.Equal(t, 4, n)
	require.ErrorContains(t, conn.Raw(func(any) error { return errors.New("mine") }), "mine")
	require.NoError(t, conn.PingContext(d.ctx), "after an error of Raw's function")
	require.NoError(t, conn.Close())
	require.ErrorIs(t, conn.Close(), sql.ErrConnDone)
	require.ErrorIs(t, conn.PingContext(d.ctx), sql.ErrConnDone)
	_, err = conn.QueryContext(d.ctx, "select 1")
	require.ErrorIs(t, err, sql.ErrConnDone)
	require.Error(t, s.QueryRowContext(d.ctx, 5).Scan(&n), "the statement was the Conn's")
}

// PostgreSQL's parameters have no names, so they go by their order, as with pgx.
func namedArguments(t *testing.T, d *door) {
	var a, b int
	require.NoError(t, d.QueryRowContext(d.ctx, "select $1::int, $2::int", sql.Named("b", 1), sql.Named("a", 2)).Scan(&a, &b))
	require.Equal(t, []int{1, 2}, []int{a, b})
}

// manyAtOnce mixes what tasks can do at the same time, and leaves nothing open.
func manyAtOnce(t *testing.T, d *door) {
	fns := make([]func(context.Context), 10) // fewer than either pool has sessions
	for i := range fns {
		fns[i] = func(ctx context.Context) {
			tx, err := d.BeginTx(ctx, nil)
			if !assert.NoError(t, err) {
				return
			}
			defer tx.Rollback()
			for range 3 {
				rows, err := tx.QueryContext(ctx, "select n from generate_series(1, 3) n")
				if !assert.NoError(t, err) {
					return
				}
				rows.Next() // and the others are left
				assert.NoError(t, rows.Close())
			}
			var n int
			assert.NoError(t, d.QueryRowContext(ctx, "select $1::int", i).Scan(&n), "beside the transaction")
			if i%2 == 0 {
				assert.NoError(t, tx.Commit())
			}
		}
	}
	d.run(fns...)
	for d.Stats().InUse > 0 { // where a context has ended, a goroutine of database/sql gives back
		require.NoError(t, repaint.Sleep(d.ctx, 0))
	}
}

func contextHasEnded(t *testing.T, d *door) {
	ended, end := context.WithCancel(d.ctx)
	end()
	_, err := d.ExecContext(ended, "create table never (i int)")
	require.ErrorIs(t, err, context.Canceled)
	_, err = d.QueryContext(ended, "select 1")
	require.ErrorIs(t, err, context.Canceled)
	_, err = d.PrepareContext(ended, "select 1")
	require.ErrorIs(t, err, context.Canceled)
	_, err = d.BeginTx(ended, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = d.DB.Conn(ended)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, d.PingContext(ended), context.Canceled)
	soon, stop := repaint.WithTimeout(d.ctx, 20*time.Millisecond)
	defer stop()
	_, err = d.ExecContext(soon, "select pg_sleep(60)")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, d.PingContext(d.ctx))
}
