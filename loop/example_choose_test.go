package loop_test

import (
	"fmt"
	"time"

	"github.com/seed1239206e/repaint/loop"
)

// A part of a job, which several callbacks continue.
type part struct {
	job  string
	step int
}

// RunInLoop implements loop.Runnable.
func (p part) RunInLoop() { fmt.Println(p.job, p.step) }

// LoopOwner implements loop.Owned: a Chooser sees whose callbacks are ready.
func (p part) LoopOwner() string { return p.job }

// Prefers runs the callbacks of one job first.
type prefers string

// Choose implements loop.Chooser.
func (p prefers) Choose(ready []loop.Runnable) int {
	for i, r := range ready {
		if o, ok := r.(loop.Owned); ok && o.LoopOwner() == string(p) {
			return i
		}
	}
	return 0
}

func ExampleChooser() {
	l := loop.New(loop.ChooseBy(prefers("b")))
	defer l.Close()
	for step := range 2 {
		l.Schedule(part{"a", step})
		l.Schedule(part{"b", step})
	}
	if err := l.Drive(func() bool { return l.Stats().Callbacks == 4 }); err != nil {
		fmt.Println(err)
	}
	// Output:
	// b 0
	// b 1
	// a 0
	// a 1
}

// Options configure a loop. The order of callbacks depends only on the seed here, and no real time
// passes.
func ExampleOption() {
	l := loop.New(loop.Seed(7), loop.VirtualClock(time.Unix(0, 0)), loop.OffloadLimit(4))
	defer l.Close()
	rang := false
	l.CallLater(24*time.Hour, func() { rang = true })
	err := l.Drive(func() bool { return rang })
	fmt.Println(rang, err)
	// Output: true <nil>
}

// A tracer sees the ticks of all loops. Its events have a kind, and further fields depend on that.
func ExampleTracer() {
	l := loop.New()
	defer l.Close()
	remove := loop.AddTracer(func(e loop.TraceEvent) {
		if e.Loop != l {
			return // other loops run at the same time
		}
		switch e.Kind {
		case loop.TickBegins:
			fmt.Println("tick")
		case loop.TickEnds:
			fmt.Println("tick's end")
		}
	})
	defer remove()
	called := false
	l.CallSoon(func() { called = true; fmt.Println("callback") })
	if err := l.Drive(func() bool { return called }); err != nil {
		fmt.Println(err)
	}
	// Output:
	// tick
	// callback
	// tick's end
}
