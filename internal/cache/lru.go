package cache

import "iter"

// An LRU keeps the most recently used values, up to its capacity. It isn't safe for concurrent use.
// But it never reads or copies a value that it keeps, so the holder of a pointer to one may change
// it meanwhile.
type LRU[K comparable, V any] struct {
	capacity int
	all      map[K]*entry[K, V]
	ends     entry[K, V] // next is the most recently used entry, prev the least recently used
}

type entry[K comparable, V any] struct {
	key        K
	value      V
	next, prev *entry[K, V]
}

// NewLRU returns an empty LRU. It keeps at least one value.
func NewLRU[K comparable, V any](capacity int) *LRU[K, V] {
	l := &LRU[K, V]{capacity: max(capacity, 1)}
	l.Clear()
	return l
}

// Len returns the number of values.
func (l *LRU[K, V]) Len() int { return len(l.all) }

// Get returns the value of a key, or nil, and counts the value as used now. The pointer stays valid
// as long as the value is kept.
func (l *LRU[K, V]) Get(key K) *V {
	if e := l.ends.next; e != &l.ends && e.key == key {
		return &e.value
	}
	e := l.all[key]
	if e == nil {
		return nil
	}
	e.unlink()
	l.pushFront(e)
	return &e.value
}

// Put keeps a value, in place of an earlier value of its key. If that is one too many, it drops the
// least recently used value and returns it. Otherwise dropped is nil.
func (l *LRU[K, V]) Put(key K, value V) (kept, dropped *V) {
	l.Remove(key)
	if len(l.all) >= l.capacity {
		dropped = l.Remove(l.ends.prev.key)
	}
	e := &entry[K, V]{key: key, value: value}
	l.all[key] = e
	l.pushFront(e)
	return &e.value, dropped
}

// Remove drops the value of a key and returns it, or returns nil if there was none.
func (l *LRU[K, V]) Remove(key K) *V {
	e := l.all[key]
	if e == nil {
		return nil
	}
	e.unlink()
	delete(l.all, key)
	return &e.value
}

// Clear drops all values.
func (l *LRU[K, V]) Clear() {
	l.all = map[K]*entry[K, V]{}
	l.ends.next, l.ends.prev = &l.ends, &l.ends
}

// Values returns a sequence of the values, most recently used first.
func (l *LRU[K, V]) Values() iter.Seq[*V] {
	return func(yield func(*V) bool) {
		for e := l.ends.next; e != &l.ends && yield(&e.value); {
			e = e.next
		}
	}
}

func (l *LRU[K, V]) pushFront(e *entry[K, V]) {
	e.prev, e.next = &l.ends, l.ends.next
	e.prev.next, e.next.prev = e, e
}

func (e *entry[K, V]) unlink() { e.prev.next, e.next.prev = e.next, e.prev }
