package tasks_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

// hosts has one host in its test; package rolestest tests several.
func hosts(ctx context.Context, url string) error {
	conn, err := pg.Open(url) // such as "postgres://me@db1.example,db2.example,db3.example/app?connect_timeout=10"
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.Ping(ctx)
}

func token(ctx context.Context, conn *pg.DB) error {
	_, err := conn.Exec(ctx, "insert into users (id, name) values (1, 'ada')")
	if err != nil {
		return err
	}
	token, err := conn.Token(ctx) // after the commit
	if err != nil {
		return err
	}
	slog.Info("written", "token", token.String()) // "1:0/16B3748": for a cookie or a header, too; pg.ParseToken reads it
	var name string
	err = conn.Reader().QueryRow(pg.WaitFor(ctx, token), "select name from users where id = 1").Scan(&name)
	return err
}

func passwords(ctx context.Context, url string, newToken func(ctx context.Context) (string, error)) error {
	config, err := pg.ParseConfig(url)
	if err != nil {
		return err
	}
	config.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error {
		token, err := newToken(ctx)
		c.Password = token
		return err
	}
	config.MaxConnLifetime = 30 * time.Minute
	config.MaxConnLifetimeJitter = 5 * time.Minute
	conn, err := pg.OpenConfig(config)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.Ping(ctx)
}

func passwordsOfAnEngine(ctx context.Context, url string, newToken func(ctx context.Context) (string, error)) error {
	engine, err := db.Open(ctx, url,
		db.BeforeConnect(func(ctx context.Context, login *db.Login) error {
			token, err := newToken(ctx)
			login.Password = token
			return err
		}),
		db.MaxLifetime(30*time.Minute), db.MaxLifetimeJitter(5*time.Minute))
	if err != nil {
		return err
	}
	defer engine.Close(ctx)
	_, err = db.Scalar[int](ctx, engine, "select 1")
	return err
}

func keepalive(ctx context.Context, url string) error {
	config, err := pg.ParseConfig(url)
	if err != nil {
		return err
	}
	config.Conn.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}).DialContext
	conn, err := pg.OpenConfig(config)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.Ping(ctx)
}

func TestDeploy(t *testing.T) {
	withPg(t, func(t *testing.T, ctx context.Context, conn *pg.DB) { require.NoError(t, token(ctx, conn)) })
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		at := testserver.Postgres(t).Database(t)
		right := at.Password
		at.Password = "expired"
		newToken := func(context.Context) (string, error) { return right, nil }
		require.NoError(t, passwords(ctx, at.URL(), newToken))
		require.NoError(t, passwordsOfAnEngine(ctx, at.URL(), newToken))
		at.Password = right
		require.NoError(t, hosts(ctx, at.URL()))
		require.NoError(t, keepalive(ctx, at.URL()))
	})
}
