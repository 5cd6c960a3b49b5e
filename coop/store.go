package coop

// A store holds the items of a [Queue], in its order.
type store[T any] interface {
	push(item T)
	pop() T // of a store that isn't empty
	// unpop puts an item back that was popped, or would have been, so that it comes next among equals.
	unpop(item T)
	len() int
}

// A ring gives what came first.
type ring[T any] struct {
	items []T // its length is 0 or a power of 2
	head  int
	n     int
}

func (r *ring[T]) len() int { return r.n }

func (r *ring[T]) at(i int) *T { return &r.items[(r.head+i)&(len(r.items)-1)] }

func (r *ring[T]) grow() {
	if r.n < len(r.items) {
		return
	}
	items := make([]T, max(8, 2*len(r.items)))
	for i := range r.n {
		items[i] = *r.at(i)
	}
	r.items, r.head = items, 0
}

func (r *ring[T]) push(item T) {
	r.grow()
	*r.at(r.n) = item
	r.n++
}

func (r *ring[T]) unpop(item T) {
	r.grow()
	r.head = (r.head - 1) & (len(r.items) - 1)
	*r.at(0) = item
	r.n++
}

func (r *ring[T]) pop() (item T) {
	var none T
	first := r.at(0)
	item, *first = *first, none
	r.n--
	r.head = (r.head + 1) & (len(r.items) - 1)
	if r.n == 0 && len(r.items) > keepItems {
		r.items, r.head = nil, 0 // the memory of a rush isn't kept forever
	}
	return item
}

// keepItems is for how many items an empty store keeps the memory.
const keepItems = 1024

// A stack gives what came last.
type stack[T any] struct{ items []T }

func (s *stack[T]) len() int     { return len(s.items) }
func (s *stack[T]) push(item T)  { s.items = append(s.items, item) }
func (s *stack[T]) unpop(item T) { s.push(item) }

func (s *stack[T]) pop() (item T) {
	var none T
	last := len(s.items) - 1
	item, s.items[last] = s.items[last], none
	s.items = s.items[:last]
	if last == 0 && cap(s.items) > keepItems {
		s.items = nil
	}
	return item
}

// A priority is a heap that gives the least item, and of equal ones what came first.
type priority[T any] struct {
	less  func(a, b T) bool
	heap  []ranked[T]
	first int64 // the smallest rank ever given
	last  int64 // the largest
}

type ranked[T any] struct {
	item T
	rank int64 // decides among equals
}

func (p *priority[T]) len() int { return len(p.heap) }

func (p *priority[T]) push(item T) {
	p.last++
	p.add(ranked[T]{item, p.last})
}

func (p *priority[T]) unpop(item T) {
	p.first--
	p.add(ranked[T]{item, p.first})
}

func (p *priority[T]) before(i, j int) bool {
	a, b := &p.heap[i], &p.heap[j]
	switch {
	case p.less(a.item, b.item):
		return true
	case p.less(b.item, a.item):
		return false
	}
	return a.rank < b.rank
}

func (p *priority[T]) add(r ranked[T]) {
	p.heap = append(p.heap, r)
	for i := len(p.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !p.before(i, parent) {
			return
		}
		p.heap[i], p.heap[parent] = p.heap[parent], p.heap[i]
		i = parent
	}
}

func (p *priority[T]) pop() T {
	last := len(p.heap) - 1
	p.heap[0], p.heap[last] = p.heap[last], p.heap[0]
	item := p.cut()
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if p.before(child, least) {
				least = child
			}
		}
		if least == i {
			return item
		}
		p.heap[i], p.heap[least] = p.heap[least], p.heap[i]
		i = least
	}
}

// cut takes the last element off the heap.
func (p *priority[T]) cut() T {
	last := len(p.heap) - 1
	item := p.heap[last].item
	p.heap[last] = ranked[T]{}
	p.heap = p.heap[:last]
	if last == 0 && cap(p.heap) > keepItems {
		p.heap = nil
	}
	return item
}
