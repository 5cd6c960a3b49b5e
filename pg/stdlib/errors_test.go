package stdlib_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

// Code that was written for pgx's package stdlib asserts the type of the server's errors.
func TestServersErrorsAreThemselves(t *testing.T) {
	bothColours(t, func(t *testing.T, db *door) {
		ctx := db.ctx
		_, err := db.ExecContext(ctx, "create table t (id int unique deferrable initially immediate, n int check (n > 0))")
		require.NoError(t, err)
		_, err = db.ExecContext(ctx, "insert into t values (1, 1)")
		require.NoError(t, err)
		conn, err := db.Conn(ctx)
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.ExecContext(ctx, "set application_name = 'mine'")
		require.NoError(t, err)
		tx, err := db.BeginTx(ctx, nil)
		require.NoError(t, err)
		defer tx.Rollback()
		var n int
		for what, failure := range map[string]struct {
			fn   func() error
			code string
		}{
			"exec":             {func() error { _, err := db.ExecContext(ctx, "insert into t values (1, 1)"); return err }, "23505"},
			"query row":        {func() error { return db.QueryRowContext(ctx, "insert into t values (2, -1) returning id").Scan(&n) }, "23514"},
			"query":            {func() error { _, err := db.QueryContext(ctx, "select * from missing"); return err }, "42P01"},
			"on a connection":  {func() error { _, err := conn.ExecContext(ctx, "insert into t values (1, 1)"); return err }, "23505"},
			"in a transaction": {func() error { _, err := tx.ExecContext(ctx, "insert into t values ($1, $2)", 1, 1); return err }, "23505"},
			"commit": {func() error {
				tx, err := db.BeginTx(ctx, nil)
				require.NoError(t, err)
				_, err = tx.ExecContext(ctx, "set constraints all deferred")
				require.NoError(t, err)
				_, err = tx.ExecContext(ctx, "insert into t values (1, 1)")
				require.NoError(t, err)
				return tx.Commit()
			}, "23505"},
			"streamed": {func() error {
				rows, err := db.QueryContext(stdlib.Stream(ctx), "select 1 / (100000 - n) from generate_series(1, 200000) n")
				if err != nil {
					return err
				}
				defer rows.Close()
				for rows.Next() {
				}
				return rows.Err()
			}, "22012"},
		} {
			server, ok := failure.fn().(*pgconn.PgError)
			require.True(t, ok, what)
			require.Equal(t, failure.code, server.Code, what)
		}
	})
}

// Errors that say more than the server did stay what they are: with a value in the server's message
// that isn't shown, and with a context that has ended.
func TestOtherErrorsStay(t *testing.T) {
	bothColours(t, func(t *testing.T, db *door) {
		ctx := db.ctx
		var n int
		err := db.QueryRowContext(ctx, "select ($1::text)::int", "secret").Scan(&n)
		var statement *pg.StatementError
		require.ErrorAs(t, err, &statement)
		require.NotContains(t, err.Error(), "secret")
		var server *pgconn.PgError
		require.ErrorAs(t, err, &server)
		require.Equal(t, "22P02", server.Code)

		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		_, err = db.ExecContext(short, "select pg_sleep(60)")
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
