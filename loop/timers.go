package loop

import (
	"slices"
	"time"
)

// timers are the timers that are set, the earliest first: a heap in which each node has four
// children. Entries carry the keys by which they are compared, and timers don't know their places.
// So moving entries touches no other memory, and with a million timers a step costs one or two
// cache misses. A stopped timer leaves its entry behind. When half of the entries are such, they
// are cleared out.
type timers struct {
	heap []timerEntry
	dead int // entries whose timer was stopped, or set anew, since
}

type timerEntry struct {
	when  time.Duration
	seq   uint64 // the order of setting decides between equal moments
	timer *Timer
}

func (e timerEntry) before(o timerEntry) bool {
	return e.when < o.when || e.when == o.when && e.seq < o.seq
}

func (e timerEntry) dead() bool { return e.timer.state != isSet || e.timer.seq != e.seq }

// len returns how many timers are set.
func (h *timers) len() int { return len(h.heap) - h.dead }

// first returns the earliest timer, or nil if there is none.
func (h *timers) first() *Timer {
	for h.dead > 0 && h.heap[0].dead() {
		h.pop()
		h.dead--
		if len(h.heap) == 0 {
			return nil
		}
	}
	if len(h.heap) == 0 {
		return nil
	}
	return h.heap[0].timer
}

func (h *timers) push(e timerEntry) {
	h.heap = append(h.heap, e)
	i := len(h.heap) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(h.heap[parent]) {
			break
		}
		h.heap[i] = h.heap[parent]
		i = parent
	}
	h.heap[i] = e
}

// pop removes the first entry.
func (h *timers) pop() {
	last := len(h.heap) - 1
	e := h.heap[last]
	h.heap[last] = timerEntry{}
	h.heap = h.heap[:last]
	if last > 0 {
		h.sink(0, e)
	}
}

// sink puts an entry where it belongs, in place i, which is free, or below it.
func (h *timers) sink(i int, e timerEntry) {
	for {
		child := 4*i + 1
		if child >= len(h.heap) {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, len(h.heap)); c++ {
			if h.heap[c].before(h.heap[least]) {
				least = c
			}
		}
		if !h.heap[least].before(e) {
			break
		}
		h.heap[i] = h.heap[least]
		i = least
	}
	h.heap[i] = e
}

// fewTimers is how many dead entries aren't worth clearing out.
const fewTimers = 64

// dropped notes that an entry is dead now.
func (h *timers) dropped() {
	h.dead++
	if len(h.heap) < fewTimers || h.dead <= len(h.heap)/2 {
		return
	}
	h.heap = slices.DeleteFunc(h.heap, timerEntry.dead) // clears what it frees
	h.dead = 0
	if cap(h.heap) > 8*len(h.heap)+fewTimers {
		h.heap = slices.Clone(h.heap)
	}
	for i := (len(h.heap)+2)/4 - 1; i >= 0; i-- {
		h.sink(i, h.heap[i])
	}
}
