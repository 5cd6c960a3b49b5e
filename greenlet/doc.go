// Package greenlet provides coroutines that switch explicitly, from any one to any other. It brings
// Python's greenlet to Go.
//
// A [Greenlet] is a function with a stack of its own. [Greenlet.Switch] suspends the calling
// greenlet and runs another one: from its beginning, or from where it was suspended, however deep
// in calls. There is no scheduler and nothing runs in parallel. Control stays where the last switch
// sent it.
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
//		panic("unreachable: no greenlet switches here again")
//	})
//	one.Switch(nil)
//
// # Parents
//
// Each greenlet has a parent: the greenlet that created it, unless [Parent] names another one. When
// a greenlet's function ends, control goes to the parent, wherever the last switch came from. The
// parent's pending Switch returns the function's value or error. A panic is raised again in the
// parent, with its value and stack preserved, and a runtime.Goexit continues there. [ErrExit] is
// the one error that arrives as a value, because it only asks the greenlet to end.
//
// The root of the tree is the greenlet of the goroutine that first used greenlets. That goroutine,
// its root greenlet and all the root's descendants form a [Family]. The goroutines of a family take
// turns: one runs, all others are suspended. A goroutine outside the family can't switch to its
// greenlets and gets a [FamilyError].
//
// # Ends
//
// Four things end a greenlet: its function returns; the function panics; [Greenlet.Kill] unwinds
// it; or the garbage collector finds that nothing refers to the suspended greenlet any more. In the
// last case the family unwinds it, as Kill does, when it next uses greenlets. So deferred functions
// always run and no goroutine leaks. [Family.Close] ends a whole family at a moment that the caller
// chooses.
//
// A goroutine can begin a family without calling [Enter], and then end. No goroutine can use that
// family's greenlets any more. Once the collector finds one of them unreachable, another goroutine
// stands in for the root and closes the family. Remaining references then report [ErrRootExited].
//
// # Generators
//
// [Generate] and [NewGenerator] turn a function that yields values, at any depth of calls, into a
// sequence.
//
// # Looking inside
//
// Tracers ([AddTracer], [Family.AddTracer]) see every transfer of control. [Greenlet.Stack] shows
// where a greenlet is suspended. [Family.Dump] shows the whole tree, and where each greenlet was
// created if [RecordCreation] was on. A [PanicError] lists the parents that it passed through.
// [Profiled] labels greenlets for CPU profiles and execution traces. None of these costs anything
// while it is unused.
//
// # What is underneath
//
// Each greenlet runs in a goroutine of its own. So stacks grow as usual, and debuggers, the race
// detector and execution traces see ordinary goroutines. A switch uses the runtime's coroutine
// switch, the one that iter.Pull uses. It involves no scheduler, no channel and no allocation, and
// takes about 1.3 times as long as a bare iter.Pull switch. A family reuses the goroutines of
// finished greenlets, unless their stacks have grown large. A greenlet in a reused goroutine starts
// as in a new one: debug.SetPanicOnFault is off, and the profile labels are those of the greenlet
// that starts it. Only data-independent timing (crypto/subtle) and open regions of an execution
// trace stay with a goroutine.
//
// A greenlet may block like any goroutine, on a channel or in a system call. Its whole family then
// waits.
//
// On amd64 and arm64 the package recognizes the calling goroutine by the number in its runtime
// descriptor. It finds and checks the offset of that number when the program starts. On other
// platforms, or with the build tag repaint_slowgoid, it parses the number from a stack trace.
// Everything works there too, but each use takes microseconds, and a greenlet in a reused goroutine
// has no profile labels.
//
// # Threads and bubbles
//
// The runtime aborts a program that creates a coroutine in one state of runtime.LockOSThread and
// resumes it in another. Package initialization counts as locked. On amd64 and arm64 the package
// can read this state. It refuses such a switch with [ErrThreadLock], and restores the state when a
// greenlet ends in the wrong one. On other platforms all greenlets of a family must be started and
// switched to in the same state.
//
// In a testing/synctest bubble, call [Enter], and close the family before the bubble ends: the
// goroutines that wait for the next greenlet belong to the bubble too.
//
// # What it isn't
//
// The package has no timers, no I/O, no scheduler and no cancellation. Packages loop and repaint
// have them.
package greenlet
