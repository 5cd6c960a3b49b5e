package postgres_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

func TestAConnectionThatGoesBackHasNothingOfItsUser(t *testing.T) {
	onPostgres(t, "", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.PostgresLeftovers(t, ctx, e, true)
	}, db.PoolSize(1), db.MaxOverflow(0))
}

// The settings of Events.Connect hold on every connection, whatever users do.
func TestWhatEventsConnectHasSetUpIsKept(t *testing.T) {
	set := db.OnEvents(db.Events{Connect: func(ctx context.Context, conn *db.Conn) error {
		_, err := conn.Exec(ctx, "set work_mem = '7MB'; set timezone = 'Asia/Tokyo'; set role pg_monitor")
		return err
	}})
	onPostgres(t, "", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		for text, stays := range map[string]bool{
			"select 1": true, "select pg_advisory_xact_lock(1)": true, "do $$ begin null; end $$": true,
			"set work_mem = '8MB'": false, "do $$ begin set work_mem = '8MB'; end $$": false, "do $$ begin reset role; end $$": false,
			"do $$ begin set timezone = 'UTC'; end $$": false, "discard all": false,
		} {
			conn, err := e.Connect(ctx)
			require.NoError(t, err)
			dbtest.Exec(t, ctx, conn, text)
			require.NoError(t, conn.Close())
			before := e.Stats().Connects
			conn, err = e.Connect(ctx)
			require.NoError(t, err)
			require.Equal(t, "pg_monitor 7MB Asia/Tokyo", scalar[string](t, ctx, conn,
				"select current_user || ' ' || current_setting('work_mem') || ' ' || current_setting('timezone')"), text)
			require.NoError(t, conn.Close())
			if stays {
				require.Equal(t, before, e.Stats().Connects, text)
			}
		}
	}, db.PoolSize(1), db.MaxOverflow(0), set)
}

func TestATextIsReadAsWhatItShowsNow(t *testing.T) {
	onPostgres(t, "", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.PostgresRedefined(t, ctx, e)
	})
}
