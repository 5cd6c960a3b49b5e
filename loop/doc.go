// Package loop is an event loop with futures, timers and a way to call what blocks: the red world of repaint.
//
// A [Loop] runs callbacks one after the other. A callback never waits. It starts something, says what
// is to be called when that is done, and returns.
//
//	l := loop.New()
//	defer l.Close()
//	answer := loop.NewPromise[int](l)
//	l.CallLater(time.Second, func() { answer.Resolve(42) })
//	err := l.Drive(answer.Future().Done)
//
// Most programs get their loop from repaint.Run and write blue code on top, which waits like any other.
// This package is for those who write what is underneath: drivers, and bridges to other event loops.
//
// # What a loop is
//
// A loop is not a goroutine. It has a queue, and [Loop.Drive] works it off in the goroutine that calls it,
// until a condition holds. Between two calls of Drive nothing happens, and nothing is lost.
// So a loop costs an allocation or two, and one for each request is reasonable.
//
// Drive goes in ticks. A tick takes all that is scheduled, and then the timers that are due, and calls
// them in this order. What they schedule belongs to the next tick: a callback that always schedules itself again keeps nobody
// else from running. At the end of the tick come the hooks of [Loop.OnTickEnd], and what [Loop.CallAtTickEnd] was given; that's where a driver writes out, in one
// system call, what the tick has collected. If then there is nothing to run, the loop sleeps; it can do so in something of a driver's,
// such as a read from the network, see [Sleeper].
//
// The order is a law, not a habit: whatever was scheduled first runs first, whoever scheduled it.
// When nothing is ready, and before the loop sleeps, come the functions of [Loop.CallWhenIdle]:
// at that instant nothing in the loop can do anything, so a callback that collects has all there will be.
// [Loop.CallWhenIdleSoon] doesn't wait for it for ever.
// With a virtual clock, and as long as nothing comes from other goroutines, the same program always runs in the same order.
//
// A panic in a callback passes through Drive to its caller, and so does runtime.Goexit. The callbacks behind it
// keep their place, and run when the loop is driven on.
//
// # Who may call what
//
// "From the loop" means: from a callback or hook, or from the code that calls Drive, while Drive isn't running.
//
//	from any goroutine     Post, Schedule, Wake, Report; Offload; all of Future, Promise and Latch but OnDone
//	from the loop          everything else: timers, hooks, Hold, OnDone, Stats, Close
//	not from a callback    Drive, which returns ErrReentrant
//	not from a loop        Wait of a future, which would stop the loop
//
// So callbacks need no locks for what they share: they run in turn, and each sees what those before it did.
// There is one door for other goroutines, [Loop.Post]. Everything that comes from outside comes through it.
//
// # Time
//
// [Loop.Now] is the loop's time, and timers go by it. [Timer.Stop] is exact, which time.Timer's can't be:
// when it returns true, the call isn't made, even if the timer was due in this very tick.
// Timers run in the order of their moments, and those of the same moment in the order in which they were set.
//
// With [WithVirtualClock] time stands still while there is anything to run, and jumps to the next timer when there isn't.
// A test of an hour's backoff takes microseconds and needs no tolerance.
// What happens outside has no place on a virtual clock. So while offloaded work is under way time stands still,
// and while somebody waits for another goroutine it jumps only after 5 ms of silence.
//
// # Futures and promises
//
// A [Future] is a result that isn't there yet; its [Promise] is the end at which it is completed. It's completed once:
// of several attempts, by any goroutines, one succeeds, and each is told whether it was the one.
// Whoever asked by [Latch.OnDone] is called by their own loop, never by the one who completes:
// the completer's stack and locks are no concern of theirs. They are called in the order in which they asked.
//
// A promise is bound to a loop, or to none, and that decides what silence means.
//
//   - [NewPromise] with a loop says: only this loop's callbacks will complete it. If the loop gets idle, they never will,
//     and Drive returns [ErrDeadlock] instead of sleeping for ever. If the loop is closed, others who wait get [ErrClosed].
//   - NewPromise with nil, or the zero Promise, says: anybody may complete it. A loop in which somebody waits for it
//     sleeps as long as it takes.
//
// Being bound is a statement, not a lock: another goroutine that completes a bound promise does complete it.
// But by then a deadlock may have been reported that was none. If in doubt, bind to none.
// Code that waits for the outside without a future says so by [Loop.Hold] and [Loop.Release].
//
// # Cancellation
//
// [Latch.Cancel] says that nobody wants the result any more. Without an owner that's the end of it: the future
// fails with the cause. An owner, set by [Promise.OnCancel], is told instead and decides:
// it may stop the work and reject, or finish it and resolve, now or later. A cancel that comes too late returns false;
// then the result is there, and whoever cancelled must not forget it: it may be a connection.
//
// # What blocks
//
// A callback that blocks stops the loop. [Offload] calls a function in another goroutine and returns a future.
// The number of those goroutines is bounded, so an offloaded function must not wait for what only another
// offloaded one can bring about: those that wait could take all the places, and the one they wait for gets none.
// Wait first, in the loop, and offload then.
//
// Cancelling abandons a function that has begun. What it uses is still in use then; where that matters there is [OffloadJoined],
// whose future isn't done before the function has returned.
//
// # What goes wrong
//
// An error is the business of who drives the loop, or of who has the future. What is nobody's business is reported:
// [WithReport] sets to whom, and otherwise it is logged. So is the error of a function that runs on its own, an [Offload]
// or a task, and each panic, if nothing looks at it ([UnobservedError]).
// In debug mode, [WithDebug] or REPAINT_DEBUG=1, so are the errors of all futures, and whatever holds
// the loop for too long, with its stack, while it still does ([HeldError]): a callback that computes, or one that waits
// for a mutex which only the loop's next callback would unlock.
//
// # Chance
//
// [WithSeed] gives up the order of requests. What runs next is drawn by chance, the same for the same seed.
// With the virtual clock that makes a test of a thousand schedules, each of which can be repeated.
// [WithChooser] has a [Chooser] of the caller's in the place of chance.
//
// # On loops of others
//
// [NewGuest] makes a loop that nobody drives: an event loop of somebody else's calls it, whenever it has something to do.
//
// # Without allocations
//
// Code that schedules the same object again and again implements [Runnable], and code that waits again and again
// keeps a [Waiter]. Both spare the closure. Everybody else is better off with functions.
//
// # What it isn't
//
// There is no I/O here: no sockets are polled. A driver has goroutines that read, as usual in Go, and they Post.
// There are no tasks, and nothing waits: packages greenlet and repaint have that.
// And it isn't for speed through parallelism. A loop uses one core; what it gives is order.
package loop
