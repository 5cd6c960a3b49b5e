//go:build mutextimes

package pg

import (
	"sync"
	"time"
)

// A mutex counts how often it is taken and measures for how long it is held, for BenchmarkMutex.
type mutex struct {
	mu    sync.Mutex
	since time.Time
	locks int64
	held  time.Duration
}

func (m *mutex) Lock() {
	m.mu.Lock()
	m.since = time.Now()
}

func (m *mutex) Unlock() {
	if held := time.Since(m.since); held < interruption {
		m.locks++
		m.held += held
	}
	m.mu.Unlock()
}

// interruption is a time for which no code holds the mutex by itself. After a longer one, the
// system had given the processor to another process.
const interruption = 500 * time.Microsecond

// times returns the figures so far, less the time that reading the clock takes.
func (m *mutex) times() (locks int64, held time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.locks, m.held - time.Duration(m.locks)*clockTime
}

// clockTime is how much reading the clock adds to the time that a mutex is held. It is the least of
// many tries, because other processes may have had the processor during some.
var clockTime = func() time.Duration {
	const n = 1000
	least := time.Hour
	for range 1000 {
		begun := time.Now()
		for range n {
			_ = time.Now()
		}
		least = min(least, time.Since(begun))
	}
	return least / n
}()
