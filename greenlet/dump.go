package greenlet

import (
	"bytes"
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
)

var recordCreation atomic.Bool

// RecordCreation says whether [New] records where it was called, for [Family.Dump]. It is off at
// first, because it makes New several times as expensive. It returns the previous setting. Any
// goroutine may call it.
func RecordCreation(on bool) (old bool) { return recordCreation.Swap(on) }

// callerOfNew returns the program counter from which its caller was called.
func callerOfNew() uintptr {
	var pc [1]uintptr
	runtime.Callers(3, pc[:])
	return pc[0]
}

// Dump describes the family for a human reader, as a tree of parents and children. Each greenlet
// has its name, its state, where it was created if [RecordCreation] was on, and its stack if it is
// suspended. Greenlets that have not started or have ended appear only as parents of others. Dump
// must be called from the family. It stops the program for a moment, as [Greenlet.Stack] does.
func (f *Family) Dump() string {
	children := make(map[*core][]*core)
	var root *core
	seen := make(map[*core]bool)
	for w := f.eldest; w != nil; w = w.younger {
		for a := w.job; !seen[a]; a = a.parent.core {
			seen[a] = true
			if a.isRoot {
				root = a
				break
			}
			children[a.parent.core] = append(children[a.parent.core], a)
		}
	}
	if root == nil { // nothing has started
		for g := f.current; ; g = g.parent {
			if g.isRoot {
				root = g.core
				break
			}
		}
	}
	stacks := TakeStacks()
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d greenlets started and not ended, %d switches\n", f, f.count, f.switches)
	var show func(c *core, indent string)
	show = func(c *core, indent string) {
		fmt.Fprintf(&b, "%s%s: %s", indent, c, f.describe(c))
		if c.more != nil && c.more.created != 0 {
			frame, _ := runtime.CallersFrames([]uintptr{c.more.created}).Next()
			fmt.Fprintf(&b, ", created in %s at %s:%d", frame.Function, frame.File, frame.Line)
		}
		b.WriteByte('\n')
		if c.is(active) && f.current.core != c {
			for line := range bytes.Lines(stacks.of(c.goid)) {
				fmt.Fprintf(&b, "%s    %s\n", indent, bytes.TrimRight(line, "\n"))
			}
		}
		kids := children[c]
		slices.SortFunc(kids, func(a, b *core) int { return cmp.Compare(a.id, b.id) })
		for _, k := range kids {
			show(k, indent+"  ")
		}
	}
	show(root, "")
	return b.String()
}

// describe names the state of a greenlet of the family.
func (f *Family) describe(c *core) string {
	switch {
	case c.is(unstarted):
		return "not started"
	case c.is(dead):
		return "dead"
	case f.current.core == c:
		return "current"
	}
	return "suspended"
}
