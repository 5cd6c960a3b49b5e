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

// Register makes a dialect available to db.Open. Packages of dialects call it when they are
// imported. Registering a name again replaces the dialect.
func Register(d Dialect) {
	registryMu.Lock()
	defer registryMu.Unlock()
	registry[d.Name()] = d
}

// Lookup returns the dialect that is registered by a name.
func Lookup(name string) (d Dialect, ok bool) {
	registryMu.RLock()
	defer registryMu.RUnlock()
	d, ok = registry[name]
	return d, ok
}

// Dialects returns the names of the registered dialects, in order.
func Dialects() []string {
	registryMu.RLock()
	defer registryMu.RUnlock()
	return slices.Sorted(maps.Keys(registry))
}
