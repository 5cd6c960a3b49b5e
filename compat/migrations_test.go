package compat

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/golang-migrate/migrate/v4"
	migratedb "github.com/golang-migrate/migrate/v4/database"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	migratepq "github.com/golang-migrate/migrate/v4/database/postgres"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// steps are versions of a database, with the texts that go up and down.
var steps = []struct{ up, down string }{
	{Schema, "drop table posts; drop table authors"},
	{"insert into authors (name, tags, scores) values ('first', '[]', '{}')", "delete from authors"},
	{ // a text with several statements, one of them with semicolons inside
		`create function count_posts(int) returns bigint language plpgsql as $$ begin return (select count(*) from posts where author_id = $1); end $$;
		create view counted as select name, count_posts(id::int) from authors`,
		"drop view counted; drop function count_posts",
	},
}

// noTransaction is a statement that can't run in a transaction.
const noTransaction = "create index concurrently posts_title on posts (title)"

// Several programs start at the same time and migrate one database. goose locks it with an advisory
// lock on a sql.Conn.
func TestGoose(t *testing.T) {
	files := fstest.MapFS{}
	for i, s := range steps {
		files[fmt.Sprintf("%05d_step.sql", i+1)] = &fstest.MapFile{Data: fmt.Appendf(nil,
			"-- +goose Up\n-- +goose StatementBegin\n%s\n-- +goose StatementEnd\n-- +goose Down\n-- +goose StatementBegin\n%s\n-- +goose StatementEnd\n", s.up, s.down)}
	}
	files["00009_index.sql"] = &fstest.MapFile{Data: []byte("-- +goose NO TRANSACTION\n-- +goose Up\n" + noTransaction + ";\n-- +goose Down\ndrop index posts_title;\n")}
	inBothColours(t, func(t *testing.T, ctx context.Context, db *sql.DB) {
		provider := func() *goose.Provider {
			locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
			require.NoError(t, err)
			p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker), goose.WithGoMigrations(
				goose.NewGoMigration(10, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
					_, err := tx.ExecContext(ctx, "update authors set name = upper(name)")
					return err
				}}, nil)))
			require.NoError(t, err)
			return p
		}
		var mu sync.Mutex
		applied := 0
		var programs []func() error
		for range 3 {
			p := provider()
			programs = append(programs, func() error {
				results, err := p.Up(ctx)
				mu.Lock()
				defer mu.Unlock()
				applied += len(results)
				return err
			})
		}
		together(t, ctx, programs)
		assert.Equal(t, len(steps)+2, applied, "each migration is applied once")
		var name string
		require.NoError(t, db.QueryRowContext(ctx, "select name from counted").Scan(&name))
		assert.Equal(t, "FIRST", name)
		p := provider()
		_, err := p.DownTo(ctx, 0)
		require.NoError(t, err)
		var tables int
		require.NoError(t, db.QueryRowContext(ctx, "select count(*) from pg_tables where schemaname = 'public'").Scan(&tables))
		assert.Equal(t, 1, tables, "goose's own")
	})
}

// golang-migrate has a driver for pgx and one for lib/pq. Both take an *sql.DB, and lock it with an
// advisory lock.
func TestGolangMigrate(t *testing.T) {
	files := fstest.MapFS{}
	for i, s := range steps {
		files[fmt.Sprintf("%d_step.up.sql", i+1)] = &fstest.MapFile{Data: []byte(s.up)}
		files[fmt.Sprintf("%d_step.down.sql", i+1)] = &fstest.MapFile{Data: []byte(s.down)}
	}
	for name, driver := range map[string]func(*sql.DB) (migratedb.Driver, error){
		"pgx": func(db *sql.DB) (migratedb.Driver, error) { return migratepgx.WithInstance(db, &migratepgx.Config{}) },
		"pq":  func(db *sql.DB) (migratedb.Driver, error) { return migratepq.WithInstance(db, &migratepq.Config{}) },
	} {
		t.Run(name, func(t *testing.T) {
			inBothColours(t, func(t *testing.T, ctx context.Context, db *sql.DB) {
				migrator := func() *migrate.Migrate {
					source, err := iofs.New(files, ".")
					require.NoError(t, err)
					d, err := driver(db)
					require.NoError(t, err)
					m, err := migrate.NewWithInstance("iofs", source, "postgres", d)
					require.NoError(t, err)
					return m
				}
				m := migrator()
				require.NoError(t, m.Up())
				require.ErrorIs(t, m.Up(), migrate.ErrNoChange)
				version, dirty, err := m.Version()
				require.NoError(t, err)
				assert.EqualValues(t, len(steps), version)
				assert.False(t, dirty)
				var name string
				require.NoError(t, db.QueryRowContext(ctx, "select name from counted").Scan(&name))
				assert.Equal(t, "first", name)
				require.NoError(t, m.Steps(-1))
				require.NoError(t, m.Up())
				require.NoError(t, m.Down())
				require.NoError(t, m.Up())
				require.NoError(t, m.Drop())
				var tables int
				require.NoError(t, db.QueryRowContext(ctx, "select count(*) from pg_tables where schemaname = 'public'").Scan(&tables))
				assert.Zero(t, tables)
				sourceErr, dbErr := m.Close()
				require.NoError(t, sourceErr)
				require.NoError(t, dbErr)
			})
		})
	}
}

// A failed migration says why, and leaves nothing behind.
func TestAFailedMigrationIsReported(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context, db *sql.DB) {
		files := fstest.MapFS{"1_faulty.sql": &fstest.MapFile{Data: []byte("-- +goose Up\ncreate table half (id int);\nselect 1/0;\n")}}
		p, err := goose.NewProvider(goose.DialectPostgres, db, files)
		require.NoError(t, err)
		_, err = p.Up(ctx)
		require.ErrorContains(t, err, "division by zero")
		_, err = db.ExecContext(ctx, "select * from half")
		require.ErrorContains(t, err, "does not exist")
	})
}

// inBothColours runs a test in a goroutine and in a loop, with a database of its own.
func inBothColours(t *testing.T, test func(t *testing.T, ctx context.Context, db *sql.DB)) {
	testserver.Postgres(t)
	run := func(t *testing.T, how func(ctx context.Context, fn func(context.Context) error) error) {
		leakcheck.Test(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		d := postgresDoors(t)
		require.NoError(t, how(ctx, func(ctx context.Context) error { test(t, ctx, d.SQL); return nil }))
	}
	t.Run("goroutine", func(t *testing.T) {
		run(t, func(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) })
	})
	t.Run("loop", func(t *testing.T) {
		run(t, func(ctx context.Context, fn func(context.Context) error) error { return repaint.Run(ctx, fn) })
	})
}

// together runs functions at the same time: as tasks, if its caller is one.
func together(t *testing.T, ctx context.Context, fns []func() error) {
	if repaint.InGreenlet() {
		g := repaint.NewGroup(ctx)
		for _, fn := range fns {
			g.Go(func(context.Context) error { return fn() })
		}
		require.NoError(t, g.Wait())
		return
	}
	var wg sync.WaitGroup
	for _, fn := range fns {
		wg.Go(func() { assert.NoError(t, fn()) })
	}
	wg.Wait()
}
