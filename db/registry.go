package db

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

var (
	registryMu sync.RWMutex
	registry   = map[string]Dialect{}
)

// ours are the packages that come with this module, for the error that says
// which one to import.
var ours = map[string]string{
	"sqlite":     "github.com/seed1239206e/repaint/db/sqlite",
	"postgres":   "github.com/seed1239206e/repaint/db/postgres",
	"postgresql": "github.com/seed1239206e/repaint/db/postgres",
	"mysql":      "github.com/seed1239206e/repaint/db/mysql",
	"mariadb":    "github.com/seed1239206e/repaint/db/mysql",
}

// Register makes a dialect available to Open. Packages of dialects call it when
// they are imported. Registering a name again replaces the dialect.
func Register(d Dialect) {
	registryMu.Lock()
	defer registryMu.Unlock()
	registry[d.Name()] = d
}

// Dialects returns the names of the registered dialects.
func Dialects() []string {
	registryMu.RLock()
	defer registryMu.RUnlock()
	return slices.Sorted(maps.Keys(registry))
}

func dialectOf(name string) (Dialect, error) {
	registryMu.RLock()
	d, ok := registry[name]
	registryMu.RUnlock()
	if ok {
		return d, nil
	}
	known := "there are " + strings.Join(Dialects(), ", ")
	if len(Dialects()) == 0 {
		known = "there are none"
	}
	err := fail("open", ErrUnknownDialect, "no dialect is registered as %q; %s", name, known)
	if path, ok := ours[name]; ok {
		err.Hint = `import _ "` + path + `"`
	} else if len(Dialects()) == 0 {
		err.Hint = `import one, as in import _ "` + ours["sqlite"] + `"`
	}
	return nil, err
}
