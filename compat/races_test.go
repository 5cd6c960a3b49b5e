package compat

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/repainttest"
)

const racesSchema = `
create table accounts (name text primary key, balance int not null);
create table members (id bigserial primary key, name text not null);
create table unique_members (id bigserial primary key, name text unique not null);
create table items (name text primary key, stock int not null)`

const racesReset = `
delete from accounts; insert into accounts values ('ada', 100);
delete from members; delete from unique_members;
delete from items; insert into items values ('lamp', 1)`

// explored explores two tasks that both call do. It returns in how many schedules the database is
// wrong afterwards.
func explored(t *testing.T, pool *sql.DB, check string, do func(ctx context.Context) error) (wrong int) {
	t.Helper()
	repainttest.Explore(t, 200, func(t *testing.T, ctx context.Context) {
		_, err := pool.ExecContext(ctx, racesReset)
		require.NoError(t, err)
		g := repaint.NewGroup(ctx)
		for range 2 {
			g.Go(func(ctx context.Context) error {
				if err := do(ctx); err != nil && !errors.Is(err, errSoldOut) {
					return err
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
		var faults int
		require.NoError(t, pool.QueryRowContext(ctx, check).Scan(&faults))
		if faults > 0 {
			wrong++
		}
	})
	return wrong
}

func TestRacesOfUnchangedGormAndSqlxAreFoundAndTheirCuresExplored(t *testing.T) {
	config, err := pgx.ParseConfig(testserver.Postgres(t).Database(t).URL())
	require.NoError(t, err)
	pool := sql.OpenDB(repainttest.Driver(stdlib.GetConnector(*config)))
	pool.SetMaxIdleConns(10)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	_, err = pool.ExecContext(t.Context(), racesSchema)
	require.NoError(t, err)
	g, err := gorm.Open(postgres.New(postgres.Config{Conn: pool}), &gorm.Config{Logger: logger.Discard})
	require.NoError(t, err)
	x := sqlx.NewDb(pool, "pgx")
	for name, c := range map[string]struct {
		wrong, right func(ctx context.Context) error
		check        string
	}{
		"GORM: lost update": {
			func(ctx context.Context) error { return gormWithdrawWrong(ctx, g, "ada", 10) },
			func(ctx context.Context) error { return gormWithdrawRight(ctx, g, "ada", 10) },
			"select count(*) from accounts where balance <> 80",
		},
		"GORM: duplicate name": {
			func(ctx context.Context) error { return gormRegisterWrong(ctx, g, "ada") },
			func(ctx context.Context) error { return gormRegisterRight(ctx, g, "ada") },
			"select greatest(count(*) - 1, 0) from members",
		},
		"sqlx: oversold stock": {
			func(ctx context.Context) error { return sqlxBuyWrong(ctx, x, "lamp") },
			func(ctx context.Context) error { return sqlxBuyRight(ctx, x, "lamp") },
			"select count(*) from items where stock < 0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Positive(t, explored(t, pool, c.check, c.wrong), "schedules in which it is wrong")
			require.Zero(t, explored(t, pool, c.check, c.right))
		})
	}
}
