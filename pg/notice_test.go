package pg

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestNoticesNotificationsAndTypes(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := testserver.Postgres(t).Database(t)
		config, err := ParseConfig(target.URL() + "&pool_lanes=1")
		require.NoError(t, err)
		notices, notifications := make(chan string, 10), make(chan string, 10)
		config.Conn.OnNotice = func(conn *pgconn.PgConn, n *pgconn.Notice) { notices <- n.Message }
		config.Conn.OnNotification = func(conn *pgconn.PgConn, n *pgconn.Notification) { notifications <- n.Channel + " " + n.Payload }
		registered := false
		config.RegisterTypes = func(m *pgtype.Map) { registered = true }
		db, err := OpenConfig(config)
		require.NoError(t, err)
		_, err = db.Exec(ctx, "do $$ begin raise notice 'by the way'; end $$")
		require.NoError(t, err)
		require.Equal(t, "by the way", <-notices)
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		_, err = s.Exec(ctx, "listen news")
		require.NoError(t, err)
		_, err = db.Exec(ctx, "notify news, 'hello'")
		require.NoError(t, err)
		require.NoError(t, s.Ping(ctx))
		require.Equal(t, "news hello", <-notifications)
		s.Release()
		require.True(t, registered)
		require.NoError(t, db.Close(ctx))
	})
}
