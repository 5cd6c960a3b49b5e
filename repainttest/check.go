package repainttest

import (
	"fmt"
	"testing"
)

// repeats runs a schedule a second time, and reports whether the same happened. If not, the test
// fails.
func (x *exploration) repeats(first *recorder) bool {
	x.t.Helper()
	s := first.schedule()
	second := x.recorder(&replay{schedule: s})
	x.t.Run("again="+s.String(), func(t *testing.T) { x.run(t, second, 0) })
	if d := difference(first, second); d != "" {
		x.t.Errorf("the same schedule went differently when it was run again: %s.\n"+
			"Something besides the schedule has a say: real time, chance, the order of a map, a goroutine of the program's own, what an earlier run has left", d)
		return false
	}
	return true
}

// difference returns the first difference between two runs of the same schedule, or "" if there is
// none.
func difference(first, second *recorder) string {
	for n := range max(len(first.steps), len(second.steps)) {
		switch {
		case n >= len(second.steps):
			return fmt.Sprintf("run 2 ended after step %d, where in run 1 task %s went on", n-1, first.steps[n].task)
		case n >= len(first.steps):
			return fmt.Sprintf("run 1 ended after step %d, where in run 2 task %s went on", n-1, second.steps[n].task)
		}
		one, two := first.steps[n], second.steps[n]
		if one.task != two.task {
			return fmt.Sprintf("at step %d of run 2 task %s went on, where in run 1 task %s did", n, two.task, one.task)
		}
		for i := range max(len(one.events), len(two.events)) {
			a, b := nth(one.events, i), nth(two.events, i)
			if a != b {
				return fmt.Sprintf("run 2: %s where run 1: %s (step %d)", b, a, n)
			}
		}
		if a, b := list(one.ready), list(two.ready); n > 0 && a != b {
			return fmt.Sprintf("at step %d of run 2 %s could go on, and in run 1 %s", n, b, a)
		}
	}
	return ""
}

// nth returns the text of an event for a message.
func nth(all []event, i int) string {
	if i >= len(all) {
		return "nothing more happened in that step"
	}
	text := all[i].String()
	if all[i].kind == sends {
		text = "sent " + text
	}
	return "task " + all[i].task + " " + text
}
