package db

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Leak describes a Conn or Tx that has been open for too long, or was forgotten altogether, see
// [ReportLeaks]. It is a value that any number of goroutines can read.
type Leak struct {
	Since     time.Time // when it was checked out
	Collected bool      // whether the garbage collector has found it: no code can close it any more
	stack     []uintptr
}

// Stack returns the stack at the checkout: a line for each frame, innermost first.
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

// leaks are the open checkouts of an Engine with ReportLeaks.
type leaks struct {
	mu   sync.Mutex
	all  map[*leak]struct{}
	lost int64 // found by the garbage collector
}

type leak struct {
	Leak
	timer *time.Timer
}

// watch begins to watch a checkout, made skip calls above the caller.
func (l *leaks) watch(after time.Duration, report func(Leak), skip int) *leak {
	var pcs [32]uintptr
	n := runtime.Callers(skip+2, pcs[:])
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

// collected reports a checkout that was forgotten.
func (l *leaks) collected(it *leak, report func(Leak)) {
	l.mu.Lock()
	l.lost++
	l.mu.Unlock()
	if it == nil {
		return
	}
	l.forget(it)
	found := it.Leak
	found.Collected = true
	go report(found)
}

// count returns how many checkouts were forgotten.
func (l *leaks) count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// where returns the places of the open checkouts, if they are known, as an addition to an error.
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
