package tasks_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/pg"
)

func stream(ctx context.Context, conn *pg.DB) error {
	rows, err := conn.Stream(ctx, "select id, name from users")
	if err != nil {
		return err
	}
	defer rows.Close()
	var u User
	_, err = pgx.ForEachRow(rows, []any{&u.ID, &u.Name}, func() error {
		fmt.Println(u.Name)
		return nil
	})
	return err
}

func copied(ctx context.Context, conn *pg.DB, users []User) (int64, error) {
	n, err := conn.CopyFrom(ctx, pgx.Identifier{"users"}, []string{"id", "name"}, pgx.CopyFromSlice(len(users), func(i int) ([]any, error) {
		return []any{users[i].ID, users[i].Name}, nil
	}))
	return n, err
}

func batch(ctx context.Context, conn *pg.DB, users []User) error {
	b := &pgx.Batch{}
	for _, u := range users {
		b.Queue("insert into users (id, name) values ($1, $2) on conflict do nothing", u.ID, u.Name)
	}
	err := conn.SendBatch(ctx, b).Close()
	return err
}

func TestManyRows(t *testing.T) {
	withPg(t, func(t *testing.T, ctx context.Context, conn *pg.DB) {
		users := []User{{1, "eve"}, {2, "kim"}}
		n, err := copied(ctx, conn, users)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		require.NoError(t, batch(ctx, conn, append(users, User{3, "joe"})))
		require.NoError(t, stream(ctx, conn))
		var all int
		require.NoError(t, conn.QueryRow(ctx, "select count(*) from users").Scan(&all))
		require.Equal(t, 5, all)
	})
}

func partitions(ctx context.Context, engine *db.Engine) error {
	rows, err := engine.Stream(ctx, "select id, name from users order by id")
	if err != nil {
		return err
	}
	for users, err := range db.Partitions[User](rows, 100) {
		if err != nil {
			return err
		}
		fmt.Println(len(users), "more")
	}
	return nil
}

func inserted(ctx context.Context, engine *db.Engine, users []User, found *[]int) error {
	_, err := db.ExecMany(ctx, engine, "insert into users (id, name) values (:id, :name)", users)
	if err != nil {
		return err
	}
	ids, err := db.QueryMany[int](ctx, engine, "insert into visits (page) values (:name) returning id", users)
	*found = ids
	return err
}

func TestManyRowsOfAnyDatabase(t *testing.T) {
	withDB(t, func(t *testing.T, ctx context.Context, engine *db.Engine) {
		var ids []int
		require.NoError(t, inserted(ctx, engine, []User{{1, "eve"}, {2, "kim"}}, &ids))
		require.Equal(t, []int{1, 2}, ids)
		require.NoError(t, partitions(ctx, engine))
	})
}
