package repainttest

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

// heldTime is how long, in real time, a step may take without a report.
var heldTime = 10 * time.Second // a variable only for tests

// heldReport is where long steps are reported.
var heldReport io.Writer = os.Stderr // a variable only for tests

// watch reports steps that take long, until stop is called. The name is
// that of what runs. A task that blocks its goroutine, on a
// channel or a mutex, stops all others, so the test would never end and never say why.
func (r *recorder) watch(name string) (stop func()) {
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		last := int64(-1)
		tick := time.NewTicker(heldTime)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			now := r.progress.Load()
			if now == last {
				// The test may never end, and what it logs is printed only then.
				fmt.Fprintf(heldReport, "%s: a step hasn't ended for %v of real time, step %d. "+
					"A task that blocks its goroutine, by a channel, a mutex or a system call, stops all others: "+
					"wait with repaint.Await, with package coop, or within repaint.Block. All goroutines:\n%s\n",
					name, heldTime, now, stacks())
				return
			}
			last = now
		}
	}()
	return func() {
		close(done)
		<-over
	}
}

func stacks() []byte {
	buf := make([]byte, 1<<16)
	return buf[:runtime.Stack(buf, true)]
}
