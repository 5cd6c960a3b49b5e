package tasks_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/mysql"
	_ "github.com/seed1239206e/repaint/db/postgres"
	_ "github.com/seed1239206e/repaint/db/sqlite"
	"github.com/seed1239206e/repaint/pg"
)

func connect(ctx context.Context, url string) error {
	conn, err := pg.Open(url) // such as "postgres://me@db.example/app?pool_lanes=8&pool_sessions=16"
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if err := conn.Ping(ctx); err != nil { // Open itself doesn't wait for a connection
		return err
	}
	return nil
}

func configure(ctx context.Context, url string, name *string) error {
	config, err := pg.ParseConfig(url)
	if err != nil {
		return err
	}
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error { // as with pgxpool, for each connection
		_, err := c.Exec(ctx, "set application_name = 'billing'")
		return err
	}
	conn, err := pg.OpenConfig(config)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.QueryRow(ctx, "show application_name").Scan(name)
}

func openFile(ctx context.Context) error {
	engine, err := db.Open(ctx, "sqlite:///app.db")
	if err != nil {
		return err
	}
	defer engine.Close(ctx)

	_, err = engine.Exec(ctx, "create table users (id int)")
	return err
}

func TestConnect(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		url := database(t)
		require.NoError(t, connect(ctx, url+"&pool_lanes=8&pool_sessions=16"))
		var name string
		require.NoError(t, configure(ctx, url, &name))
		require.Equal(t, "billing", name)
	})
	t.Chdir(t.TempDir())
	require.NoError(t, openFile(t.Context()))
	require.FileExists(t, "app.db")
}
