package stdlib_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/pg"
)

// Arguments may be given with the simple protocol, which code for pgx asks for: GORM's migrator in
// the call, others in the connection string.
func TestArgumentsWithTheSimpleProtocol(t *testing.T) {
	use := func(t *testing.T, d *door, mode ...any) {
		d.exec(t, "create table t (id int, name text)")
		d.exec(t, "insert into t values ($1, $2)", append(mode, 1, "a'b")...)
		require.Equal(t, "a'b", one[string](t, d, d.ctx, "select name from t where id = $1", append(mode, 1)...))
		require.Equal(t, "a'b", one[string](t, d, d.ctx, "select name from t", mode...))
		tx, err := d.BeginTx(d.ctx, nil)
		require.NoError(t, err)
		defer tx.Rollback()
		require.Equal(t, 1, one[int](t, tx, d.ctx, "select id from t where name = $1", append(mode, "a'b")...))
	}
	t.Run("in the call", func(t *testing.T) {
		bothColours(t, func(t *testing.T, d *door) { use(t, d, pgx.QueryExecModeSimpleProtocol) })
	})
	t.Run("for all", func(t *testing.T) {
		bothColours(t, func(t *testing.T, d *door) {
			use(t, d)
			require.Equal(t, 7, one[int](t, d, d.ctx, "select $1::int", pgx.QueryExecModeCacheStatement, 7))
		}, func(c *pg.Config) { c.ExecMode = pgx.QueryExecModeSimpleProtocol })
	})
}
