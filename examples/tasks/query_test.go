package tasks_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/pg"
)

func query(ctx context.Context, conn *pg.DB) error {
	var name string
	err := conn.QueryRow(ctx, "select name from users where id = $1", 42).Scan(&name)
	if err != nil {
		return err
	}
	rows, err := conn.Query(ctx, "select id, name from users order by id")
	if err != nil {
		return err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[User])
	if err != nil {
		return err
	}
	tag, err := conn.Exec(ctx, "delete from users where id = $1", 42)
	fmt.Println(name, all, tag.RowsAffected())
	return err
}

func several(ctx context.Context, conn *pg.DB) (int, int, error) {
	var users, orders int
	err := repaint.Run(ctx, func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		g.Go(func(ctx context.Context) error {
			return conn.QueryRow(ctx, "select count(*) from users").Scan(&users)
		})
		g.Go(func(ctx context.Context) error {
			return conn.QueryRow(ctx, "select count(*) from orders").Scan(&orders)
		})
		return g.Wait()
	})
	return users, orders, err
}

func TestQuery(t *testing.T) {
	withPg(t, func(t *testing.T, ctx context.Context, conn *pg.DB) {
		users, orders, err := several(ctx, conn)
		require.NoError(t, err)
		require.Equal(t, []int{2, 0}, []int{users, orders})
		require.NoError(t, query(ctx, conn))
	})
}

func statements(ctx context.Context, engine *db.Engine) error {
	result, err := engine.Exec(ctx, "update users set name = :name where id = :id", db.Named("name", "bo"), db.Named("id", 7))
	if err != nil {
		return err
	}
	users, err := db.All[User](ctx, engine, "select id, name from users where id in (:ids)", map[string]any{"ids": []int{1, 2, 7}})
	if err != nil {
		return err
	}
	user, err := db.One[User](ctx, engine, "select id, name from users where name = :name", User{Name: "ada"})
	if err != nil {
		return err
	}
	fmt.Println(result.RowsAffected(), users, user) // 1 [{7 bo}] {42 ada}
	return nil
}

func pairs(ctx context.Context, engine *db.Engine, users []User, found *map[int]string) error {
	names, err := db.Map[int, string](ctx, engine, "select id, name from users")
	if err != nil {
		return err
	}
	err = db.ExecOne(ctx, engine, "update users set name = :name where id = :id", users[0]) // db.ErrNoRows if there is none
	*found = names
	return err
}

type Post struct {
	ID     int
	Title  string
	Author User
	Editor *User // nil: there is none
}

func joined(ctx context.Context, engine *db.Engine) ([]Post, error) {
	posts, err := db.All[Post](ctx, engine, `select p.id, p.title, a.id as "author.id", a.name as "author.name",
			e.id as "editor.id", e.name as "editor.name"
		from posts p join users a on a.id = p.author left join users e on e.id = p.editor
		where p.title like :like`, db.Args{"like": "%go%"})
	return posts, err
}

func upsert(ctx context.Context, engine *db.Engine) error {
	u := db.Upsert{Table: "visits", Columns: []string{"page", "n", "last"}, Key: []string{"page"}, Update: []string{"last"}, Add: []string{"n"}}
	_, err := db.ExecUpsert(ctx, engine, u, []db.Args{{"page": "/", "n": 1, "last": "ada"}})
	return err
}

func TestStatements(t *testing.T) {
	withDB(t, func(t *testing.T, ctx context.Context, engine *db.Engine) {
		require.NoError(t, statements(ctx, engine))
		var names map[int]string
		require.NoError(t, pairs(ctx, engine, []User{{7, "bob"}}, &names))
		require.Equal(t, map[int]string{7: "bo", 42: "ada"}, names)
		require.ErrorIs(t, pairs(ctx, engine, []User{{1, "eve"}}, &names), db.ErrNoRows)
		posts, err := joined(ctx, engine)
		require.NoError(t, err)
		require.Equal(t, []Post{{1, "let go", User{42, "ada"}, nil}}, posts)
		require.NoError(t, upsert(ctx, engine))
		require.NoError(t, upsert(ctx, engine))
		n, err := db.Scalar[int](ctx, engine, "select n from visits")
		require.NoError(t, err)
		require.Equal(t, 2, n)
	})
}
