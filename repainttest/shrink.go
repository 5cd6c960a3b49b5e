package repainttest

import (
	"flag"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/internal/explore"
)

// A shrinker looks for a shorter schedule that fails too: with fewer tasks, then with fewer
// switches, then with fewer steps.
type shrinker struct {
	run   func(s schedule) (r *recorder, failed bool)
	until time.Time
	tried map[string]bool
	best  *recorder
	runs  int
}

// shrink returns the recording of the best schedule that it finds, and the number of schedules that
// it has tried.
func shrink(found *recorder, budget time.Duration, run func(schedule) (*recorder, bool)) (*recorder, int) {
	s := &shrinker{run: run, until: time.Now().Add(budget), tried: map[string]bool{}, best: found}
	if !s.fails(found.needed()) {
		return found, s.runs // it doesn't even repeat
	}
	for s.pass() {
	}
	return s.best, s.runs
}

// pass tries to make the best schedule shorter in each way, and reports whether it has.
func (s *shrinker) pass() bool {
	now := s.best.needed()
	for c := range candidates(now, s.best.tasks) {
		if time.Now().After(s.until) {
			return false
		}
		if s.better(c) {
			return true
		}
	}
	return false
}

// candidates yields schedules that are simpler than s, the simplest first.
func candidates(s schedule, tasks []explore.Task) func(yield func(schedule) bool) {
	return func(yield func(schedule) bool) {
		if len(s) == 0 {
			return
		}
		for _, n := range []int{0, len(s) / 2, len(s) - 1} {
			if !yield(slices.Clone(s[:n])) {
				return
			}
		}
		for i, r := range s { // without a fault
			task, _, faulty := strings.Cut(r.task, faultMark)
			if !faulty {
				continue
			}
			sound := slices.Clone(s)
			sound[i].task = task
			if !yield(sound.joined()) {
				return
			}
		}
		var dropped []string
		for _, r := range s { // without a task: it runs when nothing else can
			if slices.Contains(dropped, r.task) {
				continue
			}
			dropped = append(dropped, r.task)
			if !yield(slices.DeleteFunc(slices.Clone(s), func(o turn) bool { return o.task == r.task }).joined()) {
				return
			}
		}
		for i := range s { // without a turn
			if !yield(slices.Delete(slices.Clone(s), i, i+1).joined()) {
				return
			}
		}
		for i, r := range s { // with two turns of a task as one, at the place of either
			for j := i + 2; j < len(s); j++ {
				if s[j].task != r.task {
					continue
				}
				early, late := slices.Clone(s), slices.Clone(s)
				early[i].steps += s[j].steps
				early[j].steps = 0
				late[j].steps += r.steps
				late[i].steps = 0
				if !yield(early.joined()) || !yield(late.joined()) {
					return
				}
				break
			}
		}
		for i, r := range s { // with fewer steps
			for _, n := range []int{1, r.steps / 2, r.steps - 1} {
				if n < 1 || n >= r.steps {
					continue
				}
				fewer := slices.Clone(s)
				fewer[i].steps = n
				if !yield(fewer) {
					return
				}
			}
		}
		for _, r := range s { // with an earlier task and one exchanged
			for _, t := range tasks {
				if t.ID == r.task {
					break
				}
				other := slices.Clone(s)
				for i := range other {
					switch other[i].task {
					case r.task:
						other[i].task = t.ID
					case t.ID:
						other[i].task = r.task
					}
				}
				if !yield(other.joined()) {
					return
				}
			}
		}
	}
}

// better tries a schedule, and keeps it if it fails and is simpler than the best one.
func (s *shrinker) better(c schedule) bool {
	before := s.best
	if s.tried[c.String()] || !s.fails(c) {
		return false
	}
	order := slices.Compare(cost(s.best), cost(before))
	if order < 0 || order == 0 && c.String() < before.needed().String() {
		return true
	}
	s.best = before
	return false
}

// fails tries a schedule. If it fails it becomes the best one.
func (s *shrinker) fails(c schedule) bool {
	s.tried[c.String()] = true
	s.runs++
	r, failed := s.run(c)
	if failed {
		s.best = r
	}
	return failed
}

func cost(r *recorder) []int {
	s := r.needed()
	return []int{s.tasks(), r.switches(), len(s), s.steps(), len(r.steps)}
}

// quietly runs a separate test and reports whether it failed. It prints nothing, and no other test
// fails with it.
func quietly(name string, fn func(t *testing.T)) (failed bool) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return false // then nothing is found
	}
	defer func() { _ = null.Close() }()
	out, procs := os.Stdout, runtime.GOMAXPROCS(0)
	os.Stdout = null
	defer func() {
		os.Stdout = out
		runtime.GOMAXPROCS(procs)
	}()
	// The user's flags are for the test that is running.
	for name, value := range map[string]string{"test.run": "", "test.skip": "", "test.count": "1", "test.failfast": "false"} {
		f := flag.Lookup(name)
		if f == nil || f.Value.String() == value {
			continue
		}
		before := f.Value.String()
		_ = f.Value.Set(value)
		defer func() { _ = f.Value.Set(before) }()
	}
	return !testing.RunTests(regexp.MatchString, []testing.InternalTest{{Name: name, F: func(t *testing.T) {
		runtime.GOMAXPROCS(procs)
		fn(t)
	}}})
}
