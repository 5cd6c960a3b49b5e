package repainttest

import (
	"github.com/seed1239206e/repaint/internal/explore"

	"fmt"
	"math/rand/v2"
	"slices"
)

// A strategy chooses the steps of schedules.
type strategy interface {
	String() string
	// begin prepares the strategy for another schedule, which depends only on the seed and probably
	// has that many steps.
	begin(seed uint64, steps int)
	// choose returns the index of the task that makes the next step. It may be called again for the
	// same step with fewer tasks, because the first choice would lead to an explored schedule.
	choose(p point) int
}

// A point is a moment in a schedule at which the next step is chosen.
type point struct {
	step    int      // from 0 on
	current string   // the task that made the last step
	ready   []string // the tasks that can make the next one, in the order in which they could; at least one
	// status says what a task that isn't ready does.
	status func(task string) string
}

// settled returns the default choice: the task goes on for as long as it can, and then the next in
// line does.
func (p point) settled() int { return max(slices.Index(p.ready, p.current), 0) }

// Uniform draws the next step at random, each ready task with the same probability. It soon finds
// faults that need one task to overtake another at one place.
func Uniform() Option { return with(func() strategy { return new(uniform) }) }

type uniform struct{ chance *rand.Rand }

func (u *uniform) String() string           { return "uniform" }
func (u *uniform) begin(seed uint64, _ int) { u.chance = rand.New(rand.NewPCG(seed, 0)) }
func (u *uniform) choose(p point) int       { return u.chance.IntN(len(p.ready)) }
func with(makes func() strategy) Option {
	return setting(func(s *settings) { s.strategies = append(s.strategies, makes()) })
}

// PCT gives each task a random priority, and runs the ready task with the highest one. At d-1
// random steps the task that would run gets the lowest priority instead. PCT finds faults that need
// a task to stand still for long while others run. In a schedule of n tasks and k steps, it finds a
// fault that needs d orderings with a probability of at least 1/(n·k^(d-1)). It is the algorithm of
// Burckhardt and others, "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs".
//
// A d below 1 means 1.
func PCT(d int) Option { return with(func() strategy { return &pct{depth: max(d, 1)} }) }

type pct struct {
	depth    int
	chance   *rand.Rand
	priority map[string]float64 // of tasks; those that were lowered have one below 0
	changes  []int              // the steps at which a priority is lowered, in no order
	lowered  int
	last     int // the last step for which changes has been looked at
}

func (s *pct) String() string { return fmt.Sprintf("PCT(%d)", s.depth) }

func (s *pct) begin(seed uint64, steps int) {
	s.chance = rand.New(rand.NewPCG(seed, 1))
	s.priority = map[string]float64{}
	s.changes = s.changes[:0]
	for range s.depth - 1 {
		s.changes = append(s.changes, s.chance.IntN(max(steps, 1)))
	}
	s.lowered, s.last = 0, -1
}

func (s *pct) choose(p point) int {
	for _, task := range p.ready {
		if _, ok := s.priority[task]; !ok {
			s.priority[task] = s.chance.Float64()
		}
	}
	best := s.best(p)
	for p.step > s.last { // steps without a choice count, too
		s.last++
		if slices.Contains(s.changes, s.last) {
			s.lowered++
			s.priority[p.ready[best]] = -float64(s.lowered)
			best = s.best(p)
		}
	}
	return best
}

func (s *pct) best(p point) int {
	best := 0
	for i, task := range p.ready {
		if s.priority[task] > s.priority[p.ready[best]] {
			best = i
		}
	}
	return best
}

// RoundRobin lets each ready task make one step in turn. That is one schedule; further schedules
// begin in the same way.
func RoundRobin() Option { return with(func() strategy { return new(roundRobin) }) }

type roundRobin struct{ turns map[string]int }

func (r *roundRobin) String() string        { return "round robin" }
func (r *roundRobin) begin(_ uint64, _ int) { r.turns = map[string]int{} }

func (r *roundRobin) choose(p point) int {
	least := 0
	for i, task := range p.ready {
		if r.turns[task] < r.turns[p.ready[least]] {
			least = i
		}
	}
	r.turns[p.ready[least]]++
	return least
}

// Exhaustive goes through all schedules in order, beginning with the schedule in which no task is
// interrupted. If n is large enough for all of them, the test says so, and has proved that it
// passes under every schedule. The other strategies choose at random, but never the same schedule
// twice, so they also reach all schedules if n is large enough.
func Exhaustive() Option { return with(func() strategy { return exhaustive{} }) }

type exhaustive struct{}

func (exhaustive) String() string        { return "exhaustive" }
func (exhaustive) begin(_ uint64, _ int) {}
func (exhaustive) choose(p point) int    { return p.settled() }

// portfolio returns the default strategies.
func portfolio() []strategy {
	return []strategy{new(uniform), &pct{depth: 1}, new(uniform), &pct{depth: 2}, new(uniform), &pct{depth: 3}}
}

// A replay follows a schedule as far as the program does.
type replay struct {
	schedule schedule
	left     schedule
	misfit   string // the first step that didn't fit, or ""
}

func (r *replay) String() string        { return "replay" }
func (r *replay) begin(_ uint64, _ int) { r.left, r.misfit = slices.Clone(r.schedule), "" }

func (r *replay) choose(p point) int {
	for len(r.left) > 0 {
		task := r.left[0].task
		if i := slices.Index(p.ready, task); i >= 0 {
			if r.left[0].steps--; r.left[0].steps == 0 {
				r.left = r.left[1:]
			}
			return i
		}
		status := p.status(task)
		if len(p.ready) == 1 && status != hasEnded {
			return 0 // a step that wasn't there when the schedule was recorded, and leaves no choice
		}
		if r.misfit == "" {
			r.misfit = fmt.Sprintf("step %d is to be one of task %s, but %s; %s can go on there", p.step+1, task, status, list(p.ready))
		}
		r.left = r.left[1:]
	}
	return p.settled()
}

// verdict says what didn't fit when the program has ended, or returns "" if everything did.
func (r *replay) verdict() string {
	if r.misfit == "" && len(r.left) > 0 {
		return fmt.Sprintf("the program ended when the schedule still had %s, the next of task %s", explore.Count(r.left.steps(), "step"), r.left[0].task)
	}
	return r.misfit
}
