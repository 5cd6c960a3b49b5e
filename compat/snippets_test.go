package compat

import (
	"context"
	"database/sql"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/seed1239206e/repaint"
	ent "github.com/seed1239206e/repaint/compat/internal/entstore"
	"github.com/seed1239206e/repaint/compat/internal/sqlc/pgxstore"
	"github.com/seed1239206e/repaint/compat/internal/sqlc/sqlstore"
	"github.com/seed1239206e/repaint/compat/riverrepaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

// The code of docs/coming-from-database-sql.md is the code of these functions, so that the compiler
// has seen it.

func byName() (*sql.DB, error) {
	db, err := sql.Open("repaint", "postgres://me@db.example/app?pool_lanes=8&pool_sessions=16")
	return db, err
}

func opened(ctx context.Context, rows [][]any) error {
	shared, err := pg.Open("postgres://me@db.example/app")
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(shared)

	x := sqlx.NewDb(db, "postgres")
	g, err := gorm.Open(postgres.New(postgres.Config{Conn: db}), &gorm.Config{})
	b := bun.NewDB(db, pgdialect.New())
	client := ent.NewClient(ent.Driver(entsql.OpenDB(dialect.Postgres, db)))
	_, _, _ = x, b, client
	if err != nil {
		return err
	}
	{
		queries := sqlstore.New(db)
		_ = queries
	}
	{
		queries := pgxstore.New(shared)
		_ = queries
	}
	return large(ctx, g)
}

func migrations(db *sql.DB, files fs.FS) error {
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
	_ = provider
	if err != nil {
		return err
	}
	driver, err := migratepgx.WithInstance(db, &migratepgx.Config{})
	_ = driver
	return err
}

func jobs(shared *pg.DB, config *river.Config) error {
	jobs := riverrepaint.New(shared)
	client, err := river.NewClient(jobs, config)
	_ = client
	return err
}

func otherDatabases(ctx context.Context) error {
	engine, err := db.Open(ctx, "mysql://me@db.example/app")
	if err != nil {
		return err
	}
	sqlDB := engine.SQL()
	g, err := gorm.Open(mysql.New(mysql.Config{Conn: sqlDB}), &gorm.Config{})
	_ = g
	return err
}

func translatedErrors(ctx context.Context) error {
	engine, err := db.Open(ctx, "mysql://me@db.example/app", db.DriverErrors())
	if err != nil {
		return err
	}
	g, err := gorm.Open(mysql.New(mysql.Config{Conn: engine.SQL()}), &gorm.Config{TranslateError: true})
	_ = g
	return err
}

func large(ctx context.Context, g *gorm.DB) error {
	rows, err := g.WithContext(stdlib.Stream(ctx)).Table("events").Rows()
	if err != nil {
		return err
	}
	return rows.Close()
}

func inTasks(ctx context.Context, db *sql.DB, ids []int, handle func(ctx context.Context, db *sql.DB, id int) error) error {
	err := repaint.Run(ctx, func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		for _, id := range ids {
			g.Go(func(ctx context.Context) error { return handle(ctx, db, id) })
		}
		return g.Wait()
	})
	return err
}

func copied(ctx context.Context, conn *sql.Conn, rows [][]any) (err error) {
	err = conn.Raw(func(c any) error {
		session, err := c.(*stdlib.Conn).Session(ctx)
		if err != nil {
			return err
		}
		_, err = session.CopyFrom(ctx, pgx.Identifier{"events"}, []string{"id"}, pgx.CopyFromRows(rows))
		return err
	})
	return err
}

func TestTheGuidesCodeCompiles(t *testing.T) {
	_, _, _, _, _, _, _, _ = byName, opened, inTasks, copied, migrations, jobs, otherDatabases, translatedErrors
	unindented := func(text string) string { return regexp.MustCompile(`(?m)^\s+`).ReplaceAllString(text, "") }
	page, err := os.ReadFile("../docs/coming-from-database-sql.md")
	require.NoError(t, err)
	code, err := os.ReadFile("snippets_test.go")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	require.NotEmpty(t, blocks)
	for _, b := range blocks {
		require.True(t, strings.Contains(unindented(string(code)), unindented(b[1])), "not in this file:\n%s", b[1])
	}
}
