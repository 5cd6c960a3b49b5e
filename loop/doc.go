// Package loop is an event loop with futures, timers and a way to call functions that block. It is
// the red world of repaint.
//
// A [Loop] runs callbacks one after another. A callback never waits. It starts something, names a
// function to call when that is done, and returns.
//
//	l := loop.New()
//	defer l.Close()
//	answer := loop.NewPromise[int](l)
//	l.CallLater(time.Second, func() { answer.Resolve(42) })
//	err := l.Drive(answer.Future().Done)
//
// Most programs get their loop from repaint.Run and write blue code on top, which waits like any
// other code. This package is for authors of drivers, and of bridges to other event loops.
//
// # What a loop is
//
// A loop is not a goroutine. It has a queue, and [Loop.Drive] runs it in the calling goroutine
// until a condition holds. Between two calls of Drive nothing happens, and nothing is lost. So a
// loop costs an allocation or two, and one for each request is reasonable.
//
// Drive runs ticks. A tick takes everything that is scheduled, and then the timers that are due,
// and calls them in this order. Callbacks that these schedule belong to the next tick, so a
// callback that always schedules itself again doesn't starve others. At the end of the tick the
// loop calls the hooks of [Loop.OnTickEnd] and the functions of [Loop.CallAtTickEnd]. There a
// driver writes, in one system call, what the tick has collected. If there is nothing to run then,
// the loop sleeps. It can sleep in an operation of a driver, such as a read from the network, see
// [Sleeper].
//
// The order is guaranteed: the callback that was scheduled first runs first, from whichever
// goroutine. When nothing is ready, and before the loop sleeps, it calls the functions of
// [Loop.CallWhenIdle]. At that moment nothing in the loop can run, so a callback that collects has
// everything that will come. [Loop.CallWhenIdleSoon] doesn't wait forever for that moment. With a
// virtual clock, and as long as nothing comes from other goroutines, the same program always runs
// in the same order.
//
// A panic in a callback passes through Drive to its caller, and so does a runtime.Goexit. The
// callbacks after it keep their places, and run when the loop is driven again.
//
// # Who may call what
//
// "From the loop" means: from a callback or hook, or from the code that calls Drive, while Drive
// isn't running.
//
//	from any goroutine     Post, Schedule, Report; Offload; all of Future, Promise and Latch but OnDone
//	from the loop          everything else: timers, hooks, descriptors, OnDone, Stats, Close
//	not from a callback    Drive, which returns ErrReentrant
//	not from a loop        Wait of a future, which would stop the loop
//
// So callbacks need no locks for shared data: they run in turn, and each sees the effects of those
// before it. Other goroutines have one way in, [Loop.Post].
//
// # Time
//
// [Loop.Now] is the loop's time, and timers use it. [Timer.Stop] is exact, unlike time.Timer's: if
// it returns true, the call isn't made, even if the timer was due in this very tick. Timers run in
// the order of their times, and timers with equal times in the order in which they were set.
//
// With [VirtualClock] time stands still while there is anything to run, and jumps to the next
// timer when there isn't. A test of an hour's backoff takes microseconds and needs no tolerance.
// Events outside have no place on a virtual clock. So time stands still while offloaded work is
// under way. While code waits for another goroutine, time jumps only after 5 ms of silence.
//
// # Futures and promises
//
// A [Future] is a result that isn't there yet. Its [Promise] is the end that completes it. A future
// is completed once: of several attempts, by any goroutines, one succeeds, and each attempt reports
// whether it did. A function that was given to [Latch.OnDone] is called by its own loop, never by
// the completing code, so it doesn't run on that code's stack or within its locks. These functions
// are called in the order in which they were given.
//
// A promise is bound to a loop, or to none. That decides what silence means.
//
//   - [NewPromise] with a loop says that only this loop's callbacks will complete it. If the loop
//     becomes idle, they never will, and Drive returns [ErrDeadlock] instead of sleeping forever.
//     If the loop is closed, waiting code elsewhere gets [ErrClosed].
//   - NewPromise with nil, or the zero Promise, says that any goroutine may complete it. A loop
//     that waits for it sleeps as long as that takes.
//
// Binding is a statement, not a lock: another goroutine can complete a bound promise. But by then
// the loop may have reported a deadlock that wasn't one. If in doubt, bind to no loop. Code that
// waits for something outside without a future calls [Bridge.Hold] and [Bridge.Release].
//
// # Cancellation
//
// [Latch.Cancel] says that the result isn't wanted any more. If the promise has no owner, the
// future fails with the cause. An owner, set by [Promise.OnCancel], decides instead: it may stop
// the work and reject, or finish it and resolve, now or later. A cancel that comes too late returns
// false. Then the result is there, and the caller of Cancel must dispose of it: it may be a
// connection.
//
// # What blocks
//
// A callback that blocks stops the loop. [Offload] calls a function in another goroutine and
// returns a future. The number of those goroutines is limited. So an offloaded function must not
// wait for another offloaded function: waiting functions could take all the places, and leave none
// for the function that they wait for. Wait in the loop first, and then offload.
//
// Cancelling abandons a function that has begun, and the function goes on using its data. Where
// that matters use [OffloadJoined], whose future is done only when the function has returned.
//
// # Failures
//
// An error goes to the code that drives the loop or has the future. Other errors are reported to
// the function that [ReportTo] sets, and otherwise logged. That includes each panic, and the
// error of a function that runs on its own, an [Offload] or a task, if no code looks at it
// ([UnobservedError]). In debug mode, by [Debug] or REPAINT_DEBUG=1, the errors of all futures
// are reported too. So is code that holds up the loop for too long, with its stack and while it
// still does ([HeldError]): a callback that computes, or one that waits for a mutex that only the
// loop's next callback would unlock.
//
// # Chance
//
// [Seed] replaces the order of requests by a random one, the same for the same seed. With a
// virtual clock a test can run a thousand schedules, and repeat each of them. [ChooseBy] uses
// the caller's [Chooser] instead of chance.
//
// # On foreign loops
//
// [NewGuest] makes a loop that no code drives: a foreign event loop calls it whenever it has
// something to do.
//
// # Without allocations
//
// Code that schedules the same object again and again implements [Runnable], and code that waits
// again and again keeps a [Waiter]. Both avoid the closure. Other code is better off with
// functions.
//
// # What it isn't
//
// The loop reads and writes nothing itself. It tells a driver which of its descriptors are ready
// ([Loop.Poll]); a driver that has goroutines for its I/O, as usual in Go, posts from them. There
// are no tasks, and nothing waits: packages greenlet and repaint have that. And a loop doesn't make
// programs faster by parallelism. It uses one core, and gives order.
package loop
