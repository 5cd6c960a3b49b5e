// Package leakcheck finds goroutines, families of greenlets and heap memory that a test leaks.
package leakcheck

import (
	"runtime"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/greenlet"
)

// patience is how long things that are about to end may take to be gone.
const patience = 10 * time.Second

// Test makes the test fail if there are more goroutines or families of greenlets at its end than
// when Test was called. Parallel tests disturb each other's counts.
func Test(t testing.TB) {
	t.Helper()
	before := take()
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() {
			return // it may have ended anywhere
		}
		after, ok := settle(func(now count) bool { return !now.exceeds(before) })
		if !ok {
			buf := make([]byte, 1<<20)
			buf = buf[:runtime.Stack(buf, true)]
			t.Errorf("left behind: %+v before, %+v after\n%s", before, after, buf)
		}
	})
}

// Repeat runs fn again and again until a round of runs leaks nothing. It makes the test fail if
// every later round leaks heap, goroutines or families. The first runs may fill caches.
func Repeat(t testing.TB, fn func()) {
	t.Helper()
	const (
		rounds  = 10
		perTime = 20
		noise   = 16 << 10 // bytes by which a round may grow the heap without suspicion
		growths = 3        // successive rounds that must grow the heap before it counts as a leak
	)
	var last uint64
	grown := 0
	fn() // what is kept for later, such as idle goroutines, is there from now on
	before := take()
	for round := range rounds {
		for range perTime {
			fn()
		}
		if _, ok := settle(func(now count) bool { return !now.exceeds(before) }); !ok {
			// The number of idle goroutines can depend on how many happened to run at once.
			now := take()
			if grown++; grown == growths {
				t.Errorf("left behind after round %d: %+v before, %+v now", round, before, now)
				return
			}
			before = now
		}
		heap := LiveHeap()
		if round > 1 && heap <= last+noise {
			return
		}
		last = heap
	}
	t.Errorf("the heap grew in each of %d rounds of %d runs, to %d bytes", rounds, perTime, last)
}

type count struct{ Goroutines, GreenletGoroutines, Families int }

func take() count {
	c := greenlet.Count()
	return count{runtime.NumGoroutine(), c.Goroutines, c.Families}
}

func (c count) exceeds(o count) bool {
	return c.Goroutines > o.Goroutines || c.GreenletGoroutines > o.GreenletGoroutines || c.Families > o.Families
}

// settle waits until ok holds. It collects garbage in between, because some things go only when the
// collector finds them.
func settle(ok func(count) bool) (count, bool) {
	for deadline := time.Now().Add(patience); ; {
		now := take()
		if ok(now) {
			return now, true
		}
		if time.Now().After(deadline) {
			return now, false
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
}

// LiveHeap returns the size of the heap after a collection, in bytes.
func LiveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
