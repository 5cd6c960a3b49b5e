package greenlet

import (
	"sync"
	"sync/atomic"
)

// An owner says which family a goroutine belongs to, whether it is a root's or runs greenlets.
type owner struct {
	id uint64 // the goroutine's number
	// fam is set while this goroutine must keep the family alive: while it runs a greenlet, or, for
	// a root, while the family has started greenlets or was made by Enter. Only the family's
	// running goroutine touches it.
	fam *Family
	// pool is the family's. It finds the family at other times and doesn't keep it alive, so that the
	// family of a goroutine that used greenlets and ended can be collected.
	pool *pool
}

func (o *owner) family() *Family {
	if o.fam != nil {
		return o.fam
	}
	return o.pool.family.Value()
}

// owners maps goroutine numbers to owners. A goroutine adds, finds and removes only itself, with
// two exceptions: the cleanup of a collected family, and reap, remove the root's owner.
var owners registry

// A registry is a hash table with open addressing. Finding takes no lock.
type registry struct {
	mu    sync.Mutex // held by add and remove
	table atomic.Pointer[ownerTable]
	used  int // places taken by living or removed entries
	live  int // living entries
}

type ownerTable struct {
	shift uint8
	// A place that was never used is nil, and ends a search. One that may be used again has removed.
	places []atomic.Pointer[owner]
}

// removed stands for an owner that was removed. No goroutine has its number.
var removed = &owner{id: ^uint64(0)}

func (t *ownerTable) first(id uint64) uint64 { return id * 0x9e3779b97f4a7c15 >> t.shift }

// find returns the owner with this number, which must be the caller's own.
func (r *registry) find(id uint64) *owner {
	t := r.table.Load()
	if t == nil {
		return nil
	}
	mask := uint64(len(t.places) - 1)
	for i := t.first(id); ; i++ {
		if o := t.places[i&mask].Load(); o == nil || o.id == id {
			return o
		}
	}
}

func (r *registry) add(o *owner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.table.Load()
	if t == nil || r.used >= len(t.places)*3/4 {
		t = r.rebuild()
	}
	if t.put(o) {
		r.used++
	}
	r.live++
}

func (r *registry) remove(o *owner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.table.Load()
	mask := uint64(len(t.places) - 1)
	for i := t.first(o.id); ; i++ {
		switch p := &t.places[i&mask]; p.Load() {
		case o:
			p.Store(removed)
			r.live--
			return
		case nil:
			return
		}
	}
}

// each calls fn with all owners. fn must not use the registry.
func (r *registry) each(fn func(*owner)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.table.Load()
	if t == nil {
		return
	}
	for i := range t.places {
		if o := t.places[i].Load(); o != nil && o != removed {
			fn(o)
		}
	}
}

// rebuild makes a table in which at most half of the places are taken.
func (r *registry) rebuild() *ownerTable {
	bits := uint8(6)
	for 1<<bits < 2*(r.live+1) {
		bits++
	}
	t := &ownerTable{shift: 64 - bits, places: make([]atomic.Pointer[owner], 1<<bits)}
	if old := r.table.Load(); old != nil {
		for i := range old.places {
			if o := old.places[i].Load(); o != nil && o != removed {
				t.put(o)
			}
		}
	}
	r.used = r.live
	r.table.Store(t)
	return t
}

// put adds the owner, and reports whether it took a place that was never used before.
func (t *ownerTable) put(o *owner) bool {
	mask := uint64(len(t.places) - 1)
	for i := t.first(o.id); ; i++ {
		p := &t.places[i&mask]
		if old := p.Load(); old == nil || old == removed {
			p.Store(o)
			return old == nil
		}
	}
}
