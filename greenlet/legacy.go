package greenlet

import (
	"crypto/fips140"
	"runtime/debug"
	"unsafe"
)

// A goroutine has a few properties of its own, which functions of the standard library set. A new
// goroutine begins with some of its creator's: the labels of CPU profiles, the suspension of strict
// FIPS 140-3 enforcement, the synctest bubble. Others begin anew: debug.SetPanicOnFault, and
// runtime.LockOSThread, for which see threadlock.go.
//
// A greenlet that gets an idle goroutine must not find there what an earlier greenlet has left, but
// what a new goroutine would have. A family is in one bubble at most, and so are all its
// goroutines. For the rest a goroutine forgets what it has before it gets idle, and the greenlet
// inherits from the one that starts it. A goroutine that can't forget isn't used again, and doesn't
// leave anything to one that is used again.

// strictFIPS says that the program enforces FIPS 140-3 strictly, but for goroutines that were
// started within fips140.WithoutEnforcement.
var strictFIPS = fips140.Enforced()

// A Legacy is what a goroutine leaves to one that it starts: its labels for CPU profiles.
//
// It is for schedulers, whose greenlets run one job after the other (see [Greenlet.Reusable]). So
// that a job finds what it would find in a new greenlet, its greenlet calls [ForgetLegacy] after
// the job before, and [Legacy.Inherit]. The labels are passed on only where descriptors of
// goroutines can be read, see the package's documentation.
type Legacy struct {
	labels unsafe.Pointer // as the runtime keeps them; nil if there are none, or if they can't be read
}

// OwnLegacy returns what the calling goroutine leaves to one that it starts now.
func OwnLegacy() Legacy { return Legacy{ownLabels()} }

// Inherit gives the calling goroutine, which has forgotten what it had, the legacy of another one.
func (l Legacy) Inherit() {
	if l.labels != nil {
		setOwnLabels(l.labels)
	}
}

// ForgetLegacy takes away what the calling goroutine has inherited, and what has been set while it
// ran: labels, and debug.SetPanicOnFault.
func ForgetLegacy() {
	debug.SetPanicOnFault(false)
	clearOwnLabels()
}

// canForget reports whether the calling goroutine can forget all that it has.
func canForget() bool { return !strictFIPS || fips140.Enforced() }
