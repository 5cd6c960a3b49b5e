package stdlib_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// meantDifferences are the differences from pgx's driver in values, column types and kinds of errors
// that are meant, each with what comes of it there and here. docs/coming-from-database-sql.md has
// them, too. One more shows in a task only: Prepare doesn't ask the server there. result_limit is
// tested by TestStream.
var meantDifferences = []struct {
	name      string
	run       func(ctx context.Context, d *sql.DB) string
	pgx, here string
}{
	{
		"a varchar without a length has no limit",
		func(ctx context.Context, d *sql.DB) string {
			rows, err := d.QueryContext(ctx, "select 'x'::varchar")
			if err != nil {
				return kind(err)
			}
			defer rows.Close()
			types, err := rows.ColumnTypes()
			if err != nil {
				return kind(err)
			}
			return fmt.Sprint(types[0].Length())
		},
		"-5 true", "9223372036854775807 true",
	},
	{
		"an error after the first rows is the query's",
		func(ctx context.Context, d *sql.DB) string {
			rows, err := d.QueryContext(ctx, "select 1 / (3 - i) from generate_series(1, 3) i")
			if err != nil {
				return "Query: " + kind(err)
			}
			defer rows.Close()
			n := 0
			for rows.Next() {
				n++
			}
			return fmt.Sprint(n, " rows, ", kind(rows.Err()))
		},
		"2 rows, error: 22012 ERROR   0", "Query: error: 22012 ERROR   0",
	},
	{
		"a text with a parameter is prepared also without arguments",
		func(ctx context.Context, d *sql.DB) string { return affected(d.ExecContext(ctx, "select $1::int")) },
		"error: 42P02 ERROR   8", "error: 08P01 ERROR   0",
	},
	{
		"COPY TO STDOUT is refused instead of being thrown away",
		func(ctx context.Context, d *sql.DB) string {
			return affected(d.ExecContext(ctx, "copy (select 1) to stdout"))
		},
		"1 rows, no error, error: ", "error: ",
	},
	{
		"SET through the sql.DB has no effect on later statements",
		func(ctx context.Context, d *sql.DB) string {
			if _, err := d.ExecContext(ctx, "set application_name = 'mine'"); err != nil {
				return kind(err)
			}
			var name string
			err := d.QueryRowContext(ctx, "show application_name").Scan(&name)
			return name + ", " + kind(err)
		},
		"mine, no error", ", no error",
	},
	{
		"rows that are open occupy nothing",
		func(ctx context.Context, d *sql.DB) string {
			tx, err := d.BeginTx(ctx, nil)
			if err != nil {
				return kind(err)
			}
			defer tx.Rollback()
			rows, err := tx.QueryContext(ctx, "select generate_series(1, 3)")
			if err != nil {
				return kind(err)
			}
			defer rows.Close()
			_, err = tx.ExecContext(ctx, "select 1")
			return kind(err)
		},
		"error: driver: bad connection", "no error",
	},
	{
		"the message doesn't show a value",
		func(ctx context.Context, d *sql.DB) string {
			_, err := d.ExecContext(ctx, "select ($1::text)::int", "secret")
			return fmt.Sprint(kind(err), ", shown: ", strings.Contains(err.Error(), "secret"))
		},
		"error: 22P02 ERROR   0, shown: true", "error: 22P02 ERROR   0, shown: false",
	},
	{
		"driver.ErrBadConn still says what happened",
		func(ctx context.Context, d *sql.DB) string {
			conn, err := d.Conn(ctx)
			if err != nil {
				return kind(err)
			}
			defer conn.Close()
			_, _ = conn.ExecContext(ctx, "set extra_float_digits = 1")
			_, err = conn.ExecContext(ctx, "select pg_terminate_backend(pg_backend_pid())")
			_, after := conn.ExecContext(ctx, "select 1")
			return kind(err) + "; after: " + kind(after)
		},
		"error: 57P01 FATAL   0; after: error: driver: bad connection",
		"error: 57P01 FATAL   0; after: error: driver: bad connection, 57P01 FATAL   0",
	},
}
