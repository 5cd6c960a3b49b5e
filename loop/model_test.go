package loop_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// Random programs run on a loop and on a model of one, and must do the same.
// The model has no locks, no heap and no clever lists: its order is plain to see.
func TestRandomProgramsDoWhatTheModelDoes(t *testing.T) {
	leakcheck.Test(t)
	seeds := uint64(1500)
	if testing.Short() {
		seeds = 200
	}
	for seed := range seeds {
		onModel, onLoop := newProgram(seed, new(model)), newProgram(seed, newRealWorld())
		onModel.run()
		onLoop.run()
		same := 0
		for same < min(len(onModel.trace), len(onLoop.trace)) && onModel.trace[same] == onLoop.trace[same] {
			same++
		}
		require.Equal(t, onModel.trace[same:], onLoop.trace[same:], "seed %d, after %q", seed, onModel.trace[:same])
	}
}

// A world is what a program acts on.
type world interface {
	now() time.Duration
	soon(fn func())
	post(fn func())
	later(d time.Duration, fn func()) worldTimer
	at(moment time.Duration, fn func()) worldTimer
	promise(onCancel func()) worldPromise
	hook(fn func()) (remove func())
	// run returns when nothing is left to do. A callback's panic passes through.
	run()
	stats() loop.Stats
}

type worldTimer interface {
	Stop() bool
	Reset(d time.Duration)
}

type worldPromise interface {
	onDone(fn func())
	resolve(v int) bool
	reject() bool
	cancel() bool
	result() string
}

// A program does random things. As long as the same things happen to it, only its seed decides what
// it does.
type program struct {
	world    world
	random   *rand.Rand
	trace    diary
	left     int // callbacks that may still be made
	last     int // the number of the last one
	timers   []worldTimer
	promises []worldPromise
	hooks    []func() // each removes its hook
}

func newProgram(seed uint64, w world) *program {
	return &program{world: w, random: rand.New(rand.NewPCG(seed, 0)), left: 60}
}

func (p *program) run() {
	for p.left > 0 {
		for range 1 + p.random.IntN(4) {
			p.act()
		}
		for p.panics() {
		}
		p.note("dry")
	}
	p.note("%+v", p.world.stats())
}

// panics runs the world, and reports whether a callback panicked.
func (p *program) panics() (yes bool) {
	defer func() {
		if r := recover(); r != nil {
			p.note("panic %v", r)
			yes = true
		}
	}()
	p.world.run()
	return false
}

func (p *program) note(format string, args ...any) {
	p.trace.note(fmt.Sprintf("%v: ", p.world.now()) + fmt.Sprintf(format, args...))
}

// callback makes a callback that does random things.
func (p *program) callback(kind string) func() {
	p.left--
	p.last++
	id := p.last
	return func() {
		p.note("%s %d", kind, id)
		for range p.random.IntN(4) {
			p.act()
		}
		if p.random.IntN(25) == 0 {
			panic(id)
		}
	}
}

func (p *program) act() {
	if p.left <= 0 {
		return
	}
	switch p.random.IntN(16) {
	case 0, 1:
		p.world.soon(p.callback("soon"))
	case 2:
		p.world.post(p.callback("post"))
	case 3, 4:
		p.timers = append(p.timers, p.world.later(p.distance(), p.callback("timer")))
	case 5:
		p.timers = append(p.timers, p.world.at(p.world.now()+p.distance(), p.callback("timer")))
	case 6:
		if t, ok := pick(p, p.timers); ok {
			p.note("stop: %v", t.Stop())
		}
	case 7:
		if t, ok := pick(p, p.timers); ok {
			p.left--
			t.Reset(p.distance())
		}
	case 8:
		p.promises = append(p.promises, p.newPromise())
	case 9, 10:
		if f, ok := pick(p, p.promises); ok {
			f.onDone(p.callback("done"))
		}
	case 11:
		if f, ok := pick(p, p.promises); ok {
			p.note("resolve: %v", f.resolve(p.last))
		}
	case 12:
		if f, ok := pick(p, p.promises); ok {
			p.note("reject: %v", f.reject())
		}
	case 13:
		if f, ok := pick(p, p.promises); ok {
			p.note("cancel: %v", f.cancel())
			p.note("then: %v", f.result())
		}
	case 14:
		if p.random.IntN(3) == 0 {
			p.hooks = append(p.hooks, p.world.hook(p.callback("hook")))
		}
	case 15:
		if remove, ok := pick(p, p.hooks); ok {
			remove()
		}
	}
}

func (p *program) distance() time.Duration { return time.Duration(p.random.IntN(8) - 2) }

// newPromise makes a promise, some of them with an owner.
func (p *program) newPromise() worldPromise {
	var f worldPromise
	var onCancel func()
	switch p.random.IntN(4) {
	case 0:
		onCancel = func() { p.note("owner rejects: %v", f.reject()) }
	case 1:
		onCancel = func() { p.note("owner ignores it") }
	}
	f = p.world.promise(onCancel)
	return f
}

func pick[T any](p *program, from []T) (picked T, ok bool) {
	if len(from) == 0 {
		return picked, false
	}
	return from[p.random.IntN(len(from))], true
}

// A realWorld is a loop. Every other time it's another goroutine that posts, completes or cancels.
type realWorld struct {
	*loop.Loop
	turn int
}

func newRealWorld() *realWorld { return &realWorld{Loop: loop.New(loop.VirtualClock(epoch))} }

func (w *realWorld) somewhere(fn func()) {
	if w.turn++; w.turn%2 == 0 {
		fn()
	} else {
		elsewhere(fn)
	}
}

func (w *realWorld) now() time.Duration                          { return w.Now().Sub(epoch) }
func (w *realWorld) soon(fn func())                              { w.CallSoon(fn) }
func (w *realWorld) post(fn func())                              { w.somewhere(func() { w.Post(fn) }) }
func (w *realWorld) later(d time.Duration, fn func()) worldTimer { return w.CallLater(d, fn) }
func (w *realWorld) at(when time.Duration, fn func()) worldTimer {
	return w.CallAt(epoch.Add(when), fn)
}
func (w *realWorld) hook(fn func()) (remove func()) { return w.OnTickEnd(fn) }
func (w *realWorld) stats() loop.Stats              { return w.Stats() }
func (w *realWorld) promise(onCancel func()) worldPromise {
	p := realPromise{w, loop.NewPromise[int](w.Loop)}
	if onCancel != nil {
		p.OnCancel(func(error) { onCancel() })
	}
	return p
}

func (w *realWorld) run() {
	if err := w.Drive(never); err != loop.ErrDeadlock {
		panic(err)
	}
}

type realPromise struct {
	world *realWorld
	*loop.Promise[int]
}

func (p realPromise) onDone(fn func()) { p.Future().OnDone(p.world.Loop, fn) }

func (p realPromise) resolve(v int) (ok bool) {
	p.world.somewhere(func() { ok = p.Resolve(v) })
	return ok
}

func (p realPromise) reject() (ok bool) {
	p.world.somewhere(func() { ok = p.Reject(errTest) })
	return ok
}

func (p realPromise) cancel() (ok bool) {
	p.world.somewhere(func() { ok = p.Future().Cancel(nil) })
	return ok
}

func (p realPromise) result() string { return fmt.Sprint(p.Future().Result()) }

// A model is a loop for reading.
type model struct {
	time    time.Duration
	ready   []modelCall   // for the next tick
	batch   []modelCall   // left of this tick
	begun   bool          // this tick's hooks are still to come
	timers  []*modelTimer // those that are set, in the order in which they were set
	hooks   []*modelHook
	ending  []*modelHook // left of the end of this tick
	counted loop.Stats
}

type modelCall struct {
	timer *modelTimer // the timer whose callback it is; nil for other callbacks
	fn    func()
}

type modelHook struct {
	fn      func()
	removed bool
}

func (m *model) run() {
	atOnce := true // the hooks, if there are any and nothing is ready
	for {
		if !m.begun && len(m.ending) == 0 {
			m.batch, m.ready = m.ready, nil
			m.takeTimers()
			if len(m.batch) == 0 && !(atOnce && len(m.hooks) > 0) {
				if len(m.timers) == 0 {
					return
				}
				m.time = max(m.time, m.earliest().when)
				continue
			}
			m.counted.Ticks++
			m.begun = true
		}
		if len(m.ending) == 0 {
			for len(m.batch) > 0 {
				call := m.batch[0]
				m.batch = m.batch[1:]
				m.counted.Callbacks++
				call.fn()
			}
			m.ending = slices.Clone(m.hooks)
			m.begun, atOnce = false, false
		}
		for len(m.ending) > 0 {
			h := m.ending[0]
			m.ending = m.ending[1:]
			if !h.removed {
				h.fn()
			}
		}
	}
}

func (m *model) earliest() *modelTimer {
	return slices.MinFunc(m.timers, func(a, b *modelTimer) int { return int(a.when - b.when) })
}

func (m *model) takeTimers() {
	for len(m.timers) > 0 && m.earliest().when <= m.time {
		t := m.earliest()
		t.Stop()
		m.batch = append(m.batch, modelCall{t, t.fn})
	}
}

func (m *model) now() time.Duration { return m.time }
func (m *model) soon(fn func())     { m.ready = append(m.ready, modelCall{fn: fn}) }
func (m *model) post(fn func())     { m.soon(fn) }
func (m *model) stats() loop.Stats  { return m.counted }

func (m *model) hook(fn func()) (remove func()) {
	h := &modelHook{fn: fn}
	m.hooks = append(m.hooks, h)
	return func() {
		h.removed = true
		m.hooks = slices.DeleteFunc(slices.Clone(m.hooks), func(o *modelHook) bool { return o.removed })
	}
}

func (m *model) later(d time.Duration, fn func()) worldTimer {
	return m.at(m.time+max(d, 0), fn)
}

func (m *model) at(when time.Duration, fn func()) worldTimer {
	t := &modelTimer{m, when, fn}
	m.timers = append(m.timers, t)
	return t
}

type modelTimer struct {
	model *model
	when  time.Duration
	fn    func()
}

func (t *modelTimer) Stop() bool {
	m := t.model
	before := len(m.timers) + len(m.batch)
	m.timers = slices.DeleteFunc(slices.Clone(m.timers), func(o *modelTimer) bool { return o == t })
	m.batch = slices.DeleteFunc(slices.Clone(m.batch), func(c modelCall) bool { return c.timer == t })
	return len(m.timers)+len(m.batch) < before
}

func (t *modelTimer) Reset(d time.Duration) {
	t.Stop()
	t.when = t.model.time + max(d, 0)
	t.model.timers = append(t.model.timers, t)
}

func (m *model) promise(onCancel func()) worldPromise {
	return &modelPromise{model: m, onCancel: onCancel}
}

type modelPromise struct {
	model    *model
	onCancel func()
	told     bool // whether its owner was told of a cancel
	done     bool
	value    int
	err      error
	waiting  []func()
}

func (p *modelPromise) complete(v int, err error) bool {
	if p.done {
		return false
	}
	p.done, p.value, p.err = true, v, err
	for _, fn := range p.waiting {
		p.model.soon(fn)
	}
	return true
}

func (p *modelPromise) resolve(v int) bool { return p.complete(v, nil) }
func (p *modelPromise) reject() bool       { return p.complete(0, errTest) }

func (p *modelPromise) onDone(fn func()) {
	if p.done {
		p.model.soon(fn)
	} else {
		p.waiting = append(p.waiting, fn)
	}
}

func (p *modelPromise) cancel() bool {
	switch {
	case p.done:
		return false
	case p.onCancel == nil:
		return p.complete(0, context.Canceled)
	case !p.told:
		p.told = true
		p.onCancel()
	}
	return true
}

func (p *modelPromise) result() string {
	if !p.done {
		return fmt.Sprint(0, loop.ErrPending)
	}
	return fmt.Sprint(p.value, p.err)
}
