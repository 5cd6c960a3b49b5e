package coop

import "github.com/seed1239206e/repaint/internal/cache"

// A store holds the items of a [Queue], in its order.
type store[T any] interface {
	Push(item T)
	Pop() T // of a store that isn't empty
	// Unpop puts back an item that was popped, or would have been, so that it comes next among
	// equals.
	Unpop(item T)
	Len() int
}

// cache.Ring is the store that gives the oldest item first.
var _ store[int] = (*cache.Ring[int])(nil)

// keepItems is the number of items for which an empty store keeps memory.
const keepItems = 1024

// A stack gives the newest item first.
type stack[T any] struct{ items []T }

func (s *stack[T]) Len() int     { return len(s.items) }
func (s *stack[T]) Push(item T)  { s.items = append(s.items, item) }
func (s *stack[T]) Unpop(item T) { s.Push(item) }

func (s *stack[T]) Pop() (item T) {
	var none T
	last := len(s.items) - 1
	item, s.items[last] = s.items[last], none
	s.items = s.items[:last]
	if last == 0 && cap(s.items) > keepItems {
		s.items = nil
	}
	return item
}

// A priority is a heap that gives the least item first, and of equal items the oldest.
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

func (p *priority[T]) Len() int { return len(p.heap) }

func (p *priority[T]) Push(item T) {
	p.last++
	p.add(ranked[T]{item, p.last})
}

func (p *priority[T]) Unpop(item T) {
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

func (p *priority[T]) Pop() T {
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
