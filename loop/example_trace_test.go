package loop_test

import (
	"fmt"

	"github.com/seed1239206e/repaint/loop"
)

// A driver tells the tracers what it sends. Both events of a statement have the same ID.
func ExampleTraceEvent() {
	remove := loop.AddTracer(func(e loop.TraceEvent) {
		if e.Track == "connection 1" {
			fmt.Println(e.ID, e.Kind == loop.StatementEnds, e.Text)
		}
	})
	defer remove()
	loop.Trace(loop.TraceEvent{Kind: loop.StatementSent, ID: 7, Track: "connection 1", Text: "select 1"})
	loop.Trace(loop.TraceEvent{Kind: loop.StatementEnds, ID: 7, Track: "connection 1"})
	// Output:
	// 7 false select 1
	// 7 true
}

// A tracer counts the events of each kind.
func ExampleTraceKind() {
	l := loop.New()
	count := map[loop.TraceKind]int{}
	remove := loop.AddTracer(func(e loop.TraceEvent) {
		if e.Loop == l {
			count[e.Kind]++
		}
	})
	defer remove()
	ticks := 0
	l.CallSoon(func() { ticks++; l.CallSoon(func() { ticks++ }) })
	if err := l.Drive(func() bool { return ticks == 2 }); err != nil {
		fmt.Println(err)
	}
	l.Close()
	fmt.Println(count[loop.TickBegins], count[loop.TickEnds], count[loop.LoopCloses])
	// Output: 2 2 1
}
