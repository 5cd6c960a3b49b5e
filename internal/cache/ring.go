package cache

// A Ring is a first-in, first-out queue. Its zero value is empty. It isn't safe for concurrent use.
type Ring[T any] struct {
	items []T // its length is 0 or a power of 2
	head  int
	n     int
}

// keepItems is the number of items for which an empty ring keeps memory.
const keepItems = 1024

// Len returns the number of items.
func (r *Ring[T]) Len() int { return r.n }

// At returns the i-th item, counted from 0. There must be more than i items.
func (r *Ring[T]) At(i int) *T { return &r.items[(r.head+i)&(len(r.items)-1)] }

// Push puts an item after the last one.
func (r *Ring[T]) Push(item T) {
	r.grow()
	r.n++
	*r.At(r.n - 1) = item
}

// Unpop puts an item before the first one.
func (r *Ring[T]) Unpop(item T) {
	r.grow()
	r.n++
	r.head = (r.head - 1) & (len(r.items) - 1)
	*r.At(0) = item
}

// Pop takes the first item. There must be one.
func (r *Ring[T]) Pop() (item T) {
	var none T
	first := r.At(0)
	item, *first = *first, none
	r.head = (r.head + 1) & (len(r.items) - 1)
	r.n--
	r.shrink()
	return item
}

// Remove removes the i-th item. The items after it move up.
func (r *Ring[T]) Remove(i int) {
	for ; i < r.n-1; i++ {
		*r.At(i) = *r.At(i + 1)
	}
	r.Truncate(r.n - 1)
}

// Truncate drops all but the first n items.
func (r *Ring[T]) Truncate(n int) {
	var none T
	for i := n; i < r.n; i++ {
		*r.At(i) = none
	}
	r.n = min(r.n, n)
	r.shrink()
}

func (r *Ring[T]) grow() {
	if r.n < len(r.items) {
		return
	}
	items := make([]T, max(8, 2*len(r.items)))
	for i := range r.n {
		items[i] = *r.At(i)
	}
	r.items, r.head = items, 0
}

// shrink frees the memory of a rush when the rush is over.
func (r *Ring[T]) shrink() {
	if r.n == 0 && len(r.items) > keepItems {
		r.items, r.head = nil, 0
	}
}
