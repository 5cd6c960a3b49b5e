package repainttest

import (
	"fmt"
	"hash/fnv"
	"math/big"
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/internal/explore"
)

// Of schedules that differ only in the order of independent steps, one is enough. The tree leaves
// the others out by sleep sets (Godefroid, "Partial-Order Methods for the Verification of Concurrent
// Systems"): when all schedules that begin with step a are done, and step b is taken at the same
// place, then a sleeps in what follows b, for as long as each step is independent of a. A schedule
// with a in it now would be one of those that began with a.

// An effect is what a step of a task has done.
type effect struct {
	task  string // or with a fault
	what  string // for messages
	hash  uint64 // of all that was seen of it
	wakes bool   // it has to do with everything because it makes another task ready, by the clock for example, and nothing else
	footprint
}

func (e *effect) conflicts(o *effect) bool {
	return e.footprint.conflicts(&o.footprint) || taskOf(e.task) == taskOf(o.task)
}

func taskOf(choice string) string {
	task, _, _ := strings.Cut(choice, faultMark)
	return task
}

// effect returns what the last step has done. now are the tasks that can go on after it.
//
// Only one kind of step may be independent of others: a task executes a statement, has the answer at
// once, and comes to its next one, or ends without an error. If it wakes another task, waits for one,
// or spawns one, it has to do with everything, unless it ends a group.
func (r *recorder) effect(now []string) *effect {
	s := r.steps[len(r.steps)-1]
	e := &effect{task: s.choice, footprint: everything}
	h := fnv.New64a()
	for _, v := range s.events {
		fmt.Fprintf(h, "%s %s\n", v.task, v)
	}
	e.hash = h.Sum64()
	if len(s.events) > 0 {
		e.what = fmt.Sprintf("%s of task %s", s.events[0].what, s.events[0].task)
	}
	if len(r.touch.step) == 1 && s.isPlain() {
		if sameOthers(s.task, r.touch.before, r.withoutJoin(&s, now)) {
			e.footprint = r.touch.step[0]
		} else {
			e.wakes = true
		}
	}
	return e
}

// isPlain reports whether the step is a statement of a task, and the way to its next one.
func (s *step) isPlain() bool {
	if s.task == mainTask || s.task != s.choice || len(s.events) != 2 {
		return false
	}
	first, last := s.events[0], s.events[1]
	return first.task == s.task && first.kind == sends && !first.failed && first.fault == "" &&
		last.task == s.task && (last.kind == asks || last.kind == ends && !last.failed)
}

// withoutJoin returns the tasks without the main function if the step has ended a task, and the main
// function waits for a group. It goes on when the last of the group has ended, whichever that is.
func (r *recorder) withoutJoin(s *step, now []string) []string {
	if s.events[1].kind != ends || slices.Contains(r.touch.before, mainTask) || r.mainWaits != explore.GroupWait {
		return now
	}
	return slices.DeleteFunc(slices.Clone(now), func(task string) bool { return task == mainTask })
}

// sameOthers reports whether the tasks are the same except for one.
func sameOthers(task string, a, b []string) bool {
	others := func(all []string) []string {
		all = slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == task })
		slices.Sort(all)
		return all
	}
	return slices.Equal(others(a), others(b))
}

// A reduction is the part of a tree that leaves schedules out.
type reduction struct {
	schema  *Schema
	effects map[effectKey]*effect
	present []*effect // of the steps of the present schedule
	pending bool      // the effect of the last choice isn't known yet

	redundant bool // all that can come in the present schedule is done
	left      int  // schedules that turned out to be redundant
	slept     bool // something was left out
	stands    *big.Int
	counted   map[uint64]bool // schedules in stands, by what they have in common with those that they stand for
	broken    string          // why what was done proves nothing about the others; or ""
}

// An effectKey tells effects apart, mostly.
type effectKey struct {
	task string
	hash uint64
	all  bool
}

// learn takes the effect of the last step.
func (t *tree) learn(e *effect) {
	d := t.reduction
	if t.full || d.redundant || !d.pending {
		return
	}
	d.pending = false
	key := effectKey{e.task, e.hash, e.all}
	if known := d.effects[key]; known != nil && !known.differs(e) {
		e = known
	} else {
		d.effects[key] = e
	}
	last := t.path[len(t.path)-1]
	last.node.effects[last.taken] = e
	d.present = append(d.present, e)
}

func (e *effect) differs(o *effect) bool {
	return e.moment != o.moment || !slices.Equal(e.reads, o.reads) || !slices.Equal(e.writes, o.writes)
}

// sleep has those steps sleep at the present node that sleep after the last choice.
func (t *tree) sleep(n *node) {
	if len(t.path) == 0 {
		return
	}
	b := t.path[len(t.path)-1]
	before, mine := b.node, b.node.effects[b.taken]
	for i, c := range before.children {
		other := before.effects[i]
		if i == b.taken || c == nil || !c.explored || other == nil || other.conflicts(mine) {
			continue
		}
		at := slices.Index(n.ready, before.ready[i])
		if at < 0 || n.children[at] != nil && n.children[at].explored {
			continue
		}
		shadow, same := c.after(mine)
		if !same {
			t.breaks(fmt.Sprintf("by their tables, %s and %s don't concern each other, but they do", other.what, mine.what))
			continue
		}
		if n.children[at] == nil {
			n.children[at] = &node{}
		}
		n.children[at].explored, n.children[at].asleep = true, shadow
		n.effects[at] = other
		t.reduction.slept = true
	}
}

// after returns the node that is reached by a step that is independent of the one that led to n, or
// nil if no schedule has gone there. same reports whether the step did the same there.
func (n *node) after(e *effect) (next *node, same bool) {
	if n.asleep != nil {
		n = n.asleep
	}
	i := slices.Index(n.ready, e.task)
	switch {
	case n.ready == nil:
		return nil, true // it isn't known
	case i < 0:
		return nil, false
	case n.effects[i] == nil:
		return nil, true
	}
	return n.children[i], n.effects[i].hash == e.hash
}

// breaks notes why the exploration is no proof.
func (t *tree) breaks(why string) {
	if t.reduction.broken == "" {
		t.reduction.broken = why
	}
}

// count adds the number of interleavings that the present schedule stands for, unless one has been
// counted that stands for the same. That happens if the strategy doesn't finish one place before it
// goes to the next.
func (d *reduction) count() {
	key := class(d.present)
	if d.stands == nil || d.counted[key] {
		return
	}
	d.counted[key] = true
	if slices.ContainsFunc(d.present, func(e *effect) bool { return e.wakes }) {
		d.stands = nil // in another order another step may wake the task
		return
	}
	if n := interleavings(d.present); n != nil {
		d.stands.Add(d.stands, n)
	} else {
		d.stands = nil
	}
}

// class returns what schedules have in common that differ only in the order of independent steps:
// their steps in layers, each as early as it can be (Foata's normal form).
func class(steps []*effect) uint64 {
	at := make([]int, len(steps))
	var layers [][]string
	for i, e := range steps {
		for j, o := range steps[:i] {
			if e.conflicts(o) {
				at[i] = max(at[i], at[j]+1)
			}
		}
		if at[i] == len(layers) {
			layers = append(layers, nil)
		}
		layers[at[i]] = append(layers[at[i]], e.task)
	}
	h := fnv.New64a()
	for _, l := range layers {
		slices.Sort(l)
		fmt.Fprintln(h, l)
	}
	return h.Sum64()
}

// maxPlaces bounds the work of counting interleavings.
const maxPlaces = 1 << 14

// interleavings returns how many orders of the steps there are in which each two that conflict have
// the order that they have here. It returns nil if they are too many to count.
func interleavings(steps []*effect) *big.Int {
	var tasks []string
	var of [][]int // the steps of each task
	for i, e := range steps {
		t := slices.Index(tasks, taskOf(e.task))
		if t < 0 {
			t = len(tasks)
			tasks, of = append(tasks, taskOf(e.task)), append(of, nil)
		}
		of[t] = append(of[t], i)
	}
	// needs[i][t] is how many steps of task t come before step i in each order.
	needs := make([][]int, len(steps))
	for t := range of {
		for k, i := range of[t] {
			needs[i] = make([]int, len(of))
			needs[i][t] = k
		}
	}
	for i, e := range steps {
		for t := range of {
			for k, j := range of[t] {
				if j < i && e.conflicts(steps[j]) {
					needs[i][t] = max(needs[i][t], k+1)
				}
			}
		}
	}
	// A place is how many steps each task has made. ways has the places that are reached by n steps.
	start := string(make([]byte, 2*len(of)))
	ways := map[string]*big.Int{start: big.NewInt(1)}
	seen := 0
	for range steps {
		next := map[string]*big.Int{}
		for place, n := range ways {
			for t := range of {
				made := int(place[2*t])<<8 | int(place[2*t+1])
				if made == len(of[t]) || !reached(place, needs[of[t][made]]) {
					continue
				}
				b := []byte(place)
				b[2*t], b[2*t+1] = byte((made+1)>>8), byte(made+1)
				if next[string(b)] == nil {
					next[string(b)] = new(big.Int)
				}
				next[string(b)].Add(next[string(b)], n)
			}
		}
		if seen += len(next); seen > maxPlaces {
			return nil
		}
		ways = next
	}
	for _, n := range ways {
		return n
	}
	return big.NewInt(1)
}

func reached(place string, needs []int) bool {
	for t, n := range needs {
		if int(place[2*t])<<8|int(place[2*t+1]) < n {
			return false
		}
	}
	return true
}
