//go:build !mutextimes

package pg

import "sync"

// A mutex guards a line. Built with the tag mutextimes, it measures for how long it is held.
type mutex = sync.Mutex
