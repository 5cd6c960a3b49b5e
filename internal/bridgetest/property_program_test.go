package bridgetest

import (
	"math/rand/v2"
	"time"
)

// Random programs under random schedules. A program is a tree of actors, each a list of steps; it
// is made before it runs and doesn't depend on the schedule. Actors run as tasks, or as functions
// of groups and of calls that wait for many. They await each other, but only actors with higher
// numbers than their own, so there is always a task that doesn't wait, and a deadlock is an error.
// While a program runs, a world records what happens, and notes what must not be.

// An actor is one function of a program.
type actor struct {
	id      int
	steps   []step
	cleanup time.Duration // after its last step, whatever has happened
	swallow bool          // goes on with the next step after an error
	joins   bool          // awaits the tasks that it has spawned
	fails   bool
	panics  bool
}

// value is what an actor returns.
func (a *actor) value() int { return a.id*7 + 1 }

type step struct {
	op    operation
	d     time.Duration
	n     int
	inner []step
	below []*actor
}

type operation int

const (
	yield    operation = iota
	sleep              // for d
	spawns             // below as tasks
	awaits             // the task of an actor that n chooses: a cancel goes on to it
	watches            // the same, shielded
	group              // below, with n as the limit
	gather             // below
	each               // below, with n as the limit, and left after d of them if that isn't 0
	asDone             // AsCompleted of below, left after d of them if that isn't 0
	first              // below
	calm               // the first that isn't in a calm program
	cancels  = iota - 1
	timeout  // inner, within d
	derives  // inner, under an ordinary context that others may cancel
	revokes  // cancels such a context that n chooses
	detaches // inner, with a context that never ends
	operations
)

// choose returns a number below n.
type choose func(n int) int

func chance(seed uint64) choose { return rand.New(rand.NewPCG(seed, 1)).IntN }

// choiceOf takes its choices from the bytes, and goes on with chance.
func choiceOf(data []byte) choose {
	rest := chance(uint64(len(data)))
	return func(n int) int {
		if len(data) == 0 {
			return rest(n)
		}
		b := data[0]
		data = data[1:]
		return int(b) % n
	}
}

// A program is its actors, by number; the first one begins.
type program struct {
	actors []*actor
	calm   bool // nothing in it fails or is cancelled
}

func newProgram(next choose, size int, calm bool) *program {
	p := &program{calm: calm}
	root := p.actor(next, size, 0)
	for len(p.actors) < size && len(root.steps) < size { // the root goes on until all have a place
		root.steps = append(root.steps, p.step(next, size, 1))
	}
	root.swallow, root.fails, root.panics = true, false, false
	return p
}

func (p *program) actor(next choose, size, depth int) *actor {
	a := &actor{id: len(p.actors)}
	p.actors = append(p.actors, a)
	for range 1 + next(6) {
		a.steps = append(a.steps, p.step(next, size, depth+1))
	}
	a.joins = true
	if !p.calm {
		a.joins = next(3) > 0
		a.swallow = next(5) == 0
		a.fails = next(20) == 0
		a.panics = next(40) == 0
		if next(6) == 0 {
			a.cleanup = time.Duration(next(4)) * time.Millisecond
		}
	}
	return a
}

func (p *program) step(next choose, size, depth int) step {
	kinds := int(operations)
	if p.calm || next(3) > 0 {
		kinds = int(calm)
	}
	s := step{op: operation(next(kinds)), d: time.Duration(next(5)) * time.Millisecond, n: next(1 << 12)}
	switch s.op {
	case spawns, group, gather, each, asDone, first:
		if depth > 8 {
			s.op = yield
			break
		}
		if p.calm && s.op == first {
			s.op = gather // it cancels the others
		}
		for range 1 + next(5) {
			if len(p.actors) < size {
				s.below = append(s.below, p.actor(next, size, depth))
			}
		}
	case timeout, derives, detaches:
		for range 1 + next(3) {
			s.inner = append(s.inner, p.step(next, size, depth+1))
		}
	}
	return s
}
