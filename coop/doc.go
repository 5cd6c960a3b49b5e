// Package coop has cooperative tools for blue code: locks, queues and the like that suspend only
// the task that waits.
//
//	Mutex, RWMutex, Semaphore    mutual exclusion, and its relatives
//	Event, Cond, Barrier         waiting for others
//	Queue                        passing items on: FIFO, LIFO, by priority; bounded or not
//	Once, OnceValue, Shared      doing once what many callers want
//	Loader                       one call for many keys
//	Local                        a variable of which each task has its own value
//	Ticker                       a tick at regular intervals
//
// The tools of package sync, and channels, block the goroutine, which in a loop all tasks share.
// These wait by [repaint.Await]: a task is suspended, the main function of a Run drives the loop
// meanwhile, and a plain goroutine blocks. So the same code runs in both colours, and a tool can
// connect tasks of a loop, several loops, and goroutines.
//
//	var limit = coop.NewSemaphore(10)
//
//	func fetch(ctx context.Context, url string) ([]byte, error) {
//		if err := limit.Acquire(ctx, 1); err != nil {
//			return nil, err
//		}
//		defer limit.Release(1)
//		…
//	}
//
// # What all tools have in common
//
// Methods that may wait take a context and return an error. If the error isn't nil, the caller has
// nothing: no lock, no item. If the context ended before the call, that is the error, even if there
// is nothing to wait for. A loop's callback can't wait: where it would have to, the error is
// [repaint.ErrInCallback]. Methods whose names begin with Try never wait.
//
// Callers are served in the order in which they began to wait. What becomes free is handed to the
// first in line, and isn't free in between, so a later caller can't snatch it.
//
// A caller whose context ends leaves the line and leaves nothing behind. If it is served at the
// same moment, serving wins: the caller has the lock, the permits or the item, the error is nil,
// and its next wait notices the context. So nothing is lost. If a wait ends in another way after it
// was served, for example because the greenlet is killed, the next caller gets the lock, the
// permits or the item.
//
// A call that doesn't have to wait allocates nothing and gives no other task a turn. In a long loop
// of such calls, [repaint.Sleep] with a duration of 0 lets other tasks run.
//
// Misuse panics, such as unlocking a mutex that isn't locked.
//
// # Which loop a tool belongs to
//
// A tool that a New function makes within a loop belongs to that loop: only code of that loop will
// unlock, release, set or fill it. Other goroutines can use it. But if nothing can happen in the
// loop any more, its tasks that wait for the tool are in a deadlock, and the main function's wait
// returns a [*repaint.DeadlockError] that lists what each of them waits for; [Named] gives the tool
// a name in that list. After the end of the loop, callers that still wait elsewhere get
// loop.ErrClosed.
//
// A tool that is made outside any loop, or with [Unbound], is for every goroutine, and so is the
// zero value where that is a tool. Any goroutine could use it at any moment, so a wait for such a
// tool is never part of a deadlock, and may last forever.
//
// In both cases a Run within a task stops the outer loop until it returns. So the inner loop can't
// wait for anything that only the outer loop will do.
//
// [Loader], [Local], [Shared] and [Once] say more about this. A [Ticker] made in a loop is for that
// loop only.
//
// # Do I need a lock in a loop?
//
// Less often than elsewhere. Tasks of one loop change only where they wait, so what they do in
// between needs no lock. A lock is for data that must stay the same across a wait: a check, a
// query, and the update that depends on both.
//
// # What it isn't
//
// These tools aren't faster than package sync, which is the better choice for plain goroutines that
// share nothing with loops. A select can wait for several channels, but not for these tools. There
// are no locks between processes.
package coop
