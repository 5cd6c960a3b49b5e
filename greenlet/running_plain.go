//go:build !race && (amd64 || arm64)

package greenlet

import "sync/atomic"

// A runningID is the number of the goroutine that has control in a family. That goroutine stores it,
// and all others may read it to learn that it isn't their own number.
//
// An atomic store would be the most expensive instruction of a switch, and isn't needed.
// Go's memory model says of an aligned word that a read which races with writes sees one of the written values:
// here the number of some goroutine of the family. A goroutine that may write it is the running one
// or is parked, and who wakes it up has synchronized with it, so it sees its own number when it has control and only then;
// and all others see a number that isn't theirs, which is all that they ask.
// The race detector doesn't know this argument, so under it the store is atomic.
type runningID struct{ id uint64 }

func (r *runningID) store(id uint64) { r.id = id }
func (r *runningID) load() uint64    { return atomic.LoadUint64(&r.id) }
