// Package greenlet provides coroutines that switch explicitly, from any one to any other:
// Python's greenlet in Go.
//
// A [Greenlet] is a function with a stack of its own. [Greenlet.Switch] suspends the caller and
// runs another one, from its beginning or from where it was suspended, however deep in calls that was.
// There is no scheduler and nothing runs in parallel: control is where it was last sent.
//
//	var one, two *greenlet.Greenlet
//	one = greenlet.New(func(any) (any, error) {
//		fmt.Println("one")
//		two.Switch(nil)
//		fmt.Println("one again")
//		return nil, nil
//	})
//	two = greenlet.New(func(any) (any, error) {
//		fmt.Println("two")
//		one.Switch(nil)
//		panic("nobody switches here again")
//	})
//	one.Switch(nil)
//
// # Parents
//
// Each greenlet has a parent: the one that created it, unless it was told otherwise.
// When a greenlet's function ends, control goes to the parent, wherever the last switch came from.
// A returned value becomes the result of the parent's pending Switch, and so does an error;
// a panic is raised again in the parent, with its value and stack kept, and a runtime.Goexit
// goes on there. [ErrExit] is the one error that arrives as a value: ending is what it asks for.
//
// At the root of the tree stands the greenlet of the goroutine in which it all began.
// That goroutine, its root greenlet and all that descend from it are a [Family].
// The goroutines of a family take turns: one runs, all others are suspended.
// A goroutine of another family, or of none, can't switch to a family's greenlets and is refused with a [FamilyError].
//
// # Ends
//
// Four things end a greenlet: its function returns; the function panics; [Greenlet.Kill] unwinds it;
// or nothing refers to it any more while it is suspended, and the garbage collector has noticed.
// Then it is unwound as by Kill when its family next uses greenlets.
// So deferred functions run in any case, and no goroutine stays behind.
// [Family.Close] does it for a whole family at a moment of one's choice.
//
// # What is underneath
//
// Each greenlet runs in a goroutine of its own, so stacks grow as usual, and debuggers, race detector
// and traces see what they know. Control changes hands by the runtime switch under iter.Pull:
// no scheduler, no channel and no allocation are involved, and it takes about 1.4 times
// as long as a bare iter.Pull switch.
// Goroutines of finished greenlets are used again by later ones of the same family.
//
// The goroutine under a greenlet can block like any other, on a channel or in a system call;
// then its whole family waits. If goroutines of a family call runtime.LockOSThread, all of its greenlets must
// have been started, and must be switched, in the same state of locking: the runtime aborts the program otherwise.
//
// # What it isn't
//
// There are no timers, no I/O, no scheduler and no cancellation here. Packages loop and repaint have them.
package greenlet
