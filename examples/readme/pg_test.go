package readme_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

func TestMain(m *testing.M) { testserver.Main(m) }

type Product struct {
	ID   int
	Name string
}

func cheap(ctx context.Context, url string) ([]Product, error) {
	db, err := pg.Open(url) // instead of pgxpool.New
	if err != nil {
		return nil, err
	}
	defer db.Close(ctx)
	rows, _ := db.Query(ctx, "select id, name from product where price < $1", 10)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Product])
}

func TestCheap(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	at.MustQuery(t, "create table product (id int, name text, price int); insert into product values (1, 'tea', 3), (2, 'lamp', 90)")
	found, err := cheap(t.Context(), at.URL())
	require.NoError(t, err)
	require.Equal(t, []Product{{1, "tea"}}, found)
}
