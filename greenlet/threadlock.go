package greenlet

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// ErrThreadLock reports that a switch would cross states of thread locking.
//
// The runtime aborts the program if a coroutine is created in one state of runtime.LockOSThread and
// resumed in another: locked or not, how many times, and to which thread. Package initialization
// runs locked too, so a greenlet that was suspended there can't be resumed in main. On amd64 and
// arm64 the package can read the state, and refuses such a switch with this error.
var ErrThreadLock = errors.New("greenlet: the state of thread locking differs")

// A threadLock is a state of thread locking. The zero value is the ordinary one, in which a
// goroutine runs on any thread.
type threadLock struct {
	thread   unsafe.Pointer // the thread's descriptor
	ext      uint32         // how often LockOSThread was called
	internal uint32         // how often the runtime itself locked, as it does for package initialization
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

// A ThreadLock is a goroutine's state of thread locking. A greenlet can be switched to only in the
// state in which it started, so a scheduler compares states with ==.
type ThreadLock struct{ state threadLock }

// CurrentThreadLock returns the state of the calling goroutine. Where the package can't read it,
// all states are equal; see [ErrThreadLock].
func CurrentThreadLock() ThreadLock { return ThreadLock{ownThreadLock()} }

// String describes the state, as in "not locked to a thread".
func (l ThreadLock) String() string { return l.state.String() }

// lockMismatch returns an error if the calling goroutine can't resume the one that is parked in the
// slot.
func lockMismatch(s *slot, g *Greenlet) error {
	own := ownThreadLock()
	if s.lock() == own {
		return nil
	}
	return fmt.Errorf("%w: cannot switch to %s, which was suspended in a goroutine %v, from a goroutine %v: "+
		"balance runtime.LockOSThread and UnlockOSThread between the switches, and finish during package initialization what began there",
		ErrThreadLock, g, s.lock(), own)
}

// fitLock brings the calling goroutine into a state in which it can flip the slot, and reports
// whether it could. A goroutine that is about to end must stay in the state that it is in.
func fitLock(s *slot, last bool) bool {
	if last {
		return s.lock() == ownThreadLock()
	}
	return restoreLock(s)
}

// restoreLock brings the calling goroutine, whose greenlet has ended and may have left it in any
// state, into the state of thread locking that the slot needs, and reports whether it could.
func restoreLock(s *slot) bool {
	own, needed := ownThreadLock(), s.lock()
	if own == needed {
		return true
	}
	for ; own.ext > needed.ext; own.ext-- {
		runtime.UnlockOSThread()
	}
	for ; own.ext < needed.ext; own.ext++ {
		runtime.LockOSThread()
	}
	return needed == ownThreadLock()
}
