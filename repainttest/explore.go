// Package repainttest finds races between tasks, and between their SQL statements.
//
// [Explore] runs a concurrent test under many schedules. It shows the shortest schedule that it can
// find in which the test fails, and how to repeat it:
//
//	func TestWithdraw(t *testing.T) {
//		repainttest.Explore(t, 200, func(t *testing.T, ctx context.Context) {
//			reset(t, ctx)
//			paid, err := repaint.Gather(ctx, withdraw, withdraw) // two tasks
//			…
//		})
//	}
//
// Statements through packages pg and db are steps of a schedule. [Driver] makes those of another
// driver of database/sql steps, too. [Fresh] resets the database before each schedule, [Isolations]
// tries each level of isolation, and [Faults] breaks connections.
//
// Variables of the environment repeat the schedule of a failing test: REPAINT_SCHEDULE as it was shrunk,
// REPAINT_SEED as it was found. REPAINT_PAGE says where to write a page that shows it. [Search] and
// [Replay] do the same in programs that aren't tests.
package repainttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/loop"
)

// SeedVariable is the environment variable that repeats one schedule as it was found.
const SeedVariable = "REPAINT_SEED"

// ScheduleVariable is the environment variable that repeats one schedule as it was recorded and
// shrunk.
const ScheduleVariable = "REPAINT_SCHEDULE"

// Epoch is the time at which the virtual clock of [Explore] begins.
var Epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

const mainTask = explore.Main

// Explore runs a test as the main function of a [repaint.Run], up to n times, each time with
// another schedule. It chooses which task goes on whenever there is a choice, and uses a virtual
// clock ([loop.VirtualClock]). Each run is a subtest, and no schedule runs twice. If there are
// fewer than n schedules, Explore ends when all have run, and says so.
//
// Options set the strategy: [Uniform], [PCT], [RoundRobin], [Exhaustive]. Several strategies take
// turns. Without one Explore uses a portfolio, one half Uniform and one half PCT of depths 1 to 3.
// At the end it logs a summary.
//
// If a run fails, Explore looks for a shorter schedule that fails too ([ShrinkFor]), with fewer
// tasks and fewer switches between them. It shows that schedule as a table, with a column for each
// task and a row for each step, and says how to repeat it:
//
//	REPAINT_SCHEDULE='1 2*3' go test -run '^TestTransfers$'
//
// With [Page] or [PageVariable], Explore also writes that schedule as an HTML page.
//
// With REPAINT_SCHEDULE Explore runs only that schedule: one step of task 1, and three of task 2.
// From there on each task goes on for as long as it can. Task 1 is the first that the main function
// spawns, and 1.2 the second that task 1 spawns. A step is what a task does from one wait to the
// next. So a schedule survives most changes of the code. If it doesn't fit the program any more,
// the test says where.
//
// Files in testdata/explore/TestTransfers hold schedules too. Explore runs them first. If the
// directory testdata/explore exists, Explore adds the schedule of a failure to it.
//
// A run repeats exactly if nothing in it depends on other goroutines, on real time or on chance.
// [CheckRepeats] tests that.
//
// main may use t as usual. An error or a panic of Run is a failure too.
func Explore(t *testing.T, n int, main func(t *testing.T, ctx context.Context), opts ...Option) {
	t.Helper()
	settings, err := read(opts)
	x := &exploration{t: t, main: main, opts: opts, settings: settings, report: newReport()}
	switch {
	case err == errChooser:
		t.Fatalf("an option of Explore chooses the order of callbacks (loop.Seed, loop.ChooseBy), but Explore chooses it: leave the option out, or repeat one schedule with %s", SeedVariable)
	case err != nil:
		t.Fatal(err)
	case n < 1:
		t.Fatalf("Explore can't run %d schedules: want at least 1", n)
	}
	x.tree = x.settings.newTree()
	defer x.report.enter(t.Name())()
	switch seed, text := os.Getenv(SeedVariable), os.Getenv(ScheduleVariable); {
	case text != "":
		x.repeat(text)
	case seed != "":
		x.repeatSeed(seed)
	default:
		x.explore(n)
	}
}

// An exploration is one call of Explore.
type exploration struct {
	t        *testing.T
	main     func(t *testing.T, ctx context.Context)
	opts     []Option
	settings *settings
	tree     *tree
	report   *report
}

// recorder returns one for a schedule.
func (x *exploration) recorder(s strategy) *recorder {
	return &recorder{strategy: s, faults: x.settings.faults, faultLimit: x.settings.faultLimit}
}

// repeat runs the schedule that the environment asks for.
func (x *exploration) repeat(text string) {
	x.t.Helper()
	s, err := parseSchedule(text)
	if err != nil {
		x.t.Fatalf("%s is %q, which isn't a schedule: %v", ScheduleVariable, text, err)
	}
	follow := &replay{schedule: s}
	r := x.recorder(follow)
	r.detailed = true
	ok := x.subtest("schedule="+s.String(), r, 0)
	x.t.Logf("the schedule:\n%s", r.picture(pictureWidth))
	how := "passes"
	if !ok {
		how = "fails"
	}
	x.show(r, "The test "+how+" in this schedule, which was repeated.", x.command(s))
	if misfit := follow.verdict(); misfit != "" {
		x.t.Errorf("the schedule %q doesn't fit the program any more: %s. The rest ran in any order. If this run passed, that proves nothing: explore anew, without %s",
			s, misfit, ScheduleVariable)
	} else if !ok {
		x.t.Logf("to repeat this schedule: %s", x.command(s))
	}
}

// repeatSeed runs the schedule of a seed.
func (x *exploration) repeatSeed(text string) {
	x.t.Helper()
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		x.t.Fatalf("%s is %q, which isn't a seed: want a number from 0 on: %v", SeedVariable, text, err)
	}
	strategy, steps := x.bySeed(seed)
	r := x.recorder(strategy)
	if !x.subtest(fmt.Sprintf("seed=%d", seed), r, steps, seed) {
		x.t.Logf("the schedule:\n%s\nto repeat this schedule: %s", r.picture(pictureWidth), x.command(r.needed()))
		x.show(r, fmt.Sprintf("The test fails in this schedule, which is that of seed %d.", seed), x.command(r.needed()))
	}
}

// maxSteps is the greatest length of a schedule that a seed can hold.
const maxSteps = 1<<12 - 1

// newSeed draws a seed. The seed decides the strategy, and holds the number of steps that the
// strategy may expect.
func newSeed(steps int) uint64 { return rand.Uint64N(1<<32)<<12 | uint64(min(steps, maxSteps)) }

// bySeed returns the strategy of a seed, and the number of steps that it may expect.
func (x *exploration) bySeed(seed uint64) (strategy, int) {
	all := x.settings.strategies
	return all[seed>>12%uint64(len(all))], int(seed & maxSteps)
}

// explore runs the kept schedules, and then others.
func (x *exploration) explore(n int) {
	x.t.Helper()
	for _, k := range readCorpus(x.t, x.t.Name()) {
		follow := &replay{schedule: k.schedule}
		r := x.recorder(follow)
		ok := x.subtest("schedule="+k.file, r, 0)
		if misfit := follow.verdict(); misfit != "" {
			x.t.Logf("%s: the schedule %q doesn't fit the program any more: %s. Remove the file, unless it is still of use",
				k.file, k.schedule, misfit)
		}
		if !ok {
			x.failed(r, fmt.Sprintf("the schedule of %s", k.file))
			return
		}
	}
	for i := 0; i < n && !x.tree.done(); i++ {
		seed := newSeed(x.report.most)
		strategy, steps := x.bySeed(seed)
		r := x.recorder(strategy)
		r.tree = x.tree
		ok := x.subtest(fmt.Sprintf("seed=%d", seed), r, steps, seed)
		x.report.add(r)
		switch {
		case !ok:
			found := fmt.Sprintf("schedule %d", i+1)
			if !r.deviated {
				found += fmt.Sprintf(" (to repeat it as it was found: %s=%d go test -run '^%s$')", SeedVariable, seed, x.t.Name())
			}
			x.failed(r, found)
			return // it needs one that can be repeated
		case x.settings.check && !x.repeats(r):
			return
		}
	}
	x.conclude()
}

// conclude logs what a passed exploration has done.
func (x *exploration) conclude() {
	x.t.Helper()
	x.t.Log(x.report)
	x.warn()
	switch {
	case x.tree.differs != "":
		x.t.Logf("the program doesn't depend on the schedule alone: %s. See CheckRepeats", x.tree.differs)
	case x.tree.done() && x.report.schedules == 1:
		x.t.Log("there was no choice: at no time could two tasks go on, so there is only one schedule. " +
			"Explore chooses where tasks wait: in a Sleep, an Await, a lock, a statement" + x.report.unseen())
	case x.tree.done():
		x.t.Log(x.tree.said(x.report.schedules))
	case x.tree.reduction != nil && x.tree.broken != "":
		x.t.Logf("the assumptions of Reduced don't hold: %s", x.tree.broken)
	}
	if never := x.report.never(); never != nil {
		x.t.Errorf("in none of %d schedules did this hold: %s", x.report.schedules, strings.Join(never, ", "))
	}
}

// warn logs what makes the schedules less reliable than they should be.
func (x *exploration) warn() {
	x.t.Helper()
	for _, doubt := range x.report.doubts {
		x.t.Log(doubt)
	}
}

// subtest runs one schedule as a subtest, and reports whether it has passed.
func (x *exploration) subtest(name string, r *recorder, steps int, seed ...uint64) bool {
	x.t.Helper()
	return x.t.Run(name, func(t *testing.T) { x.run(t, r, steps, seed...) })
}

// run runs one schedule.
func (x *exploration) run(t *testing.T, r *recorder, steps int, seed ...uint64) {
	t.Helper()
	r.begin(append(seed, 0)[0], steps)
	if err := x.settings.refresh(t.Context(), r); err != nil {
		t.Error(err)
		return
	}
	began := time.Now()
	defer r.watch(t.Name())()
	defer func() {
		r.took = time.Since(began)
		r.end()
		x.report.doubt(r.doubts...)
		if p := recover(); p != nil {
			t.Errorf("Run panicked: %v\n%s", p, debug.Stack())
		}
	}()
	all := append([]loop.Option{loop.VirtualClock(Epoch)}, x.opts...)
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		x.main(t, ctx)
		return nil
	}, append(all, loop.ChooseBy(r))...)
	if err != nil {
		t.Errorf("Run returned an error: %v", err)
	}
}

// failed shrinks the schedule of a failure, and shows it.
func (x *exploration) failed(found *recorder, origin string) {
	x.t.Helper()
	began := time.Now()
	best, runs := found, 0
	if x.settings.shrink > 0 {
		best, runs = shrink(found, x.settings.shrink, func(s schedule) (*recorder, bool) {
			r := x.recorder(&replay{schedule: s})
			failed := quietly(x.t.Name(), func(t *testing.T) { x.run(t, r, 0) })
			return r, failed
		})
	}
	s := best.needed()
	detailed := x.recorder(&replay{schedule: s})
	detailed.detailed = true
	if len(best.users) > 0 && quietly(x.t.Name(), func(t *testing.T) { x.run(t, detailed, 0) }) {
		best.steps = detailed.steps
	}
	how := "it couldn't be shrunk"
	switch {
	case x.settings.shrink <= 0:
		how = "it wasn't shrunk"
	case best == found:
		how = "it didn't fail when it was run again: the program doesn't depend on the schedule alone, see CheckRepeats"
	case best.switches() < found.switches() || len(best.steps) < len(found.steps):
		how = fmt.Sprintf("shrunk from %s with %s to %s with %d, in %s and %v",
			explore.Count(len(found.steps)-1, "step"), explore.Count(found.switches(), "switch"), explore.Count(len(best.steps)-1, "step"), best.switches(), explore.Count(runs, "run"), time.Since(began).Round(time.Millisecond))
	}
	kept, err := keep(x.t.Name(), s, x.t.Name()+" fails in this schedule:\n"+best.picture(pictureWidth))
	var where string
	switch {
	case err != nil:
		where = fmt.Sprintf("it couldn't be kept: %v", err)
	case kept != "":
		where = fmt.Sprintf("it is kept in %s and will run first", kept)
	default:
		where = fmt.Sprintf("to have it run first from now on, keep it in a file: %s", keptAs(x.t.Name(), s))
	}
	x.warn()
	x.t.Errorf("%s failed; %s:\n%s\nto repeat exactly this: %s\n%s", origin, how, best.picture(pictureWidth), x.command(s), where)
	x.show(best, fmt.Sprintf("The test fails in this schedule: %s failed; %s.", origin, how), x.command(s))
}

// command returns the command that repeats a schedule.
func (x *exploration) command(s schedule) string {
	text := s.String()
	if text == "" {
		text = "#" // the settled one
	}
	return fmt.Sprintf("%s='%s' go test -run '^%s$'", ScheduleVariable, text, strings.ReplaceAll(x.t.Name(), "/", "$/^"))
}
