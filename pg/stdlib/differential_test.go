package stdlib_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // registers pgx
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

// An operation is done through both drivers. What it says of its outcome must be the same.
type operation struct {
	name string
	run  func(ctx context.Context, d *sql.DB) string
}

const schema = `
	create type mood as enum ('sad', 'happy');
	create table t (id int primary key, v text not null check (v <> 'bad'), n numeric(12,3), at timestamptz, a int[], j jsonb);
	create table child (id int primary key references t)`

// TestSameAsPgx does random operations through pgx's driver and this one, each on a database of its
// own, and compares values, column types and kinds of errors. What is meant to differ is in
// [meantDifferences]. REPAINT_SEED repeats a run, without its limit of time.
func TestSameAsPgx(t *testing.T) {
	seed, limit := uint64(time.Now().UnixNano()), 800*time.Millisecond
	if s := os.Getenv("REPAINT_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		seed, limit = n, time.Minute
	}
	bothColours(t, func(t *testing.T, d *door) {
		t.Logf("REPAINT_SEED=%d", seed)
		theirs, ours := bothDrivers(t)
		defer theirs.Close()
		defer ours.Close()
		random, start, done := rand.New(rand.NewPCG(seed, 0)), time.Now(), 0
		for ; done < 3000 && time.Since(start) < limit; done++ {
			op := randomOperation(random)
			ctx, cancel := context.WithTimeout(d.ctx, 30*time.Second)
			want, got := op.run(ctx, theirs), op.run(ctx, ours)
			cancel()
			require.Equal(t, want, got, "operation %d of REPAINT_SEED=%d: %s", done, seed, op.name)
		}
		t.Logf("%d operations", done)
	})
}

// Every meant difference is one: the list isn't longer than it must be.
func TestMeantDifferencesFromPgx(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		theirs, ours := bothDrivers(t)
		defer theirs.Close()
		defer ours.Close()
		for _, m := range meantDifferences {
			assert.Equal(t, m.pgx, m.run(d.ctx, theirs), "pgx: %s", m.name)
			assert.Equal(t, m.here, m.run(d.ctx, ours), "here: %s", m.name)
		}
	})
}

// bothDrivers opens a database for each of the drivers, with the same tables.
func bothDrivers(t *testing.T) (theirs, ours *sql.DB) {
	open := func(name string) *sql.DB {
		d, err := sql.Open(name, testserver.Postgres(t).Database(t).URL())
		require.NoError(t, err)
		_, err = d.Exec(schema)
		require.NoError(t, err)
		return d
	}
	return open("pgx"), open(stdlib.Name)
}

// kind says what a caller can tell of an error: its SQLSTATE, and what errors.Is finds. The texts of
// database/sql's own errors belong to it.
func kind(err error) string {
	if err == nil {
		return "no error"
	}
	var kinds []string
	for _, known := range []error{sql.ErrNoRows, sql.ErrTxDone, sql.ErrConnDone, driver.ErrBadConn, context.Canceled, context.DeadlineExceeded, pgx.ErrTxCommitRollback} {
		if errors.Is(err, known) {
			kinds = append(kinds, known.Error())
		}
	}
	var server *pgconn.PgError
	if errors.As(err, &server) {
		kinds = append(kinds, fmt.Sprint(server.Code, " ", server.Severity, " ", server.TableName, " ", server.ConstraintName, " ", server.Position))
	}
	if text := err.Error(); len(kinds) == 0 && strings.HasPrefix(text, "sql: ") {
		kinds = append(kinds, text)
	}
	return "error: " + strings.Join(kinds, ", ")
}

// read says what a query gives: column types, and rows with each column both as any and into one of
// the destinations.
func read(rows *sql.Rows, err error, destinations func(column int) reflect.Type) string {
	if err != nil {
		return kind(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return kind(err)
	}
	var b strings.Builder
	for _, c := range types {
		name := c.DatabaseTypeName()
		if oid, err := strconv.Atoi(name); err == nil && oid > 16383 {
			name = "one of the database's own" // whose OIDs differ
		}
		length, hasLength := c.Length()
		if length == -5 {
			length = math.MaxInt64 // one of the meant differences
		}
		precision, scale, isDecimal := c.DecimalSize()
		nullable, knowsNull := c.Nullable()
		fmt.Fprintln(&b, c.Name(), name, c.ScanType(), length, hasLength, precision, scale, isDecimal, nullable, knowsNull)
	}
	for rows.Next() {
		values, pointers := make([]any, len(types)), make([]any, len(types))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			fmt.Fprintln(&b, kind(err))
		}
		for i := range values {
			fmt.Fprintln(&b, written(values[i]))
			into := reflect.New(destinations(i))
			pointers[i] = into.Interface()
			err := rows.Scan(pointers...)
			fmt.Fprintln(&b, written(into.Elem().Interface()), kind(err))
			pointers[i] = &values[i]
		}
	}
	fmt.Fprintln(&b, "more results:", rows.NextResultSet(), kind(rows.Err()), kind(rows.Close()))
	return b.String()
}

// written writes a value with its type; pointers are followed.
func written(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case time.Time:
		return "time.Time " + v.Format(time.RFC3339Nano) + " " + v.Location().String()
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer {
		if r.IsNil() {
			return fmt.Sprintf("%T nil", v)
		}
		return "to " + written(r.Elem().Interface())
	}
	return fmt.Sprintf("%T %+v", v, v)
}

func affected(r sql.Result, err error) string {
	if err != nil {
		return kind(err)
	}
	n, err := r.RowsAffected()
	_, last := r.LastInsertId()
	return fmt.Sprint(n, " rows, ", kind(err), ", ", kind(last))
}

// pick chooses at random.
func pick[T any](random *rand.Rand, choices []T) T { return choices[random.IntN(len(choices))] }
