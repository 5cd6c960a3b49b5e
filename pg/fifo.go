package pg

import "github.com/seed1239206e/repaint/internal/cache"

// fifo is a queue of segments.
type fifo struct {
	ring cache.Ring[*segment]
}

func (f *fifo) len() int          { return f.ring.Len() }
func (f *fifo) at(i int) *segment { return *f.ring.At(i) }
func (f *fifo) push(s *segment)   { f.ring.Push(s) }

// first returns the first segment, nil if there is none.
func (f *fifo) first() *segment {
	if f.ring.Len() == 0 {
		return nil
	}
	return *f.ring.At(0)
}

// last returns the last segment, nil if there is none.
func (f *fifo) last() *segment {
	if f.ring.Len() == 0 {
		return nil
	}
	return *f.ring.At(f.ring.Len() - 1)
}

// pop takes out the first segment, and returns nil if there is none.
func (f *fifo) pop() *segment {
	if f.ring.Len() == 0 {
		return nil
	}
	return f.ring.Pop()
}

// remove takes a segment out and returns where it was.
func (f *fifo) remove(s *segment) int {
	for i := range f.ring.Len() {
		if f.at(i) == s {
			f.ring.Remove(i)
			return i
		}
	}
	return f.ring.Len()
}

func (f *fifo) takeAll() []*segment { return f.takeFrom(0) }

// takeFrom takes out all but the first n.
func (f *fifo) takeFrom(n int) []*segment {
	var all []*segment
	for i := n; i < f.ring.Len(); i++ {
		all = append(all, f.at(i))
	}
	f.ring.Truncate(n)
	return all
}
