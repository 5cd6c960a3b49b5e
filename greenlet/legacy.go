package greenlet

import (
	"crypto/fips140"
	"runtime/debug"
	"unsafe"
)

// Functions of the standard library set a few properties of a goroutine. A new goroutine inherits
// some of them from its creator: the labels for CPU profiles, the suspension of strict FIPS 140-3
// enforcement, the synctest bubble. Others start from their defaults: debug.SetPanicOnFault, and
// runtime.LockOSThread, for which see threadlock.go.
//
// A greenlet that gets an idle goroutine must find there what a new goroutine would have, not what
// an earlier greenlet left. A family is in one bubble at most, and so are all its goroutines. As to
// the rest, a goroutine forgets what it has before it becomes idle, and a greenlet inherits from
// the greenlet that starts it. A goroutine that can't forget isn't reused, and leaves nothing to
// one that is.

// strictFIPS says that the program enforces FIPS 140-3 strictly, except in goroutines that were
// started within fips140.WithoutEnforcement.
var strictFIPS = fips140.Enforced()

// A Legacy is what a goroutine passes on to a goroutine that it starts: its labels for CPU
// profiles.
//
// It is for schedulers whose greenlets run one job after another (see [Scheduler.Reusable]). A job
// must find what it would find in a new greenlet, so between two jobs the greenlet calls
// [Scheduler.ForgetLegacy] and then [Legacy.Inherit]. Labels are passed on only where the package
// can read goroutine descriptors: see the package documentation.
type Legacy struct {
	labels unsafe.Pointer // as the runtime keeps them; nil if there are none, or if they can't be read
}

func ownLegacy() Legacy { return Legacy{ownLabels()} }

// Inherit gives the calling goroutine the legacy of another one. The caller must have called
// [Scheduler.ForgetLegacy].
func (l Legacy) Inherit() {
	if l.labels != nil {
		setOwnLabels(l.labels)
	}
}

func forgetLegacy() {
	debug.SetPanicOnFault(false)
	clearOwnLabels()
}

// canForget reports whether the calling goroutine can forget everything that it has.
func canForget() bool { return !strictFIPS || fips140.Enforced() }
