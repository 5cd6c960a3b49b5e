package bridgetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

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

// cause makes an error that names the actor that has caused something, and remembers it.
func (w *world) cause(a *actor, what string) error {
	err := fmt.Errorf("%s by %d, number %d", what, a.id, len(w.known))
	w.known[err] = w.loop.Now()
	return err
}

// founded reports whether everything that an error consists of has a cause in the program.
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

// excused checks what a wait has returned. If it's an error, the context must have ended, and for a
// reason. Error or not, no task waits on when the context has ended.
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

// body is the function of an actor. It records its own end.
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
		leaveAfter = 0 // leaving cancels
	}
	mayStay := s.op == each // an Each that its caller leaves begins no more actors
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

// run runs the program in a loop, under a seed; 0 is the order of an ordinary loop. At wait number
// strikes a cancel comes: immediate, or a turn later. It returns the trace, and what was wrong.
func (p *program) run(parent context.Context, seed uint64, strikes int, immediate bool) (trace string, wrong []string) {
	n := len(p.actors)
	w := &world{
		program: p, tasks: make([]*repaint.Task[int], n), ends: make([]*loop.Promise[int], n), fate: make([]outcome, n),
		known: make(map[error]time.Time), strikes: strikes,
	}
	main := &actor{id: -1}
	options := []loop.Option{loop.VirtualClock(time.Unix(0, 0)), loop.ReportTo(func(err error) { w.fault(main, "report: %v", err) })}
	if seed > 0 {
		options = append(options, loop.Seed(seed))
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
		s := repaint.CurrentStats()
		fmt.Fprintf(&w.trace, "%d ticks, %d callbacks, %d sleeps, most that waited: %d\n", s.Ticks, s.Callbacks, s.Sleeps, s.MaxWaiting)
		return nil
	}, options...)
	if err != nil {
		w.fault(main, "%v", err)
	}
	return w.trace.String(), w.wrong
}
