// Package repaint runs plain sequential functions as tasks of an event loop, without a change to
// their source.
//
//	err := repaint.Run(ctx, func(ctx context.Context) error {
//		pages, err := repaint.Gather(ctx, page(1), page(2), page(3)) // three tasks at once
//		…
//	})
//
// Thousands of tasks cost little, and need no mutex, because they take turns. A driver that pipelines,
// such as package pg, sends what they ask for together. Outside of Run the same functions are ordinary
// Go. If you only want a faster driver, you need nothing of this package: see pg.
//
// # Colours
//
// A function that does I/O is blue or red. A blue function returns its value and may take a while:
// func(ctx, …) (T, error). A red function returns a future at once: func(…) *loop.Future[T]. People
// write blue code, and libraries consist of it. A driver that pipelines is red. Two verbs lead from
// one colour to the other, at any place:
//
//   - [Await] turns a future into its value, red to blue. It suspends only the calling greenlet.
//   - [Spawn] turns a function into a future, blue to red. It runs the function in a new greenlet,
//     whose [Task] is the future.
//
// This is how SQLAlchemy serves synchronous and asynchronous users from one core: await_only and
// greenlet_spawn.
//
// # Where code runs
//
// [Run] makes an event loop in the calling goroutine and calls a main function in it. Within that,
// tasks, callbacks of the loop and the main function take turns. They change only where one waits:
// in Await, [Sleep], [Block], [Group.Wait] and functions that call these. Between two such places a
// task has the loop's data to itself, and needs no mutex for them. Nothing runs in parallel in one
// loop. Several loops run in parallel. Making a loop takes about a microsecond, so each request can
// have its own.
//
// Blue code need not know where it runs. In a plain goroutine Await and Sleep block, Block just
// calls its function, and a [Group] starts goroutines. A goroutine that code in a loop starts is a
// plain goroutine.
//
// A Group, [Gather], [First], [AsCompleted] and [Each] run functions side by side, and none of the
// functions outlives them. Package coop has tools for blue code: locks, queues, events, and a
// loader that turns the lookups of many tasks into one.
//
// # Cancellation
//
// Contexts cancel, as everywhere in Go. When its context ends, a wait returns the context's cause,
// and so does each further wait with that context. The awaited future is cancelled, so that a
// driver can cancel its query. Each task has a context of its own, which ends with the context that
// it was spawned with, by [Task.Cancel], and when the task returns. Clean-up that has to wait uses
// context.WithoutCancel. [WithTimeout] uses the loop's clock, which may be virtual.
//
// # Failures
//
// A panic in a task is raised in the code that awaits the task, or by Run if no code does. The
// error of a task that no code awaits is reported ([loop.ReportTo]). A runtime.Goexit, which
// t.FailNow calls, ends the goroutine that called Run, in order, so tests may fail in tasks. If all
// tasks wait for each other, the main function's wait returns a [*DeadlockError] that says what
// each task waits for. A call that blocks without Block, for example on a channel, stops the whole
// loop: that is the price of one goroutine at a time. So does a library that holds a mutex while it
// waits, once a second task wants that mutex. A wait in a function that iter.Pull has made a
// coroutine of blocks the loop, too: it runs on a goroutine that isn't the loop's, and a goroutine
// can't tell which one has resumed it, so it can't be refused. The report says what it is. A task of
// its own may read such an iterator.
//
// Debug mode reports code that holds up the loop, with its stack: run the program with
// REPAINT_DEBUG=1, or the loop with [loop.Debug]. [DumpTasks] writes what each task waits for
// and where it was spawned. [DumpOnSignal] does so when a signal comes.
//
// # Foreign loops
//
// [Attach] lets tasks run on a foreign event loop. The loop needs one method: Post(func()).
//
// # Packages
//
//	pg            a driver for PostgreSQL with the API of pgx, for goroutines and tasks
//	db            one API for SQLite, PostgreSQL, MySQL and MariaDB, for goroutines and tasks
//	coop          locks, queues, events, and the Loader, which turns many lookups into one
//	repainttest   tests that find races between tasks and in SQL
//	trace         a timeline of tasks and statements, to look at in a browser
//	loop          the event loop and its futures, for authors of drivers
//	greenlet      the coroutines
//
// Packages greenlet and loop don't know about each other; this package connects them.
package repaint
