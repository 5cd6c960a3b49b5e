// Command deadlock has greenlets that the collector finds unreachable, and then waits forever with
// all its goroutines. TestReaperHidesNoDeadlock runs it.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"

	"github.com/seed1239206e/repaint/greenlet"
)

var unwound atomic.Int32

func main() {
	if os.Args[1] == "reaped" {
		// The root's goroutine ends, so that the reaper kills what it leaves.
		go suspendAndDrop()
		for unwound.Load() == 0 {
			runtime.GC()
		}
	} else {
		// The root's goroutine lives and calls no more, so that the reaper can only wait for its end.
		suspendAndDrop()
		for range 3 {
			runtime.GC()
		}
	}
	fmt.Println("now")
	<-make(chan struct{})
}

func suspendAndDrop() {
	root := greenlet.Current()
	_, _ = greenlet.New(func(any) (any, error) {
		defer unwound.Add(1)
		return root.Switch(nil)
	}).Switch(nil)
}
