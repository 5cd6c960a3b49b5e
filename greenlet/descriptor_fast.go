//go:build gc && (amd64 || arm64) && !repaint_slowgoid

package greenlet

import (
	"context"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"time"
	"unsafe"
)

// The runtime's descriptor of a goroutine holds five things that nothing else tells, or tells
// quickly: the goroutine's number, the thread that it is locked to, its status, its profile labels,
// and the bounds of its stack. Their offsets are the runtime's own and change between its versions.
// So no offset is written down here. The program searches for them when it starts, and believes an
// offset only if it is the only one that holds the right value in several goroutines. The package
// does without anything that it doesn't find.

// getg returns the address of the calling goroutine's descriptor.
func getg() unsafe.Pointer

// ticket returns the number of the calling goroutine if it isn't locked to a thread. If it is, or
// if goidOffset is unknown, ticket returns a value that is no goroutine's number.
func ticket() uint64

// quickGoid returns the number of the calling goroutine, or a value that is no goroutine's number
// if goidOffset is unknown.
func quickGoid() uint64

// The offsets. 0 means not found, because the descriptor begins with the bounds of the stack.
var (
	goidOffset, lockOffset, lockMask uintptr // the mask is 0 or all ones

	// lockExt is the offset, in the descriptor of the thread that a goroutine is locked to, of the
	// number of LockOSThread calls. The next word counts the runtime's own locks.
	lockExt      uintptr
	statusOffset uintptr
	labelsOffset uintptr // of the pointer to the labels for CPU profiles
	boundsFound  bool    // the descriptor begins with the bounds of the stack

	_ = findLayout()
)

const (
	// Goroutine descriptors have been larger than descriptorSize since Go 1.5, and larger than
	// longDescriptorSize since Go 1.26. All thread descriptors are larger than threadSize.
	descriptorSize     = 256
	longDescriptorSize = 416
	threadSize         = 1024
	probes             = 6
)

// goid returns the number of the calling goroutine. The runtime reuses descriptors but never
// numbers, so a changed number also tells that a goroutine has ended.
func goid() uint64 {
	if goidOffset == 0 {
		return parseGoid()
	}
	return quickGoid()
}

// ownThreadLock returns the calling goroutine's state of thread locking.
func ownThreadLock() threadLock {
	if lockMask == 0 {
		return threadLock{}
	}
	m := *(*unsafe.Pointer)(unsafe.Add(getg(), lockOffset))
	if m == nil {
		return threadLock{}
	}
	counts := (*[2]uint32)(unsafe.Add(m, lockExt))
	return threadLock{thread: m, ext: counts[0], internal: counts[1]}
}

func ownThreadLockReadable() bool { return lockMask != 0 }

// stackSize returns the size of the calling goroutine's stack in bytes, or 0 if it isn't known.
func stackSize() uintptr {
	if !boundsFound {
		return 0
	}
	bounds := (*[2]uintptr)(getg())
	return bounds[1] - bounds[0]
}

// ownLabels returns the calling goroutine's profile labels, or nil if there are none or their
// offset isn't known. Only the goroutine itself reads and writes them, but the race detector
// doesn't know of the descriptor's earlier goroutines.
//
//go:norace
func ownLabels() unsafe.Pointer {
	if labelsOffset == 0 {
		return nil
	}
	return *(*unsafe.Pointer)(unsafe.Add(getg(), labelsOffset))
}

// setOwnLabels gives the calling goroutine labels that ownLabels returned in another one.
//
//go:norace
func setOwnLabels(labels unsafe.Pointer) {
	*(*unsafe.Pointer)(unsafe.Add(getg(), labelsOffset)) = labels
}

func clearOwnLabels() {
	if labelsOffset == 0 {
		pprof.SetGoroutineLabels(context.Background())
		return
	}
	setOwnLabels(nil)
}

// A descriptor refers to a goroutine, even after that has ended.
type descriptor struct {
	g  unsafe.Pointer // keeps the descriptor's memory, which another goroutine may have reused
	id uint64
}

func ownDescriptor(id uint64) descriptor { return descriptor{getg(), id} }

// surelyEnded reports whether the goroutine has ended. It returns false where it can't find out
// quickly.
func (d descriptor) surelyEnded() bool {
	return endsReadable() && (atomic.LoadUint64((*uint64)(unsafe.Add(d.g, goidOffset))) != d.id ||
		atomic.LoadUint32((*uint32)(unsafe.Add(d.g, statusOffset))) == statusDead)
}

func endsReadable() bool { return goidOffset != 0 && statusOffset != 0 }

func word(p unsafe.Pointer, offset uintptr) uint64 { return *(*uint64)(unsafe.Add(p, offset)) }

// findLayout inspects goroutines in known states. It tries again when a busy machine has disturbed
// the search.
func findLayout() struct{} {
	const attempts = 5
	for range attempts {
		if lookForLayout(); goidOffset != 0 && lockMask != 0 && statusOffset != 0 && labelsOffset != 0 && boundsFound {
			break
		}
	}
	return struct{}{}
}

func lookForLayout() {
	var (
		numbers  = everywhere(descriptorSize / 8)
		locks    = everywhere(descriptorSize / 8)
		counts   = everywhere(threadSize / 4)
		statuses = everywhere(descriptorSize / 4)
		labels   = everywhere(longDescriptorSize / 8)
		bounded  = true
	)
	done := make(chan unsafe.Pointer)
	for range probes {
		go func() {
			id, g := parseGoid(), getg()
			numbers.keep(func(i int) bool { return word(g, uintptr(i*8)) == id })
			locks.keep(func(i int) bool { return word(g, uintptr(i*8)) == 0 })
			locks.keepLocks(g, counts)
			locks.keep(func(i int) bool { return word(g, uintptr(i*8)) == 0 })
			labels.keepLabels(g)
			here := uintptr(unsafe.Pointer(&g))
			bounds := (*[2]uintptr)(g)
			size := bounds[1] - bounds[0]
			bounded = bounded && bounds[0] <= here && here < bounds[1] && size&(size-1) == 0
			statuses.keep(func(i int) bool { return half(g, i) == statusRunning })
			done <- g
			<-done
		}()
		g := <-done
		statuses.keepOnce(g, statusWaiting)
		done <- nil
		statuses.keepOnce(g, statusDead)
	}
	boundsFound = bounded
	if i, ok := numbers.only(); ok {
		goidOffset = uintptr(i * 8)
	}
	if i, ok := locks.only(); ok {
		if c, ok := counts.only(); ok {
			lockOffset, lockExt, lockMask = uintptr(i*8), uintptr(c*4), ^uintptr(0)
		}
	}
	if i, ok := labels.only(); ok {
		labelsOffset = uintptr(i * 8)
	}
	if i, ok := statuses.only(); ok {
		statusOffset = uintptr(i * 4)
	}
}

// Statuses of goroutines, the same since Go 1.4. If the runtime changes them, findLayout finds no
// offset.
const (
	statusRunning = 2
	statusWaiting = 4
	statusDead    = 6
)

// half reads a 32-bit word of a descriptor that may be another goroutine's.
func half(p unsafe.Pointer, i int) uint32 {
	return atomic.LoadUint32((*uint32)(unsafe.Add(p, i*4)))
}

// candidates are the offsets, in words, at which something can still be.
type candidates map[int]bool

func everywhere(n int) candidates {
	c := make(candidates, n)
	for i := range n {
		c[i] = true
	}
	return c
}

func (c candidates) keep(ok func(i int) bool) {
	for i := range c {
		if !ok(i) {
			delete(c, i)
		}
	}
}

// keepOnce keeps the places that hold the status which another goroutine is about to enter. It
// waits a moment for that.
func (c candidates) keepOnce(g unsafe.Pointer, status uint32) {
	const patience = 5 * time.Millisecond
	for start := time.Now(); half(g, c.first()) != status && time.Since(start) < patience; {
		runtime.Gosched()
	}
	c.keep(func(i int) bool { return half(g, i) == status })
}

// keepLocks locks the calling goroutine to its thread twice. It keeps the places that point to that
// thread and, in counts, the places in the thread's descriptor that count the locks. It doesn't
// defer the unlocking, because a deferred call would show in the descriptor.
func (c candidates) keepLocks(g unsafe.Pointer, counts candidates) {
	runtime.LockOSThread()
	c.keep(func(i int) bool { return word(g, uintptr(i*8)) != 0 })
	i, ok := c.only()
	if !ok {
		runtime.UnlockOSThread()
		clear(counts)
		return
	}
	m := *(*unsafe.Pointer)(unsafe.Add(g, i*8))
	counts.keep(func(i int) bool { return half(m, i) == 1 })
	runtime.LockOSThread()
	counts.keep(func(i int) bool { return half(m, i) == 2 })
	runtime.UnlockOSThread()
	counts.keep(func(i int) bool { return half(m, i) == 1 && half(m, i+1) == 0 })
	runtime.UnlockOSThread()
}

// keepLabels labels the calling goroutine twice, and keeps the places that change with the labels.
func (c candidates) keepLabels(g unsafe.Pointer) {
	before := make(map[int]uint64)
	for _, value := range []string{"a", "b"} {
		pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("greenlet", value)))
		c.keep(func(i int) bool {
			now := word(g, uintptr(i*8))
			changed := now != 0 && now != before[i]
			before[i] = now
			return changed
		})
	}
	pprof.SetGoroutineLabels(context.Background())
	c.keep(func(i int) bool { return word(g, uintptr(i*8)) == 0 })
}

func (c candidates) first() int {
	least := 0
	for i := range c {
		if least == 0 || i < least {
			least = i
		}
	}
	return least
}

// only returns the candidate, and reports whether there is exactly one.
func (c candidates) only() (int, bool) {
	return c.first(), len(c) == 1
}
