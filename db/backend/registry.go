package backend

import (
	"maps"
	"slices"
	"sync"
)

var (
	registryMu sync.RWMutex
	registry   = map[string]Dialect{}
)

// Register makes a dialect available to db.Open, as sql.Register does for a driver. A dialect's
// package calls it in its init. Registering a name again replaces the dialect. It may be called
// from any goroutine, as [Lookup] and [Dialects] may.
func Register(d Dialect) {
	registryMu.Lock()
	defer registryMu.Unlock()
	registry[d.Name()] = d
}

// Lookup returns the dialect that is registered under a name. ok is false if there is none.
func Lookup(name string) (d Dialect, ok bool) {
	registryMu.RLock()
	defer registryMu.RUnlock()
	d, ok = registry[name]
	return d, ok
}

// Dialects returns the names of the registered dialects, sorted.
func Dialects() []string {
	registryMu.RLock()
	defer registryMu.RUnlock()
	return slices.Sorted(maps.Keys(registry))
}
