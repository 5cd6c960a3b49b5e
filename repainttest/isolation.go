package repainttest

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// An Outcome is the result of one schedule in [Isolations]. The test's function sets its fields.
type Outcome struct {
	Wrong   bool // the invariant doesn't hold
	Aborted int  // how many transactions the database has ended by an error, such as a serialization failure
}

// An IsolationResult is what [Isolations] found at one isolation level: a row of its table. Its
// numbers count schedules.
type IsolationResult struct {
	Level     sql.IsolationLevel
	Schedules int // that ran
	Of        int // that there are; -1 if they are too many to count
	Wrong     int // whose Outcome was wrong
	Aborted   int // in which the database ended a transaction
}

// Isolations runs the same test at each of the levels, in up to n orders of the tasks' steps, logs
// a table of the results, and returns it. Without levels it tries read committed, repeatable read
// and serializable.
//
// An order only says whose step comes next, whatever the step does: two transactions of four
// statements always have 70 orders. If it is a task's turn while it waits for a lock, it makes that
// step as soon as it can. So the levels can be compared. If there are more than n orders, chance
// draws n of them.
//
// main runs the transactions at the given level as tasks, checks the result, and sets the Outcome.
// A failure of t ends Isolations.
func Isolations(t *testing.T, n int, main func(t *testing.T, ctx context.Context, level sql.IsolationLevel, o *Outcome), levels ...sql.IsolationLevel) []IsolationResult {
	t.Helper()
	if n < 1 {
		t.Fatalf("Isolations can't run %d schedules: want at least 1", n)
	}
	if len(levels) == 0 {
		levels = []sql.IsolationLevel{sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable}
	}
	var all []IsolationResult
	for _, level := range levels {
		ok := t.Run(level.String(), func(t *testing.T) {
			s := &sweep{t: t, level: level, main: main}
			all = append(all, s.run(n))
		})
		if !ok {
			return all
		}
	}
	t.Log(table(all))
	return all
}

// A sweep is Isolations at one level.
type sweep struct {
	t     *testing.T
	level sql.IsolationLevel
	main  func(t *testing.T, ctx context.Context, level sql.IsolationLevel, o *Outcome)
	sum   IsolationResult
}

func (s *sweep) run(n int) IsolationResult {
	s.t.Helper()
	s.sum.Level = s.level
	steps := s.steps()
	s.sum.Of = orders(steps)
	if s.sum.Of >= 0 && s.sum.Of <= n {
		for more := true; more; more = nextPermutation(steps) {
			s.one(&inOrder{order: steps}, true)
		}
		return s.sum
	}
	for range n {
		rand.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		s.one(&inOrder{order: steps}, true)
	}
	return s.sum
}

// steps returns the steps of all tasks, sorted: of each as many as it makes at most when it comes
// first, or after others that aren't interrupted.
func (s *sweep) steps() []string {
	most := map[string]int{}
	count := func(first string) {
		counts := map[string]int{}
		for _, step := range s.one(&inOrder{first: first}, false).steps[1:] {
			counts[step.task]++
			most[step.task] = max(most[step.task], counts[step.task])
		}
	}
	count("")
	delete(most, mainTask)
	for _, task := range slices.Sorted(maps.Keys(most)) {
		count(task)
		delete(most, mainTask)
	}
	var steps []string
	for _, task := range slices.Sorted(maps.Keys(most)) {
		steps = append(steps, slices.Repeat([]string{task}, most[task])...)
	}
	return steps
}

// one runs one schedule.
func (s *sweep) one(strategy strategy, counts bool) *recorder {
	s.t.Helper()
	var o Outcome
	settings, _ := read(nil) // no option can be wrong
	x := &exploration{t: s.t, settings: settings, report: newReport(), main: func(t *testing.T, ctx context.Context) {
		s.main(t, ctx, s.level, &o)
	}}
	r := x.recorder(strategy)
	x.run(s.t, r, 0)
	if s.t.Failed() {
		s.t.Fatalf("the schedule:\n%s", r.picture(pictureWidth))
	}
	if counts {
		s.sum.Schedules++
		if o.Wrong {
			s.sum.Wrong++
		}
		if o.Aborted > 0 {
			s.sum.Aborted++
		}
	}
	return r
}

// table writes the results.
func table(all []IsolationResult) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-18s %12s %8s %8s", "isolation", "schedules", "wrong", "aborted")
	for _, r := range all {
		schedules := fmt.Sprint(r.Schedules)
		switch {
		case r.Of < 0:
			schedules += " of many"
		case r.Of != r.Schedules:
			schedules += fmt.Sprintf(" of %d", r.Of)
		}
		fmt.Fprintf(&b, "\n%-18s %12s %8d %8d", strings.ToLower(r.Level.String()), schedules, r.Wrong, r.Aborted)
	}
	return b.String()
}

// orders returns how many orders of the steps there are, where those of one task keep theirs; -1 if
// they are too many to count. The steps are sorted.
func orders(steps []string) int {
	const most = 1 << 40
	all := 1
	same := 0
	for i, task := range steps {
		if i > 0 && task == steps[i-1] {
			same++
		} else {
			same = 1
		}
		if all > most {
			return -1
		}
		all = all * (i + 1) / same // the number of orders of the steps so far, which is whole
	}
	return all
}

// nextPermutation makes the next larger order of it, and reports false if there is none.
func nextPermutation(all []string) bool {
	i := len(all) - 2
	for i >= 0 && all[i] >= all[i+1] {
		i--
	}
	if i < 0 {
		return false
	}
	j := len(all) - 1
	for all[j] <= all[i] {
		j--
	}
	all[i], all[j] = all[j], all[i]
	slices.Reverse(all[i+1:])
	return true
}

// inOrder makes the tasks make their steps in an order. A task that can't make its step in its turn
// makes it as soon as it can.
type inOrder struct {
	order []string
	first string // makes all its steps before the order begins; or ""
	left  []string
	owed  map[string]int
}

func (s *inOrder) String() string { return "in order" }

func (s *inOrder) begin(uint64, int) { s.left, s.owed = s.order, map[string]int{} }

func (s *inOrder) choose(p point) int {
	for i, task := range p.ready {
		if s.owed[task] > 0 {
			s.owed[task]--
			return i
		}
	}
	if len(p.ready) == 1 && p.ready[0] == mainTask {
		return 0
	}
	if i := slices.Index(p.ready, s.first); i >= 0 {
		return i
	}
	for len(s.left) > 0 {
		task := s.left[0]
		s.left = s.left[1:]
		if i := slices.Index(p.ready, task); i >= 0 {
			return i
		}
		s.owed[task]++
	}
	return p.settled()
}
