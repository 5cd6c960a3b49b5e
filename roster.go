package repaint

import (
	"iter"
	"slices"
)

// A roster holds the tasks of a runner that have not ended, in the order of their start. A task
// knows its place. The place of a task that has ended is free, and remains so until half of the
// places are.
type roster struct {
	places []*task // nil where a place is free; the last one isn't
	free   int
}

func (r *roster) len() int { return len(r.places) - r.free }

func (r *roster) add(t *task) {
	t.place = uint32(len(r.places))
	r.places = append(r.places, t)
}

// fewPlaces is how many free places aren't worth moving tasks.
const fewPlaces = 64

func (r *roster) remove(t *task) {
	r.places[t.place] = nil
	r.free++
	n := len(r.places)
	for ; n > 0 && r.places[n-1] == nil; n-- {
		r.free--
	}
	r.places = r.places[:n]
	if r.free > max(n/2, fewPlaces) || n == 0 && cap(r.places) > 16*fewPlaces {
		r.tidy()
	}
}

// tidy moves the tasks to the first places, and gives memory back that was needed for a moment.
func (r *roster) tidy() {
	r.places = slices.DeleteFunc(r.places, func(t *task) bool { return t == nil })
	if cap(r.places) > 8*len(r.places)+fewPlaces {
		r.places = slices.Clone(r.places)
	}
	for i, t := range r.places {
		t.place = uint32(i)
	}
	r.free = 0
}

// last returns the task that began last. There must be one.
func (r *roster) last() *task { return r.places[len(r.places)-1] }

// all returns a sequence of the tasks. None may begin or end meanwhile.
func (r *roster) all() iter.Seq[*task] {
	return func(yield func(*task) bool) {
		for _, t := range r.places {
			if t != nil && !yield(t) {
				return
			}
		}
	}
}
