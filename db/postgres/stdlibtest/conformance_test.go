package stdlibtest

import (
	"context"
	"database/sql"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/dbconform"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/db/postgres"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func open(t testing.TB, ctx context.Context, url string, opts ...db.Option) (*db.Engine, error) {
	pool, err := sql.Open("pgx", url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	return postgres.OpenDB(ctx, pool, opts...)
}

func TestConformance(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	s := dbtest.Postgres(t, at, open)
	s.CancelKeepsConn = false
	s.Lacks = map[string]string{"URL": "the Engine is opened on a *sql.DB"}
	dbconform.Run(t, s)
}

func TestValuesOfPostgreSQLAlone(t *testing.T) {
	url := dbtest.PostgresURL(testserver.Postgres(t).Database(t))
	dbtest.PostgresValues(t, true, func(t testing.TB, ctx context.Context) *db.Engine {
		e, err := open(t, ctx, url)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
		return e
	})
}

func TestAConnectionThatGoesBackHasNothingOfItsUser(t *testing.T) {
	ctx := t.Context()
	e, err := open(t, ctx, testserver.Postgres(t).Database(t).URL(), db.PoolSize(1), db.MaxOverflow(0))
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close(context.Background())) }()
	dbtest.PostgresLeftovers(t, ctx, e, false)
}

// The settings that the sql.DB's owner made stay.
func TestTheSettingsOfTheConnectionsAreKept(t *testing.T) {
	ctx := t.Context()
	config, err := pgx.ParseConfig(testserver.Postgres(t).Database(t).URL())
	require.NoError(t, err)
	pool := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "set work_mem = '7MB'; set role pg_monitor")
		return err
	}))
	defer func() { require.NoError(t, pool.Close()) }()
	e, err := postgres.OpenDB(ctx, pool, db.PoolSize(1), db.MaxOverflow(0))
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close(context.Background())) }()
	for _, text := range []string{"select 1", "do $$ begin null; end $$", "do $$ begin reset role; end $$", "do $$ begin set work_mem = '8MB'; end $$", "reset all"} {
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		dbtest.Exec(t, ctx, conn, text)
		require.NoError(t, conn.Close())
		conn, err = e.Connect(ctx)
		require.NoError(t, err)
		got, err := db.Scalar[string](ctx, conn, "select current_user || ' ' || current_setting('work_mem')")
		require.NoError(t, err)
		require.Equal(t, "pg_monitor 7MB", got, text)
		require.NoError(t, conn.Close())
	}
}

func TestATextIsReadAsWhatItShowsNow(t *testing.T) {
	ctx := t.Context()
	e, err := open(t, ctx, testserver.Postgres(t).Database(t).URL())
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close(context.Background())) }()
	dbtest.PostgresRedefined(t, ctx, e)
}
