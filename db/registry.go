package db

import (
	"strings"

	"github.com/seed1239206e/repaint/db/backend"
)

// ours are the dialects' packages of this module, for the error that says which one to import.
var ours = map[string]string{
	"sqlite":     "github.com/seed1239206e/repaint/db/sqlite",
	"postgres":   "github.com/seed1239206e/repaint/db/postgres",
	"postgresql": "github.com/seed1239206e/repaint/db/postgres",
	"mysql":      "github.com/seed1239206e/repaint/db/mysql",
	"mariadb":    "github.com/seed1239206e/repaint/db/mysql",
}

// otherNames are the names that other libraries have for the databases of our dialects.
var otherNames = map[string]string{
	"sqlite3": "sqlite",
	"pgx":     "postgres",
	"pgx5":    "postgres",
	"psql":    "postgres",
	"pg":      "postgres",
	"maria":   "mariadb",
	"mysql2":  "mysql",
}

// Dialects returns the names of the registered dialects, sorted. It may be called from any goroutine.
func Dialects() []string { return backend.Dialects() }

func dialectOf(name string) (Dialect, error) {
	if d, ok := backend.Lookup(name); ok {
		return d, nil
	}
	return nil, unknownDialect(name, Dialects())
}

func unknownDialect(name string, known []string) error {
	there := "there are " + strings.Join(known, ", ")
	if len(known) == 0 {
		there = "there are none"
	}
	err := fail("open", ErrUnknownDialect, "no dialect is registered as %q; %s", name, there)
	if own, ok := otherNames[name]; ok {
		err.Hint = "write " + own + "://"
	} else if path, ok := ours[name]; ok {
		err.Hint = `import _ "` + path + `"`
	} else if len(known) == 0 {
		err.Hint = `import one, as in import _ "` + ours["sqlite"] + `"`
	}
	return err
}
