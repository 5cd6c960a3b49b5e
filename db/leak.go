package db

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Leak tells of a Conn or Tx that has been open for long, see [ReportLeaks].
type Leak struct {
	Since time.Time // when it was checked out
	stack []uintptr
}

// Stack returns where it was checked out: a line per frame, innermost first.
func (l Leak) Stack() string {
	var b strings.Builder
	frames := runtime.CallersFrames(l.stack)
	for {
		f, more := frames.Next()
		fmt.Fprintf(&b, "%s\n\t%s:%d\n", f.Function, f.File, f.Line)
		if !more {
			return b.String()
		}
	}
}

// leaks knows the checkouts of an engine whose leaks are to be reported.
type leaks struct {
	mu  sync.Mutex
	all map[*leak]struct{}
}

type leak struct {
	Leak
	timer *time.Timer
}

func (l *leaks) watch(after time.Duration, report func(Leak)) *leak {
	var pcs [32]uintptr
	n := runtime.Callers(4, pcs[:]) // without watch, connOf and the Engine's method
	it := &leak{Leak: Leak{Since: time.Now(), stack: append([]uintptr(nil), pcs[:n]...)}}
	it.timer = time.AfterFunc(after, func() { report(it.Leak) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[*leak]struct{}{}
	}
	l.all[it] = struct{}{}
	return it
}

func (l *leaks) forget(it *leak) {
	if it == nil {
		return
	}
	it.timer.Stop()
	l.mu.Lock()
	delete(l.all, it)
	l.mu.Unlock()
}

// where says where the open ones were checked out, if that is known.
func (l *leaks) where() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(", checked out at")
	for it := range l.all {
		first, _, _ := strings.Cut(it.Stack(), "\n")
		fmt.Fprintf(&b, " %s,", first)
	}
	return strings.TrimSuffix(b.String(), ",")
}
