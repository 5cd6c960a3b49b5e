package cache

import (
	"sync"
	"sync/atomic"
)

// A SecondChance keeps values by key, for any number of callers at once. A look-up takes a read
// lock and usually writes nothing. When there is no room, a hand goes round and drops the first
// value that no caller has asked for since the hand last passed. That is nearly an LRU.
type SecondChance[K comparable, V any] struct {
	capacity int

	mu   sync.RWMutex // guards the fields below; held for moments
	all  map[K]*chance[K, V]
	ring []*chance[K, V] // the same values
	hand int             // where in the ring the search for a value to drop begins
}

type chance[K comparable, V any] struct {
	key   K
	value V
	used  atomic.Bool // the value was used since the hand last passed
}

// NewSecondChance returns an empty cache. With a capacity of 0 it keeps nothing.
func NewSecondChance[K comparable, V any](capacity int) *SecondChance[K, V] {
	return &SecondChance[K, V]{capacity: capacity, all: map[K]*chance[K, V]{}}
}

// Len returns the number of values.
func (c *SecondChance[K, V]) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.ring)
}

// Get returns the value of a key, and reports whether there is one.
func (c *SecondChance[K, V]) Get(key K) (value V, ok bool) {
	c.mu.RLock()
	e := c.all[key]
	c.mu.RUnlock()
	if e == nil {
		return value, false
	}
	if !e.used.Load() { // writing it each time would make all processors contend for it
		e.used.Store(true)
	}
	return e.value, true
}

// Put keeps a value, unless its key has one already. It returns the value that the key has now. If
// the cache keeps none, it returns the given value.
func (c *SecondChance[K, V]) Put(key K, value V) V {
	if c.capacity <= 0 {
		return value
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.all[key]; e != nil {
		return e.value
	}
	e := &chance[K, V]{key: key, value: value}
	c.all[key] = e
	if len(c.ring) < c.capacity {
		c.ring = append(c.ring, e)
		return value
	}
	for c.ring[c.hand].used.Swap(false) {
		c.hand = (c.hand + 1) % len(c.ring)
	}
	delete(c.all, c.ring[c.hand].key)
	c.ring[c.hand] = e
	c.hand = (c.hand + 1) % len(c.ring)
	return value
}

// Clear drops all values. Before that it calls each, unless it is nil, with every value. each must
// not use the cache.
func (c *SecondChance[K, V]) Clear(each func(V)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if each != nil {
		for _, e := range c.ring {
			each(e.value)
		}
	}
	clear(c.all)
	c.ring, c.hand = nil, 0
}
