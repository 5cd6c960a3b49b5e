package repaint_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// Random programs under random schedules. A program is a tree of actors, each a list of steps; it is made before it runs
// and doesn't depend on the schedule. Actors run as tasks, or as functions of groups and of what waits for many. They await each other,
// but only actors with higher numbers than their own, so there is always somebody who doesn't wait, and a deadlock is an error.
// While a program runs a world keeps the books, and notes what must not be.

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

// A world runs a program once.
type world struct {
	*program
	trace   strings.Builder
	loop    *loop.Loop
	tasks   []*repaint.Task[int]      // by actor, nil as long as it isn't one
	ends    []*loop.Promise[int]      // by actor, kept as soon as it has ended
	fate    []outcome                 // by actor
	order   []int                     // in which actors have ended
	known   map[error]time.Time       // causes that were given, and when
	revoke  []context.CancelCauseFunc // of derived contexts
	points  int                       // waits so far
	strikes int                       // the one at which a cancel comes
	strike  func()
	wrong   []string
}

type outcome struct {
	begun, ended bool
	err          error
	panicked     any
}

func (w *world) note(a *actor, text string, args ...any) {
	fmt.Fprintf(&w.trace, "%d %d ", w.loop.Now().UnixMilli(), a.id)
	fmt.Fprintf(&w.trace, text+"\n", args...)
}

func (w *world) fault(a *actor, text string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf("actor %d: ", a.id)+fmt.Sprintf(text, args...))
}

// cause makes an error that says who has caused something, and remembers it.
func (w *world) cause(a *actor, what string) error {
	err := fmt.Errorf("%s by %d, number %d", what, a.id, len(w.known))
	w.known[err] = w.loop.Now()
	return err
}

// founded reports whether everything that an error consists of has been caused by somebody.
func (w *world) founded(err error) bool {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(e.Unwrap(), func(e error) bool { return !w.founded(e) })
	case interface{ Unwrap() error }:
		return w.founded(e.Unwrap())
	}
	_, known := w.known[err]
	return known || err == context.Canceled || err == context.DeadlineExceeded ||
		strings.HasPrefix(err.Error(), "repaint: what this context belonged to has ended") ||
		strings.HasPrefix(err.Error(), "repaint: the loop that waited for the result was left") ||
		strings.HasPrefix(err.Error(), "repaint: another function of the group panicked")
}

// excused checks what a wait has returned. If it's an error, the context must have ended, and for a reason.
// Error or not, nobody waits on when the context has ended.
func (w *world) excused(ctx context.Context, a *actor, begun time.Time, err error) {
	cause := context.Cause(ctx)
	at, ended := w.known[cause]
	late := ended && !at.IsZero() && w.loop.Now().After(begun) && w.loop.Now().After(at)
	switch {
	case err == nil && !late:
	case late:
		w.fault(a, "was told only %v after %v: %v", w.loop.Now().Sub(at), cause, err)
	case w.calm:
		w.fault(a, "error in a calm program: %v", err)
	case cause == nil:
		w.fault(a, "error though the context goes on: %v", err)
	case !errors.Is(err, cause) || !errors.Is(err, ctx.Err()):
		w.fault(a, "error %v, but the context ended with %v and %v", err, ctx.Err(), cause)
	case !w.founded(err):
		w.fault(a, "error that nobody has caused: %v", err)
	}
}

// body is the function of an actor. It keeps book of its own end.
func (w *world) body(a *actor) func(ctx context.Context) (int, error) {
	return func(ctx context.Context) (v int, err error) {
		fate := &w.fate[a.id]
		if fate.begun {
			w.fault(a, "begins twice")
		}
		fate.begun = true
		w.note(a, "begins")
		defer func() {
			r := recover()
			*fate = outcome{true, true, err, r}
			w.order = append(w.order, a.id)
			w.note(a, "ends %v %v", err, r)
			w.ends[a.id].Resolve(a.value())
			if r != nil {
				panic(r)
			}
		}()
		err = w.steps(ctx, a, a.steps)
		if a.cleanup > 0 {
			if e := repaint.Sleep(context.WithoutCancel(ctx), a.cleanup); e != nil {
				w.fault(a, "cleaning up: %v", e)
			}
		}
		if a.panics {
			panic(w.cause(a, "panic"))
		}
		if a.fails && err == nil {
			err = w.cause(a, "failure")
			w.known[err] = time.Time{} // it goes up, and so ends others when it arrives there
		}
		return a.value(), err
	}
}

func (w *world) steps(ctx context.Context, a *actor, steps []step) error {
	var mine []*actor
	for i, s := range steps {
		if w.points++; w.points == w.strikes {
			w.strike()
		}
		err := w.step(ctx, a, s)
		w.note(a, "step %d: %v", i, err)
		if err != nil && !a.swallow {
			return err
		}
		if s.op == spawns {
			mine = append(mine, s.below...)
		}
	}
	if a.joins {
		for _, child := range mine {
			if err := w.await(ctx, a, child.id, w.tasks[child.id]); err != nil && !a.swallow {
				return err
			}
		}
	}
	return nil
}

func (w *world) step(ctx context.Context, a *actor, s step) (err error) {
	switch s.op {
	case yield, sleep:
		d := s.d
		if s.op == yield {
			d = 0
		}
		before := w.loop.Now()
		err = repaint.Sleep(ctx, d)
		if passed := w.loop.Now().Sub(before); err == nil && passed < d {
			w.fault(a, "woke %v too early", d-passed)
		}
		w.excused(ctx, a, before, err)
	case spawns:
		for _, child := range s.below {
			w.tasks[child.id] = repaint.Spawn(ctx, w.body(child))
		}
	case awaits, watches:
		target := w.target(a, s.n)
		switch {
		case target == 0:
		case s.op == watches && w.fate[target].begun:
			before := w.loop.Now()
			_, err = repaint.Await(ctx, w.ends[target].Future())
			if err == nil && !w.fate[target].ended {
				w.fault(a, "was told of an end that hasn't come, of %d", target)
			}
			w.excused(ctx, a, before, err)
		case s.op == awaits && w.tasks[target] != nil:
			err = w.await(ctx, a, target, w.tasks[target])
		}
	case cancels:
		if target := w.target(a, s.n); target > 0 && w.tasks[target] != nil {
			was := w.fate[target].ended
			if did := w.tasks[target].Cancel(w.cause(a, "cancel")); did && was {
				w.fault(a, "could cancel %d, which had ended", target)
			}
		}
	case revokes:
		if len(w.revoke) > 0 {
			w.revoke[s.n%len(w.revoke)](w.cause(a, "end of a context"))
		}
	case timeout:
		inner, cancel := repaint.WithTimeout(ctx, s.d)
		defer cancel()
		_ = w.steps(inner, a, s.inner)
	case derives:
		inner, cancel := context.WithCancelCause(ctx)
		defer func() { cancel(w.cause(a, "leaving")) }()
		w.revoke = append(w.revoke, cancel)
		_ = w.steps(inner, a, s.inner)
	case detaches:
		_ = w.steps(context.WithoutCancel(ctx), a, s.inner)
	default:
		err = w.many(ctx, a, s)
	}
	return err
}

// target chooses an actor that a may wait for, 0 if there is none.
func (w *world) target(a *actor, n int) int {
	above := len(w.actors) - a.id - 1
	if above == 0 {
		return 0
	}
	return a.id + 1 + n%above
}

// caught calls fn and returns the panic that came out of it.
func caught(fn func()) (r any) {
	defer func() { r = recover() }()
	fn()
	return nil
}

// await waits for a task, and checks that what comes out is what went in.
func (w *world) await(ctx context.Context, a *actor, id int, task *repaint.Task[int]) error {
	var v int
	var err error
	fate, before := &w.fate[id], w.loop.Now()
	if r := caught(func() { v, err = repaint.Await(ctx, task) }); r != nil {
		if p, ok := r.(*loop.PanicError); !ok || !fate.ended || fate.panicked == nil || !w.founded(p) {
			w.fault(a, "panic %v out of %d, which ended with %v", r, id, fate.panicked)
		}
		return nil // what panicked has been dealt with
	}
	switch {
	case fate.ended && (err == fate.err || err != nil && fate.err != nil && err.Error() == fate.err.Error()):
		if err == nil && v != w.actors[id].value() {
			w.fault(a, "got %d from %d", v, id)
		}
		if err == nil {
			w.excused(ctx, a, before, nil)
		}
		if err != nil && w.calm {
			w.fault(a, "error of %d in a calm program: %v", id, err)
		}
	case err == nil:
		w.fault(a, "got a result from %d, which has ended: %v, with %v", id, fate.ended, fate.err)
	default:
		w.excused(ctx, a, before, err)
	}
	return err
}

// many runs the actors below in a way that waits for all of them, and checks that it has.
func (w *world) many(ctx context.Context, a *actor, s step) (err error) {
	var fns []func(context.Context) (int, error)
	limit := s.n % 4
	if s.op != group && s.op != each {
		limit = 0
	}
	running := 0
	for _, child := range s.below {
		fn := w.body(child)
		fns = append(fns, func(ctx context.Context) (int, error) {
			if running++; limit > 0 && running > limit {
				w.fault(a, "%d run, the limit being %d", running, limit)
			}
			defer func() { running-- }()
			return fn(ctx)
		})
	}
	before := len(w.order)
	leaveAfter := int(s.d / time.Millisecond)
	if w.calm {
		leaveAfter = 0 // to leave cancels
	}
	mayStay := s.op == each // what it has not begun
	// completed returns those below in the order in which they have ended.
	completed := func() (ids []int) {
		for _, id := range w.order[before:] {
			if slices.ContainsFunc(s.below, func(c *actor) bool { return c.id == id }) {
				ids = append(ids, id)
			}
		}
		return ids
	}
	r := caught(func() {
		switch s.op {
		case group:
			g := repaint.NewGroup(ctx)
			g.SetLimit(limit)
			for _, fn := range fns {
				g.Go(func(ctx context.Context) error {
					_, err := fn(ctx)
					return err
				})
			}
			err = g.Wait()
		case gather:
			var got []int
			got, err = repaint.Gather(ctx, fns...)
			for i, child := range s.below {
				if got[i] != child.value() && w.fate[child.id].panicked == nil {
					w.fault(a, "gathered %d from %d", got[i], child.id)
				}
			}
		case each:
			i := 0
			call := func(ctx context.Context, fn func(context.Context) (int, error)) (int, error) { return fn(ctx) }
			for v, e := range repaint.Each(ctx, limit, slices.Values(fns), call) {
				if i < len(fns) && w.fate[s.below[i].id].ended && (v == s.below[i].value() || e != nil) {
					err = errors.Join(err, e)
				} else if ctx.Err() == nil || e == nil {
					w.fault(a, "the result at %d is %d, %v", i, v, e)
				}
				if i++; i == leaveAfter {
					break
				}
			}
		case asDone:
			i := 0
			for v, e := range repaint.AsCompleted(ctx, fns...) {
				if done := completed(); w.actors[done[i]].value() != v {
					w.fault(a, "the value at %d is %d, but the order is %v", i, v, done)
				}
				err = errors.Join(err, e)
				if i++; i == leaveAfter {
					break
				}
			}
		case first:
			var v int
			if len(fns) == 0 {
				break
			}
			if v, err = repaint.First(ctx, fns...); err == nil {
				i := slices.IndexFunc(completed(), func(id int) bool { return w.fate[id].err == nil })
				if i < 0 || w.actors[completed()[i]].value() != v {
					w.fault(a, "the first is %d, but the order is %v", v, completed())
				}
			}
		}
	})
	if r != nil {
		if p, ok := r.(*loop.PanicError); !ok || !w.founded(p) {
			w.fault(a, "panic %v out of many", r)
		}
	}
	for _, child := range s.below {
		if fate := w.fate[child.id]; !fate.ended && (fate.begun || !mayStay) {
			w.fault(a, "%d was left behind", child.id)
		}
	}
	if err != nil && (w.calm || !w.founded(err)) {
		w.fault(a, "error that nobody has caused: %v", err)
	}
	return err
}

// run runs the program in a loop, under a seed; 0 is the order of an ordinary loop.
// At wait number strikes a cancel comes: immediate, or a turn later. It returns the trace, and what was wrong.
func (p *program) run(parent context.Context, seed uint64, strikes int, immediate bool) (trace string, wrong []string) {
	n := len(p.actors)
	w := &world{
		program: p, tasks: make([]*repaint.Task[int], n), ends: make([]*loop.Promise[int], n), fate: make([]outcome, n),
		known: make(map[error]time.Time), strikes: strikes,
	}
	main := &actor{id: -1}
	options := []loop.Option{loop.WithVirtualClock(time.Unix(0, 0)), loop.WithReport(func(err error) { w.fault(main, "report: %v", err) })}
	if seed > 0 {
		options = append(options, loop.WithSeed(seed))
	}
	err := repaint.Run(parent, func(ctx context.Context) error {
		w.loop = repaint.CurrentLoop()
		for i := range w.ends {
			w.ends[i] = loop.NewPromise[int](w.loop)
			w.ends[i].OnCancel(func(error) {})
		}
		inner, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		w.strike = func() {
			end := func() { cancel(w.cause(main, "strike")) }
			if immediate {
				end()
			} else {
				w.loop.CallSoon(end)
			}
		}
		w.tasks[0] = repaint.Spawn(inner, w.body(p.actors[0]))
		for again := true; again; {
			again = false
			for id, task := range w.tasks {
				if task != nil && !task.Done() {
					again = true // those that come meanwhile may stand before it
				}
				if task != nil {
					if err := w.await(ctx, main, id, task); errors.Is(err, loop.ErrDeadlock) {
						return err
					}
				}
			}
		}
		for _, a := range p.actors {
			if fate := w.fate[a.id]; fate.begun && !fate.ended {
				w.fault(a, "never ended")
			} else if p.calm && (!fate.begun || fate.err != nil) {
				w.fault(a, "in a calm program it must begin and end well, but: %t, %v", fate.begun, fate.err)
			}
		}
		if s := repaint.CurrentStats(); s.Tasks+s.Waiting+s.Timers > 0 {
			w.fault(main, "left behind: %+v", s)
		}
		return nil
	}, options...)
	if err != nil {
		w.fault(main, "%v", err)
	}
	return w.trace.String(), w.wrong
}

// difference shows where two traces part.
func difference(one, two string) string {
	a, b := strings.Split(one, "\n"), strings.Split(two, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return fmt.Sprintf("at line %d:\n%s\n\n%s", i, strings.Join(a[max(i-3, 0):min(i+2, len(a))], "\n"), strings.Join(b[min(max(i-3, 0), len(b)):min(i+2, len(b))], "\n"))
		}
	}
	return "one goes on longer"
}

// seeds calls test for a number of seeds, or only for the one in REPAINT_SEED.
func seeds(t *testing.T, n int, test func(t *testing.T, seed uint64)) {
	from, to := uint64(1), uint64(n)
	if text := os.Getenv("REPAINT_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		from, to = seed, seed
	}
	if testing.Short() {
		to = min(to, from+9)
	}
	for seed := from; seed <= to; seed++ {
		test(t, seed)
		if t.Failed() {
			t.Fatalf("repeat it with REPAINT_SEED=%d go test -run '^%s$'", seed, t.Name())
		}
	}
}

// sizeOf is up to a thousand actors, few of them often.
func sizeOf(seed uint64) int {
	if seed%20 == 0 {
		return 1000
	}
	return 5 + int(seed*37%120)
}

func TestRandomProgramsEndAndRepeatUnderTheSameSeed(t *testing.T) {
	leakcheck.Test(t)
	seeds(t, 80, func(t *testing.T, seed uint64) {
		p := newProgram(chance(seed), sizeOf(seed), seed%3 == 0)
		for _, schedule := range []uint64{0, seed} {
			one, wrong := p.run(t.Context(), schedule, 0, false)
			if len(wrong) > 0 {
				t.Errorf("schedule %d:\n%s", schedule, strings.Join(wrong, "\n"))
				return
			}
			two, _ := p.run(t.Context(), schedule, 0, false)
			if one != two {
				t.Errorf("schedule %d gives two traces, which differ %s", schedule, difference(one, two))
			}
		}
	})
}

func TestRandomProgramsTakeOtherOrdersUnderOtherSeeds(t *testing.T) {
	leakcheck.Test(t)
	seeds(t, 4, func(t *testing.T, seed uint64) {
		p := newProgram(chance(seed), 300, true)
		traces := make(map[string]uint64)
		for schedule := range uint64(8) {
			trace, wrong := p.run(t.Context(), schedule, 0, false)
			require.Empty(t, strings.Join(wrong, "\n"))
			if same, ok := traces[trace]; ok {
				t.Errorf("schedules %d and %d give the same trace", same, schedule)
			}
			traces[trace] = schedule
		}
	})
}

func TestRandomProgramsEndWhereverACancelStrikes(t *testing.T) {
	leakcheck.Test(t)
	seeds(t, 8, func(t *testing.T, seed uint64) {
		p := newProgram(chance(seed), 12, false)
		for strikes := 1; strikes <= 60; strikes++ {
			for _, immediate := range []bool{true, false} {
				_, wrong := p.run(t.Context(), seed%4*seed, strikes, immediate)
				if len(wrong) > 0 {
					t.Errorf("cancel at wait %d, immediate: %t:\n%s", strikes, immediate, strings.Join(wrong, "\n"))
					return
				}
			}
		}
	})
}

// FuzzSchedules takes from its input the schedule, the wait at which a cancel comes, and the program.
func FuzzSchedules(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 1, 5, 6, 3, 1, 4, 1, 5})
	f.Add([]byte{7, 12, 0, 3, 6, 2, 9, 4, 4, 4, 4, 12, 1, 2, 3})
	f.Add([]byte("a timeout in a group, which is in a group"))
	f.Fuzz(func(t *testing.T, data []byte) {
		next := choiceOf(data)
		seed, strikes, kind := uint64(next(256)), next(256), next(4)
		p := newProgram(next, 40, kind == 3 && strikes == 0)
		one, wrong := p.run(t.Context(), seed, strikes, kind == 1)
		if len(wrong) > 0 {
			t.Fatal(strings.Join(wrong, "\n"))
		}
		if two, _ := p.run(t.Context(), seed, strikes, kind == 1); one != two {
			t.Fatalf("the same input gives two traces, which differ %s", difference(one, two))
		}
	})
}
