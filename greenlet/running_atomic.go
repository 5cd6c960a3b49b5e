//go:build race || !(amd64 || arm64)

package greenlet

import "sync/atomic"

// A runningID is the number of the goroutine that has control in a family. That goroutine stores it,
// and all others may read it to learn that it isn't their own number.
type runningID struct{ id atomic.Uint64 }

func (r *runningID) store(id uint64) { r.id.Store(id) }
func (r *runningID) load() uint64    { return r.id.Load() }
