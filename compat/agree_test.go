package compat

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// notes are what a scenario has seen.
type notes []string

func (n *notes) add(format string, args ...any) { *n = append(*n, fmt.Sprintf(format, args...)) }

// agree runs a scenario on the database's usual driver, and then on repaint, in both colours, where
// it must see the same. Each run has an empty database.
func agree(t *testing.T, dialects []string, scenario func(t *testing.T, ctx context.Context, d Doors, n *notes)) {
	run := func(t *testing.T, ctx context.Context, d Doors) (seen notes) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		scenario(t, ctx, d, &seen)
		return seen
	}
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			want := run(t, t.Context(), usualDoors(t, dialect))
			require.NotEmpty(t, want)
			sides := map[string]func(*testing.T) Doors{"engine": func(t *testing.T) Doors { return engineDoors(t, dialect) }}
			if dialect == "postgres" {
				sides["stdlib"] = postgresDoors
			}
			for side, doors := range sides {
				t.Run(side+"/goroutine", func(t *testing.T) {
					leakcheck.Test(t)
					require.Equal(t, want, run(t, t.Context(), doors(t)))
				})
				t.Run(side+"/loop", func(t *testing.T) {
					leakcheck.Test(t)
					d := doors(t)
					require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
						require.Equal(t, want, run(t, ctx, d))
						return nil
					}))
				})
			}
		})
	}
}

// usualDoors opens a database with the driver that GORM's and bun's own suites use.
func usualDoors(t *testing.T, dialect string) Doors {
	var name, dsn string
	switch dialect {
	case "postgres":
		name, dsn = "pgx", testserver.Postgres(t).Database(t).URL()
	case "mysql":
		name, dsn = "mysql", testserver.MariaDB(t).Database(t).DSN()+"?parseTime=true"
	default:
		name, dsn = "sqlite", "file:"+filepath.ToSlash(filepath.Join(t.TempDir(), "usual.db"))+"?_pragma=foreign_keys(1)&_pragma=busy_timeout(30000)"
	}
	pool, err := sql.Open(name, dsn)
	require.NoError(t, err)
	if dialect == "sqlite" {
		pool.SetMaxOpenConns(1) // its transactions can't wait for each other
	}
	t.Cleanup(func() { assert.NoError(t, pool.Close()) })
	return Doors{SQL: pool, Dialect: dialect}
}

// engineDoors opens a database with an Engine.
func engineDoors(t *testing.T, dialect string) Doors {
	url := "sqlite:///" + filepath.ToSlash(filepath.Join(t.TempDir(), "engine.db"))
	switch dialect {
	case "postgres":
		url = testserver.Postgres(t).Database(t).URL()
	case "mysql":
		url = testserver.MariaDB(t).Database(t).URL()
	}
	engine, err := db.Open(t.Context(), url, db.DriverErrors())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, engine.Close(context.Background())) })
	return Doors{SQL: engine.SQL(), Dialect: dialect}
}
