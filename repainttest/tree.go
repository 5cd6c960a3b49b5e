package repainttest

import (
	"fmt"
	"slices"
)

// maxNodes bounds the memory of a tree: about 100 bytes each.
const maxNodes = 1 << 20

// A tree knows the explored schedules, as far as there is room. Each node is a choice, or the end
// of a schedule.
type tree struct {
	root  *node
	nodes int
	path  []branch // the choices of the present schedule
	full  bool     // there was no room for the present schedule
	// differs is the first difference between two schedules that began with the same choices, or ""
	// if there was none.
	differs string

	*reduction // nil if no schedule is left out
}

// A branch is what was taken of a node's.
type branch struct {
	node  *node
	taken int
}

type node struct {
	ready    []string // none at the end of a schedule
	children []*node  // of each of those; nil if it hasn't been taken
	explored bool     // all that can come from here on has been

	// With a reduction.
	effects []*effect // of each of ready; nil if it isn't known
	asleep  *node     // of a step that sleeps: where it led before the step after which it sleeps now, if that is known
}

func (t *tree) newNode(ready []string) *node {
	n := &node{ready: slices.Clone(ready), children: make([]*node, len(ready))}
	if t.reduction != nil {
		n.effects = make([]*effect, len(ready))
	}
	return n
}

// begin begins another schedule.
func (t *tree) begin() {
	t.path, t.full = t.path[:0], false
	if d := t.reduction; d != nil {
		d.present, d.pending, d.redundant = d.present[:0], false, false
	}
}

// done reports whether there is no schedule left.
func (t *tree) done() bool { return t.root != nil && t.root.explored && t.differs == "" }

// place returns the place of the pointer to the present node.
func (t *tree) place() **node {
	if len(t.path) == 0 {
		return &t.root
	}
	last := t.path[len(t.path)-1]
	return &last.node.children[last.taken]
}

// open returns the ready tasks that lead to an unexplored schedule. It returns all of them if that
// isn't known.
func (t *tree) open(p point) []string {
	if t.full || t.reduction != nil && t.redundant {
		return p.ready
	}
	at := t.place()
	switch n := *at; {
	case n == nil && t.nodes >= maxNodes:
		t.full = true
		return p.ready
	case n == nil:
		t.nodes++
		*at = t.newNode(p.ready)
	case !slices.Equal(n.ready, p.ready):
		if t.differs == "" {
			t.differs = fmt.Sprintf("at step %d %s could go on, and after the same choices in an earlier schedule %s", p.step+1, list(p.ready), orNone(n.ready))
		}
		*at = t.newNode(p.ready)
	case n.explored:
		return p.ready
	}
	if t.reduction != nil {
		t.sleep(*at)
	}
	var open []string
	for i, c := range (*at).children {
		if c == nil || !c.explored {
			open = append(open, p.ready[i])
		}
	}
	if len(open) == 0 { // all sleep
		(*at).explored, t.redundant = true, true
		return p.ready
	}
	return open
}

// take records a choice by its index among the ready tasks that open was given.
func (t *tree) take(i int) {
	if t.full || t.reduction != nil && t.redundant {
		return
	}
	t.path = append(t.path, branch{*t.place(), i})
	if t.reduction != nil {
		t.pending = true
	}
}

// end records that the schedule has ended.
func (t *tree) end() {
	switch {
	case t.full:
		return
	case t.reduction != nil && t.redundant:
		t.left++
		t.close()
		return
	case t.reduction != nil:
		t.count()
	}
	at := t.place()
	if *at != nil && len((*at).ready) > 0 && t.differs == "" {
		t.differs = fmt.Sprintf("the program ended where, after the same choices in an earlier schedule, %s could go on", list((*at).ready))
	}
	t.nodes++
	*at = &node{explored: true}
	t.close()
}

// close marks the nodes of the present schedule from which all has been explored.
func (t *tree) close() {
	for _, b := range slices.Backward(t.path) {
		b.node.explored = !slices.ContainsFunc(b.node.children, func(c *node) bool { return c == nil || !c.explored })
	}
}

func orNone(tasks []string) string {
	if len(tasks) == 0 {
		return "the program ended there"
	}
	return list(tasks) + " could"
}
