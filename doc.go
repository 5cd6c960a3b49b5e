// Package repaint changes a function's colour without touching its source.
//
// A function that does I/O is blue or red. A blue one returns its value and may take a while:
// func(ctx, …) (T, error). A red one returns at once, with a future: func(…) *loop.Future[T].
// Blue is how people write, and what libraries are made of. Red is what a driver wants that pipelines.
// Two verbs lead from one to the other, at any place:
//
//   - [Await] makes a future's value of it, red to blue. It suspends only the greenlet that it is called in.
//   - [Spawn] makes a future of a function, blue to red. It runs it in a new greenlet, whose [Task] is the future.
//
// This is how SQLAlchemy serves synchronous and asynchronous users from one core: await_only and greenlet_spawn.
//
// # Where code runs
//
// [Run] makes an event loop in the calling goroutine and calls a main function in it.
// Within that, tasks, callbacks of the loop and the main function take turns. They change only where one waits:
// in Await, [Sleep], [Block], [Group.Wait] and what is made of these. Between two such places a task
// has all that belongs to the loop to itself, and needs no mutex for it.
// Nothing runs in parallel in one loop. Loops run in parallel with each other, and a loop takes about
// a microsecond to make, so one for each request is fine.
//
// Blue code need not know where it runs. In a plain goroutine Await waits, Sleep sleeps, Block calls, and a
// [Group] starts goroutines. A goroutine that code within a loop starts is a plain one.
//
// A Group, and [Gather], [First], [AsCompleted] and [Each], run functions side by side and let none outlive them.
// Package coop has what blue code shares and waits for: locks, queues, events, and a loader that turns the questions of many tasks into one.
//
// # Cancellation
//
// Contexts do it, as everywhere in Go. A wait returns when its context ends, with the context's cause, and so does each further
// one with that context; the future that was awaited is cancelled, so that a driver can cancel the query.
// Each task has a context of its own, which ends with the one that it was spawned with, by [Task.Cancel],
// and when the task returns. Cleaning up that has to wait does so with context.WithoutCancel.
// [WithTimeout] goes by the loop's clock, which may be virtual.
//
// # What goes wrong
//
// A panic in a task is raised in whoever awaits it, and by Run if nothing does. The error of a task that nothing awaits is
// reported ([loop.WithReport]). A runtime.Goexit, which t.FailNow calls,
// ends the goroutine that called Run, in order, so tests may fail in tasks.
// If all wait for each other, the main function's wait returns a [*DeadlockError] that says who waits for what.
// What blocks without Block, a channel say, stops the whole loop: that is the price of one goroutine at a time.
// The same goes for a library that keeps a mutex while it waits, once a second task wants that mutex.
//
// To see it there is debug mode: run the program with REPAINT_DEBUG=1, or the loop with [loop.WithDebug]. It reports
// what holds the loop, with its stack. [DumpTasks] writes what each task
// waits for and where it was spawned, and [DumpOnSignal] does so when a signal comes.
//
// # Loops of others
//
// [Attach] lets tasks run on an event loop that isn't ours, if it has one method: Post(func()).
//
// # Packages
//
// Package greenlet has the coroutines, package loop the event loop and its futures: neither knows of the other, and this package
// is all that stands between them. Package db is a database core on top, whose code is written once for both colours.
package repaint
