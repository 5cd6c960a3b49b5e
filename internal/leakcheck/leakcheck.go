// Package leakcheck finds what a test leaves behind: goroutines, families of greenlets, heap.
package leakcheck

import (
	"runtime"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/greenlet"
)

// patience is how long things that are on their way out may take to be gone.
const patience = 10 * time.Second

// Test makes the test fail if, at its end, there are more goroutines or families of greenlets
// than there were when Test was called. Parallel tests disturb each other's counts.
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

// Repeat runs fn again and again until that leaves nothing more behind, and makes the test fail
// if each of the later runs leaves heap, goroutines or families behind. The first runs may fill caches.
func Repeat(t testing.TB, fn func()) {
	t.Helper()
	const (
		rounds  = 10
		perTime = 20
		noise   = 16 << 10 // bytes that a round may leave without being suspected
		growths = 3        // rounds that leave more behind than the one before until it is no chance
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
			// How many goroutines are kept for later can depend on how many happened to be needed at once.
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

// settle waits until ok holds, with a collection in between, because what the collector is to find
// goes only then.
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

// LiveHeap returns the size of what the collector leaves, in bytes.
func LiveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
