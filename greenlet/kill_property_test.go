package greenlet_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

// A killProgram is a list of steps. The greenlet that has control does the next step, in its body
// or in one of its two deferred functions. So the log, which says which greenlet did what, shows
// where control went.
type killProgram struct {
	parents  []int // of each greenlet; the first is the root
	stubborn []int // how many panics each greenlet's body recovers from, to go on
	steps    []killStep
	next     int
	log      []string
}

type killStep struct {
	do            killOp
	number        int // makes values distinct
	target, other int
}

type killOp int

const (
	doSwitch killOp = iota
	doThrow
	doThrowExit
	doKill
	doCurrent   // a call that kills garbage
	doForget    // the collector is said to have found the target unreachable
	doSetParent // makes other the parent of the target
	doReturn    // or leave a deferred function
	doFail      // return an error, or leave a deferred function
	doRecover   // recover and leave a deferred function, or return
	doPanic
	doGoexit
	doStop // the end of the program: control goes to the root, which stops
)

func (s killStep) String() string {
	name := [...]string{"switch to", "throw into", "exit", "kill", "current", "forget", "reparent", "return", "fail",
		"recover", "panic", "Goexit", "stop"}[s.do]
	return fmt.Sprintf("%d %s %d", s.number, name, s.target)
}

func (s killStep) value() string { return fmt.Sprint("#", s.number) }

func randomKills(rng *rand.Rand) killProgram {
	var p killProgram
	for i := range 3 + rng.IntN(5) {
		p.parents = append(p.parents, rng.IntN(max(i, 1)))
		p.stubborn = append(p.stubborn, max(0, rng.IntN(5)-2))
	}
	weights := []int{
		doSwitch: 12, doThrow: 1, doThrowExit: 1, doKill: 10, doCurrent: 2, doForget: 3, doSetParent: 1,
		doReturn: 3, doFail: 1, doRecover: 1, doPanic: 1, doGoexit: 1,
	}
	var ops []killOp
	for op, weight := range weights {
		for range weight {
			ops = append(ops, killOp(op))
		}
	}
	for i := range 10 + rng.IntN(50) {
		p.steps = append(p.steps, killStep{
			do: ops[rng.IntN(len(ops))], number: i,
			target: rng.IntN(len(p.parents)), other: rng.IntN(len(p.parents)),
		})
	}
	return p
}

func (p *killProgram) draw() killStep {
	if p.next == len(p.steps) {
		return killStep{do: doStop, number: p.next}
	}
	p.next++
	return p.steps[p.next-1]
}

func (p *killProgram) note(id int, format string, args ...any) {
	p.log = append(p.log, fmt.Sprintf("%d: ", id)+fmt.Sprintf(format, args...))
}

// run runs the program with greenlets, and returns the log.
func (p killProgram) run(t *testing.T) []string {
	w := &killWorld{t: t, killProgram: p}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f, _ := greenlet.Enter()
		defer func() {
			w.closing = true
			if err := f.Close(); err != nil {
				t.Error("closing:", err)
			}
		}()
		old := greenlet.SetReporter(w.reported)
		defer func() { greenlet.SetReporter(old) }()
		w.all = append(w.all, greenlet.Current())
		for i := 1; i < len(p.parents); i++ {
			w.all = append(w.all, greenlet.New(w.body(i), greenlet.Parent(w.all[p.parents[i]])))
		}
		w.loop(0, true)
	}()
	<-done
	return w.log
}

type killWorld struct {
	t *testing.T
	killProgram
	all     []*greenlet.Greenlet
	closing bool // the program has ended, and its greenlets must end too
}

func (w *killWorld) draw() killStep {
	if w.closing {
		return killStep{do: doReturn}
	}
	return w.killProgram.draw()
}

func (w *killWorld) note(id int, format string, args ...any) {
	if !w.closing {
		w.killProgram.note(id, format, args...)
	}
}

func (w *killWorld) body(id int) greenletFunc {
	return func(arg any) (v any, err error) {
		w.note(id, "started with %s", describeValue(arg))
		defer func() {
			if w.deferred(id, 2) {
				_ = recover()
			}
		}()
		defer func() {
			if w.deferred(id, 1) {
				_ = recover()
			}
		}()
		for w.stubborn[id] > 0 {
			if v, err, returned := w.attempt(id); returned {
				return v, err
			}
		}
		return w.loop(id, true)
	}
}

// attempt is the body, but recovers from panics.
func (w *killWorld) attempt(id int) (v any, err error, returned bool) {
	defer func() {
		if returned || w.closing {
			return
		}
		if recover() != nil {
			w.stubborn[id]--
			w.note(id, "survives")
		}
	}()
	v, err = w.loop(id, true)
	return v, err, true
}

func (w *killWorld) deferred(id, phase int) (recovers bool) {
	w.note(id, "phase %d", phase)
	v, _ := w.loop(id, false)
	return v == doRecover
}

// loop does steps until one of them returns. Its value is the body's, or doRecover in a deferred
// function.
func (w *killWorld) loop(id int, body bool) (any, error) {
	for {
		s := w.draw()
		target := w.all[s.target]
		switch s.do {
		case doStop:
			if id == 0 {
				return nil, nil
			}
			w.call(id, s, func() (any, error) { return w.all[0].Switch("stop") })
		case doSwitch:
			w.call(id, s, func() (any, error) { return target.Switch(s.value()) })
		case doThrow:
			w.call(id, s, func() (any, error) { return target.Throw(errors.New(s.value())) })
		case doThrowExit:
			w.call(id, s, func() (any, error) { return target.Throw(nil) })
		case doKill:
			if target == w.all[id] && id != 0 {
				panic(greenlet.KillPanic)
			}
			w.call(id, s, func() (any, error) { return "", target.Kill() })
		case doCurrent:
			w.call(id, s, func() (any, error) { return greenlet.Current(), nil })
		case doForget:
			if s.target != id && s.target != 0 && target.Active() {
				greenlet.Forget(target)
			}
		case doSetParent:
			w.note(id, "%s: %s", s, describeError(target.SetParent(w.all[s.other])))
		default:
			if id == 0 {
				continue
			}
			switch s.do {
			case doReturn:
				return s.value(), nil
			case doFail:
				return nil, errors.New(s.value())
			case doRecover:
				if body {
					return s.value(), nil
				}
				return doRecover, nil
			case doPanic:
				panic(s.value())
			case doGoexit:
				runtime.Goexit()
			}
		}
	}
}

// call notes what a call into the package returns or raises.
func (w *killWorld) call(id int, s killStep, fn func() (any, error)) {
	returned := false
	defer func() {
		if returned {
			return
		}
		r := recover()
		switch p := r.(type) {
		case nil:
			w.note(id, "%s: Goexit", s)
		case *greenlet.PanicError:
			w.note(id, "%s: panic %v", s, p.Value)
		default:
			require.True(w.t, greenlet.IsKill(r), "unexpected panic: %v", r)
			w.note(id, "%s: killed", s)
		}
		if r != nil && id != 0 {
			panic(r)
		}
	}()
	v, err := fn()
	returned = true
	switch {
	case s.do == doCurrent:
		require.Same(w.t, w.all[id], v)
		w.note(id, "%s", s)
	case err == nil:
		w.note(id, "%s: value %s", s, describeValue(v))
	case s.do == doKill && (errors.Is(err, greenlet.ErrSurvived) || errors.Is(err, greenlet.ErrRoot)):
		w.note(id, "%s: %s", s, describeError(err))
	default:
		w.note(id, "%s: error %s", s, describeError(err))
	}
}

func (w *killWorld) reported(err error) {
	for id, g := range w.all {
		if g == greenlet.Lookup() {
			w.note(id, "report %s", describeError(err))
			return
		}
	}
	w.t.Error("reported by an unknown greenlet: ", err)
}

func describeValue(v any) string {
	switch v {
	case greenlet.ErrExit:
		return "exit"
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

func describeError(err error) string {
	var p *greenlet.PanicError
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, greenlet.ErrSurvived):
		return "survived"
	case errors.Is(err, greenlet.ErrRoot):
		return "root"
	case errors.Is(err, greenlet.ErrCycle):
		return "cycle"
	case errors.Is(err, greenlet.ErrExit):
		return "exit"
	case errors.As(err, &p):
		return fmt.Sprint(p.Value)
	case strings.Contains(err.Error(), "runtime.Goexit"):
		return "Goexit"
	}
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err.Error()
}

// Random greenlets kill random greenlets: unstarted ones, suspended ones, some in their deferred
// functions, some in the middle of a kill or of a call that kills garbage, while children panic and
// exit. Everything goes as the model says.
func TestRandomKillsDoWhatTheModelSays(t *testing.T) {
	leakcheck.Test(t)
	n := 20_000
	switch {
	case raceDetector || !greenlet.DescriptorsReadable:
		n = 1_000
	case testing.Short():
		n = 3_000
	}
	for seed := range n {
		p := randomKills(rand.New(rand.NewPCG(uint64(seed), 0)))
		want, got := p.model(), p.run(t)
		for i := range max(len(want), len(got)) {
			if i >= len(want) || i >= len(got) || want[i] != got[i] {
				t.Fatalf("seed %d, line %d differs:\nmodel:\n  %s\nprogram:\n  %s", seed, i,
					strings.Join(want, "\n  "), strings.Join(got, "\n  "))
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d:\n  %s", seed, strings.Join(got, "\n  "))
		}
	}
}
