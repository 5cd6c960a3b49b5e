package pg

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func TestExecQueryAndQueryRow(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		require.NoError(t, db.Ping(ctx))
		tag, err := db.Exec(ctx, "create table t (id int primary key, name text)")
		require.NoError(t, err)
		require.Equal(t, "CREATE TABLE", tag.String())
		for i := range 10 {
			tag, err = db.Exec(ctx, "insert into t values ($1, $2)", i, fmt.Sprint("name ", i))
			require.NoError(t, err)
			require.EqualValues(t, 1, tag.RowsAffected())
		}
		var name string
		require.NoError(t, db.QueryRow(ctx, "select name from t where id = $1", 7).Scan(&name))
		require.Equal(t, "name 7", name)
		require.ErrorIs(t, db.QueryRow(ctx, "select name from t where id = $1", 70).Scan(&name), pgx.ErrNoRows)

		type item struct {
			ID   int
			Name string
		}
		rows, err := db.Query(ctx, "select id, name from t where id > $1 order by id", 7)
		require.NoError(t, err)
		items, err := pgx.CollectRows(rows, pgx.RowToStructByName[item])
		require.NoError(t, err)
		require.Equal(t, []item{{8, "name 8"}, {9, "name 9"}}, items)

		rows, err = db.Query(ctx, "select id from t where id > @least", pgx.NamedArgs{"least": 5})
		require.NoError(t, err)
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int])
		require.NoError(t, err)
		require.Equal(t, []int{6, 7, 8, 9}, ids)

		_, err = db.Query(ctx, "select nonsense from t")
		var pgErr *pgconn.PgError
		require.ErrorAs(t, err, &pgErr)
		require.Equal(t, "42703", pgErr.Code)
		_, err = db.Exec(ctx, "insert into t values ($1, 'again')", 7)
		require.ErrorAs(t, err, &pgErr)
		require.Equal(t, "23505", pgErr.Code)
	})
}

func TestManyAtOnceGetTheirOwn(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=4")
		for _, err := range c.together(ctx, 200, func(ctx context.Context, i int) error {
			for k := range 20 {
				var got string
				want := fmt.Sprint(i, ".", k)
				if err := db.QueryRow(ctx, "select $1::text", want).Scan(&got); err != nil {
					return err
				}
				if got != want {
					return fmt.Errorf("asked for %s, got %s", want, got)
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		t.Logf("%+v", db.Stats())
	})
}
