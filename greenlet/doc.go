// Package greenlet provides coroutines that switch explicitly, from any one to any other:
// Python's greenlet in Go.
//
// A [Greenlet] is a function with a stack of its own. [Greenlet.Switch] suspends the caller and
// runs another one, from its beginning or from where it was suspended, however deep in calls that
// was. There is no scheduler and nothing runs in parallel: control is where it was last sent.
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
// At the root of the tree stands the greenlet of the goroutine in which it all began. That
// goroutine, its root greenlet and all that descend from it are a [Family]. The goroutines of a
// family take turns: one runs, all others are suspended. A goroutine of another family, or of none,
// can't switch to a family's greenlets and is refused with a [FamilyError].
//
// # Ends
//
// Four things end a greenlet: its function returns; the function panics; [Greenlet.Kill] unwinds
// it; or nothing refers to it any more while it is suspended, and the garbage collector has
// noticed. Then it is unwound as by Kill when its family next uses greenlets. So deferred functions
// run in any case, and no goroutine stays behind. [Family.Close] does it for a whole family at a
// moment of one's choice.
//
// If the goroutine in which a family began has ended without having entered it explicitly, nobody
// will use its greenlets again, and nobody can. Once the collector has found an unreachable one,
// another goroutine stands in for the root and closes the family. What somebody still refers to
// says then that the root has exited.
//
// # Generators
//
// [Generate] and [NewGenerator] make sequences from functions that yield values from any depth of
// calls.
//
// # Looking inside
//
// Tracers ([AddTracer], [Family.AddTracer]) see every transfer of control. [Greenlet.Stack] shows
// where a greenlet is suspended, [Family.Dump] shows the whole tree, with the places of creation if
// [RecordCreation] was on. A [PanicError] tells through which parents it came. [Profiled] labels
// greenlets for CPU profiles and execution traces. None of it costs anything unless it is asked
// for.
//
// # What is underneath
//
// Each greenlet runs in a goroutine of its own, so stacks grow as usual, and debuggers, race
// detector and traces see what they know. Control changes hands by the runtime switch under
// iter.Pull: no scheduler, no channel and no allocation are involved, and it takes about 1.3 times
// as long as a bare iter.Pull switch. Goroutines of finished greenlets are used again by later ones
// of the same family, unless their stacks have grown large. A greenlet finds there what a new
// goroutine has: no setting of debug.SetPanicOnFault, and the profile labels of the greenlet that
// starts it. Only data-independent timing (crypto/subtle) and open regions of an execution trace
// stay with a goroutine.
//
// The goroutine under a greenlet can block like any other, on a channel or in a system call;
// then its whole family waits.
//
// On amd64 and arm64 the calling goroutine is recognized by its number in the runtime's descriptor
// of it. Where it is kept is found out when the program starts, and checked. Elsewhere, or with the
// build tag repaint_slowgoid, the number is read off a stack trace: all works, but each use takes
// microseconds, and a greenlet that gets an idle goroutine has no profile labels.
//
// # Threads and bubbles
//
// The runtime aborts a program that resumes a coroutine in another state of runtime.LockOSThread
// than that in which it was made. The initialization of packages counts as locked. Where the state
// can be seen, on amd64 and arm64, such a switch is refused with [ErrThreadLock] instead, and a
// greenlet that ends in a wrong state has it put right. Elsewhere all greenlets of a family must be
// started and switched in the same state.
//
// In a testing/synctest bubble, enter a family and close it before the bubble ends:
// goroutines that wait for the next greenlet belong to the bubble, too.
//
// # What it isn't
//
// There are no timers, no I/O, no scheduler and no cancellation here. Packages loop and repaint
// have them.
package greenlet
