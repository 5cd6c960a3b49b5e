package cache

import "iter"

// An LRU keeps the values that were used last, up to its capacity. It isn't safe for concurrent use; but it never
// reads or copies a value that it keeps, so the holder of a pointer to one may change it meanwhile.
type LRU[K comparable, V any] struct {
	capacity int
	all      map[K]*entry[K, V]
	ends     entry[K, V] // next is the one used last, prev the one used longest ago
}

type entry[K comparable, V any] struct {
	key        K
	value      V
	next, prev *entry[K, V]
}

// NewLRU returns an empty LRU. It keeps one value at least.
func NewLRU[K comparable, V any](capacity int) *LRU[K, V] {
	l := &LRU[K, V]{capacity: max(capacity, 1)}
	l.Clear()
	return l
}

// Len returns how many values there are.
func (l *LRU[K, V]) Len() int { return len(l.all) }

// Get returns the value of a key, which has been used now, or nil. The value stays where it is as
// long as it is kept.
func (l *LRU[K, V]) Get(key K) *V {
	e := l.all[key]
	if e == nil {
		return nil
	}
	if l.ends.next != e {
		e.unlink()
		l.pushFront(e)
	}
	return &e.value
}

// Put keeps a value, in place of an earlier one of its key. If that is one too many, it drops the
// one that was used longest ago, and returns it; else dropped is nil.
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

// Remove drops the value of a key, and returns it, or nil if there was none.
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

// Values returns the values, the one used last first.
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
