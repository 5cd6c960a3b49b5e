package loop_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
)

func TestTracersSeeTicksSleepsAndTheEndOfTheirLoop(t *testing.T) {
	l := loop.New()
	var kinds []loop.TraceKind
	remove := loop.AddTracer(func(e loop.TraceEvent) {
		if e.Loop == l {
			kinds = append(kinds, e.Kind)
		}
	})
	defer remove()
	require.True(t, loop.Tracing())
	done := false
	l.CallSoon(func() { l.CallLater(time.Millisecond, func() { done = true }) })
	require.NoError(t, l.Drive(func() bool { return done }))
	l.Close()
	want := []loop.TraceKind{loop.TickBegins, loop.TickEnds, loop.SleepBegins, loop.SleepEnds, loop.TickBegins, loop.TickEnds, loop.LoopCloses}
	require.Equal(t, want, kinds)

	remove()
	remove() // does nothing
	l.Close()
	require.Equal(t, want, kinds)
}

func TestTracersAreCalledInTheirOrderUntilTheyAreRemoved(t *testing.T) {
	var seen []string
	add := func(name string) func() {
		return loop.AddTracer(func(e loop.TraceEvent) {
			if e.Track == t.Name() {
				seen = append(seen, name+" "+e.Text)
			}
		})
	}
	one, two := add("one"), add("two")
	tell := func(text string) { loop.Trace(loop.TraceEvent{Kind: loop.Flush, Track: t.Name(), Text: text}) }
	tell("a")
	one()
	tell("b")
	two()
	tell("c")
	require.Equal(t, []string{"one a", "two a", "two b"}, seen)
}

func TestTracersComeAndGoWhileLoopsRun(t *testing.T) {
	l := loop.New()
	defer l.Close()
	over := make(chan struct{})
	var others sync.WaitGroup
	for range 4 {
		others.Go(func() {
			for range 100 {
				seen := make(chan struct{})
				var once sync.Once
				remove := loop.AddTracer(func(e loop.TraceEvent) {
					if e.Loop == l && e.Kind == loop.TickEnds {
						once.Do(func() { close(seen) })
					}
				})
				<-seen
				remove()
			}
		})
	}
	go func() {
		others.Wait()
		close(over)
	}()
	require.NoError(t, l.Drive(func() bool {
		select {
		case <-over:
			return true
		default:
			l.CallSoon(func() {})
			return false
		}
	}))
}
