package greenlet

import (
	"fmt"
	"os"
	"sync/atomic"
)

var reporter atomic.Pointer[func(error)]

// SetReporter sets who is told of errors that have no caller to go to: a greenlet that was killed
// because it was unreachable, or when its family was closed, and that failed or went on. Without
// one they are written to the standard error stream. It returns the one before, nil at first.
func SetReporter(report func(error)) (old func(error)) {
	var p *func(error)
	if report != nil {
		p = &report
	}
	if o := reporter.Swap(p); o != nil {
		old = *o
	}
	return old
}

func report(err error) {
	if r := reporter.Load(); r != nil {
		(*r)(err)
		return
	}
	fmt.Fprintln(os.Stderr, err)
}

// A Census counts what greenlets take up in the whole program.
type Census struct {
	// Families is the number of families. One that has become unreachable counts until the
	// collector has found it.
	Families int
	// Goroutines is the number of goroutines that run greenlets or wait for the next one to run.
	// Roots' goroutines don't count, being there without greenlets, too.
	Goroutines int
}

// Count takes a census. It is meant for leak checks and monitoring.
func Count() Census {
	return Census{Families: int(families.Load()), Goroutines: int(workers.Load())}
}
