package compat

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/mysql"
	_ "github.com/seed1239206e/repaint/db/postgres"
	_ "github.com/seed1239206e/repaint/db/sqlite"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// The stores whose libraries have several dialects run on an Engine of each dialect.
func TestStoresOnEngines(t *testing.T) {
	testserver.MariaDB(t)
	testserver.Postgres(t)
	urls := map[string]func(t *testing.T) string{
		"sqlite": func(t *testing.T) string {
			return "sqlite:///" + filepath.ToSlash(filepath.Join(t.TempDir(), "stores.db"))
		},
		"mysql":    func(t *testing.T) string { return testserver.MariaDB(t).Database(t).URL() },
		"postgres": func(t *testing.T) string { return testserver.Postgres(t).Database(t).URL() },
	}
	for dialect, url := range urls {
		for name, open := range map[string]opener{"gorm": Gorm, "gorm that prepares": GormThatPrepares, "bun": Bun, "ent": Ent} {
			if dialect == "postgres" && name != "gorm" || dialect != "postgres" && name == "gorm" {
				continue // TestStores has the others on PostgreSQL; and one of GORM's two is enough here
			}
			t.Run(dialect+"/"+name, func(t *testing.T) {
				if name != "gorm that prepares" { // its cache starts a goroutine that GORM never ends
					leakcheck.Test(t)
				}
				testStore(t, open, func(t *testing.T) Doors {
					engine, err := db.Open(t.Context(), url(t))
					require.NoError(t, err)
					t.Cleanup(func() { assert.NoError(t, engine.Close(context.Background())) })
					return Doors{SQL: engine.SQL(), Dialect: dialect}
				})
			})
		}
	}
}
