package greenlet

import (
	"fmt"
	"os"
	"sync/atomic"
)

var reporter atomic.Pointer[func(error)]

// SetReporter sets the function that gets errors which no caller can receive: a greenlet was killed
// because it was unreachable or because its family was closed, and it failed or went on. If report
// is nil, these errors are written to standard error. SetReporter returns the previous function,
// which is nil at first. Any goroutine may call it, and report may be called from any goroutine.
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

// A Census counts the resources that greenlets use in the whole program.
type Census struct {
	// Families is the number of families. An unreachable family counts until the collector finds
	// it.
	Families int
	// Goroutines is the number of goroutines that run greenlets or wait for a next one. The
	// goroutines of roots don't count, because they would exist without greenlets too.
	Goroutines int
}

// Count takes a census. It is meant for leak checks and monitoring. Any goroutine may call it.
func Count() Census {
	return Census{Families: int(families.Load()), Goroutines: int(workers.Load())}
}
