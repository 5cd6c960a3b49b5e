package greenlet

import (
	"crypto/fips140"
	"runtime/debug"
	"unsafe"
)

// A goroutine has a few properties of its own, which functions of the standard library set. A new goroutine begins with
// some of its creator's: the labels of CPU profiles, the suspension of strict FIPS 140-3 enforcement, the synctest bubble.
// Others begin anew: debug.SetPanicOnFault, and runtime.LockOSThread, for which see threadlock.go.
//
// A greenlet that gets an idle goroutine must not find there what an earlier greenlet has left,
// but what a new goroutine would have. A family is in one bubble at most, and so are all its goroutines. For the rest
// a goroutine forgets what it has before it gets idle, and the greenlet inherits from the one that starts it.
// A goroutine that can't forget isn't used again, and doesn't leave anything to one that is used again.

// strictFIPS says that the program enforces FIPS 140-3 strictly, but for goroutines that were started within fips140.WithoutEnforcement.
var strictFIPS = fips140.Enforced()

// A legacy is what a new goroutine begins with.
type legacy struct {
	labels unsafe.Pointer // as the runtime keeps them; nil if there are none, or if they can't be read
}

// ownLegacy returns what the calling goroutine leaves to a new one.
func ownLegacy() legacy { return legacy{ownLabels()} }

// inherit gives the calling goroutine, which has forgotten everything, the legacy of another one.
func (l legacy) inherit() {
	if l.labels != nil {
		setOwnLabels(l.labels)
	}
}

// forget takes away what the calling goroutine has from its creator, or from what it has run.
func forget() {
	debug.SetPanicOnFault(false)
	clearOwnLabels()
}

// canForget reports whether the calling goroutine can forget all that it has.
func canForget() bool { return !strictFIPS || fips140.Enforced() }
