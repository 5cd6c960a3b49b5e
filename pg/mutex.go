//go:build !mutextimes

package pg

import "sync"

// A mutex is what guards a line. Built with the tag mutextimes it counts for how long it is held.
type mutex = sync.Mutex
