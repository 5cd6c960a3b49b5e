package greenlet

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// ErrThreadLock says that a switch would cross states of thread locking.
//
// The runtime aborts the program if a coroutine is resumed in another state of runtime.LockOSThread
// than that in which it was created: locked or not, as many times, and to the same thread. The
// initialization of packages runs locked, too. So what was suspended there can't be resumed in
// main. Where greenlets can see the state, on amd64 and arm64, they refuse such a switch with this
// error.
var ErrThreadLock = errors.New("greenlet: the state of thread locking differs")

// A threadLock is a state of thread locking. The zero value is the ordinary one, in which a
// goroutine runs on any thread.
type threadLock struct {
	thread   unsafe.Pointer // the thread's descriptor
	ext      uint32         // how often LockOSThread was called
	internal uint32         // how often the runtime itself has locked, as it does for package initialization
}

func (l threadLock) String() string {
	switch {
	case l.thread == nil:
		return "not locked to a thread"
	case l.internal > 0:
		return fmt.Sprintf("locked to its thread by package initialization or a callback from C (and %d times by LockOSThread)", l.ext)
	}
	return fmt.Sprintf("locked to thread %p by %d calls of LockOSThread", l.thread, l.ext)
}

// A ThreadLock is a goroutine's state of thread locking. Greenlets can be switched to only in the
// state in which they started, so a scheduler compares the states: they are equal with ==.
type ThreadLock struct{ state threadLock }

// CurrentThreadLock returns the state of the calling goroutine. Where it can't be seen all are
// equal; see [ErrThreadLock].
func CurrentThreadLock() ThreadLock { return ThreadLock{ownThreadLock()} }

// String describes the state, as in "not locked to a thread".
func (l ThreadLock) String() string { return l.state.String() }

// lockMismatch returns an error if the calling goroutine can't resume what is parked in the slot.
func lockMismatch(s *slot, g *Greenlet) error {
	own := ownThreadLock()
	if s.lock == own {
		return nil
	}
	return fmt.Errorf("%w: cannot switch to %s, which was suspended by a goroutine %v, from a goroutine %v: "+
		"balance runtime.LockOSThread and UnlockOSThread between the switches, and finish in package initialization what began there",
		ErrThreadLock, g, s.lock, own)
}

// fitLock makes that the calling goroutine can flip the slot, and reports whether it could.
// A goroutine that is about to end must stay in the state in which it is.
func fitLock(s *slot, last bool) bool {
	if last {
		return s.lock == ownThreadLock()
	}
	return restoreLock(s)
}

// restoreLock brings the calling goroutine, whose greenlet has ended and may have left it in any
// state, into the state of thread locking that the slot needs, and reports whether it could.
func restoreLock(s *slot) bool {
	own := ownThreadLock()
	if s.lock == own {
		return true
	}
	for ; own.ext > s.lock.ext; own.ext-- {
		runtime.UnlockOSThread()
	}
	for ; own.ext < s.lock.ext; own.ext++ {
		runtime.LockOSThread()
	}
	return s.lock == ownThreadLock()
}
