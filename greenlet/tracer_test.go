package greenlet_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
)

// A traceLog records events, with its own names for greenlets.
type traceLog struct {
	events []string
	names  map[*greenlet.Greenlet]string
}

func newTraceLog() *traceLog {
	return &traceLog{names: map[*greenlet.Greenlet]string{greenlet.Current(): "root"}}
}

func (l *traceLog) note(event greenlet.Event, origin, target *greenlet.Greenlet) {
	l.events = append(l.events, fmt.Sprint(event, " ", l.names[origin], ">", l.names[target]))
}

// take returns what was noted since the last time.
func (l *traceLog) take() []string {
	e := l.events
	l.events = nil
	return e
}

func TestTracerSeesEveryTransfer(t *testing.T) {
	root := inFamily(t)
	for _, scope := range []string{"family", "global"} {
		log := newTraceLog()
		var remove func()
		if scope == "family" {
			remove = root.Family().AddTracer(log.note)
		} else {
			remove = greenlet.AddTracer(log.note)
		}
		boom := errors.New("boom")
		named := func(name string, run greenletFunc, opts ...greenlet.Option) *greenlet.Greenlet {
			g := greenlet.New(run, opts...)
			log.names[g] = name
			return g
		}
		step(t, "switches, and death by return", func() {
			g := named("g", func(any) (any, error) { return root.Switch(1) })
			_, _ = g.Switch(nil)
			_, _ = g.Switch(nil)
			require.Equal(t, []string{"switch root>g", "switch g>root", "switch root>g", "switch g>root"}, log.take())
		})
		step(t, "throw, and death by error", func() {
			g := named("g", func(any) (any, error) { return root.Switch(1) })
			_, _ = g.Switch(nil)
			_, err := g.Throw(boom)
			require.Equal(t, boom, err)
			require.Equal(t, []string{"switch root>g", "switch g>root", "throw root>g", "throw g>root"}, log.take())
		})
		step(t, "ErrExit arrives as a value", func() {
			g := named("g", func(any) (any, error) { return root.Switch(1) })
			_, _ = g.Switch(nil)
			_, _ = g.Throw(nil)
			require.Equal(t, []string{"switch root>g", "switch g>root", "throw root>g", "switch g>root"}, log.take())
		})
		step(t, "death by panic and kill", func() {
			g := named("g", func(any) (any, error) { panic(boom) })
			require.Panics(t, func() { _, _ = g.Switch(nil) })
			require.Equal(t, []string{"switch root>g", "throw g>root"}, log.take())
			g = named("g", func(any) (any, error) { return root.Switch(1) })
			_, _ = g.Switch(nil)
			require.NoError(t, g.Kill())
			require.Equal(t, []string{"switch root>g", "switch g>root", "throw root>g", "switch g>root"}, log.take())
		})
		step(t, "switches to and throws into oneself", func() {
			_, _ = root.Switch(1)
			_, _ = root.Throw(boom)
			require.Equal(t, []string{"switch root>root", "throw root>root"}, log.take())
		})
		step(t, "to a dead one: what really happens", func() {
			g := named("g", echo)
			_, _ = g.Switch(nil)
			log.take()
			_, _ = g.Switch(nil)
			require.Equal(t, []string{"switch root>root"}, log.take())
		})
		step(t, "siblings, and death in another's hands", func() {
			var one, two *greenlet.Greenlet
			one = named("one", func(any) (any, error) { return two.Switch(nil) })
			two = named("two", echo, greenlet.Parent(one))
			_, _ = one.Switch(nil)
			require.Equal(t, []string{"switch root>one", "switch one>two", "switch two>one", "switch one>root"}, log.take())
		})
		step(t, "an error passes through unstarted parents", func() {
			parent := named("parent", echo)
			child := named("child", func(any) (any, error) { return nil, boom }, greenlet.Parent(parent))
			_, err := child.Switch(nil)
			require.Equal(t, boom, err)
			require.True(t, parent.Dead())
			require.Equal(t, []string{"switch root>child", "throw child>parent", "throw parent>root"}, log.take())
			unstarted := named("unstarted", echo)
			v, err := unstarted.Throw(nil)
			require.Equal(t, greenlet.ErrExit, must(t, v, err))
			require.Equal(t, []string{"throw root>unstarted", "switch unstarted>root"}, log.take())
		})
		remove()
		remove() // again is fine
		_, _ = greenlet.New(echo).Switch(nil)
		require.Empty(t, log.take(), "removed")
	}
}

func TestTracerSeesGoexitAsThrow(t *testing.T) {
	var log *traceLog
	require.True(t, endsBy(func() {
		log = newTraceLog()
		greenlet.Current().Family().AddTracer(log.note)
		g := greenlet.New(func(any) (any, error) { runtime.Goexit(); return nil, nil })
		log.names[g] = "g"
		_, _ = g.Switch(nil)
	}))
	require.Equal(t, []string{"switch root>g", "throw g>root"}, log.take())
}

func TestSeveralTracersAreCalledInOrder(t *testing.T) {
	root := inFamily(t)
	var log []string
	note := func(name string) greenlet.Tracer {
		return func(greenlet.Event, *greenlet.Greenlet, *greenlet.Greenlet) { log = append(log, name) }
	}
	removeFirst := root.Family().AddTracer(note("family 1"))
	removeSecond := root.Family().AddTracer(note("family 2"))
	removeGlobal := greenlet.AddTracer(note("global"))
	_, _ = root.Switch(nil)
	require.Equal(t, []string{"global", "family 1", "family 2"}, log)
	removeFirst()
	log = nil
	_, _ = root.Switch(nil)
	require.Equal(t, []string{"global", "family 2"}, log)
	removeGlobal()
	removeSecond()
	log = nil
	_, _ = root.Switch(nil)
	require.Empty(t, log)
}

func TestTracerAddedInAGreenletSeesItsEnd(t *testing.T) {
	root := inFamily(t)
	log := newTraceLog()
	g := greenlet.New(func(any) (any, error) {
		root.Family().AddTracer(log.note)
		return nil, nil
	})
	log.names[g] = "g"
	_, _ = g.Switch(nil)
	require.Equal(t, []string{"switch g>root"}, log.take())
}

func TestGlobalTracerSeesAllFamilies(t *testing.T) {
	inFamily(t)
	var mu sync.Mutex
	seen := make(map[*greenlet.Family]int)
	remove := greenlet.AddTracer(func(_ greenlet.Event, _, target *greenlet.Greenlet) {
		mu.Lock()
		defer mu.Unlock()
		seen[target.Family()]++
	})
	defer remove()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			f, _ := greenlet.Enter()
			defer f.Close()
			_, _ = greenlet.New(echo).Switch(nil)
		})
	}
	wg.Wait()
	_, _ = greenlet.New(echo).Switch(nil)
	require.Len(t, seen, 5)
	for _, n := range seen {
		require.Equal(t, 2, n)
	}
}

// The expected log comes from a test of Python's greenlet (fail_switch_three_greenlets2.py).
func TestTracerThatSwitchesLosesNothing(t *testing.T) {
	root := inFamily(t)
	var log []string
	note := func(what string, v any) { log = append(log, fmt.Sprint(what, " ", v)) }
	var one, two *greenlet.Greenlet
	once := true
	root.Family().AddTracer(func(event greenlet.Event, _, _ *greenlet.Greenlet) {
		note("trace", event)
		if once {
			once = false
			_, _ = two.Switch("two from tracer")
		}
	})
	one = greenlet.New(func(arg any) (any, error) {
		note("one got", arg)
		v, _ := root.Switch("from one")
		note("one got from parent", v)
		return "one done", nil
	})
	two = greenlet.New(func(arg any) (any, error) {
		note("two got", arg)
		v, _ := root.Switch("from two")
		note("two got from parent", v)
		return "two done", nil
	})
	for _, s := range []struct {
		to  *greenlet.Greenlet
		arg any
	}{{one, "one from root"}, {one, "lost in the tracer"}, {one, "one from root 2"}, {two, nil}} {
		v, err := s.to.Switch(s.arg)
		note("root got", must(t, v, err))
	}
	require.Equal(t, []string{
		"trace switch", "trace switch", "two got two from tracer",
		"trace switch", "root got from two",
		"trace switch", "one got one from root", "trace switch", "root got from one",
		"trace switch", "one got from parent one from root 2", "trace switch", "root got one done",
		"trace switch", "two got from parent <nil>", "trace switch", "root got two done",
	}, log)
}

func TestTracerThatPanicsIsRemovedAndItsPanicThrown(t *testing.T) {
	root := inFamily(t)
	boom := errors.New("boom")
	calls := 0
	add := func() {
		root.Family().AddTracer(func(greenlet.Event, *greenlet.Greenlet, *greenlet.Greenlet) { calls++; panic(boom) })
	}
	step(t, "into a pending Switch", func() {
		var seen error
		g := greenlet.New(func(any) (any, error) {
			_, seen = root.Switch(nil)
			return "fine", nil
		})
		_, _ = g.Switch(nil)
		add()
		v, err := g.Switch("lost")
		require.Equal(t, "fine", must(t, v, err))
		require.ErrorIs(t, seen, boom)
		var p *greenlet.PanicError
		require.ErrorAs(t, seen, &p)
		require.Equal(t, 1, calls)
	})
	step(t, "on a first start: the function doesn't run", func() {
		add()
		g := greenlet.New(func(any) (any, error) { t.Error("must not run"); return nil, nil })
		_, err := g.Switch(nil)
		require.ErrorIs(t, err, boom)
		require.True(t, g.Dead())
	})
	step(t, "on a switch to oneself", func() {
		add()
		_, err := root.Switch(nil)
		require.ErrorIs(t, err, boom)
	})
	step(t, "others stay", func() {
		others := 0
		defer root.Family().AddTracer(func(greenlet.Event, *greenlet.Greenlet, *greenlet.Greenlet) { others++ })()
		add()
		_, err := root.Switch(nil)
		require.ErrorIs(t, err, boom)
		_, err = root.Switch(nil)
		require.NoError(t, err)
		require.Equal(t, 2, others)
	})
	step(t, "a kill isn't lost by it", func() {
		reports := collectReports(t)
		g := greenlet.New(func(any) (any, error) { return root.Switch(nil) })
		_, _ = g.Switch(nil)
		add()
		require.NoError(t, g.Kill())
		require.True(t, g.Dead())
		require.Len(t, *reports, 1)
		require.ErrorIs(t, (*reports)[0], boom)
	})
}

func TestGreenletKilledWhileItsTracerHasSwitchedAway(t *testing.T) {
	root := inFamily(t)
	once := true
	defer root.Family().AddTracer(func(_ greenlet.Event, _, target *greenlet.Greenlet) {
		if once {
			once = false
			_, _ = root.Switch("away")
		}
	})()
	g := greenlet.New(func(any) (any, error) { t.Error("must not run"); return nil, nil })
	v, err := g.Switch(nil)
	require.Equal(t, "away", must(t, v, err))
	require.NoError(t, g.Kill())
	require.True(t, g.Dead())
}

// The next transfer notices a tracer, even if it is added at the very moment at which the family
// looks for changes.
func TestTracerIsNeverOverlooked(t *testing.T) {
	root := inFamily(t)
	f := root.Family()
	seen := false
	tracer := func(greenlet.Event, *greenlet.Greenlet, *greenlet.Greenlet) { seen = true }
	for name, add := range map[string]func() (remove func()){
		"global": func() func() { return greenlet.AddTracer(tracer) },
		"own":    func() func() { return f.AddTracer(tracer) },
	} {
		step(t, name, func() {
			seen = false
			var remove func()
			greenlet.WhileLooking(f, func() { remove = add() })
			defer remove()
			v, err := root.Switch(1)
			require.Equal(t, 1, must(t, v, err))
			require.True(t, seen)
		})
	}
}
