// Package coop has cooperative tools for blue code: locks, queues and the like that suspend only the task that waits.
//
//	Mutex, RWMutex, Semaphore    mutual exclusion, and its relatives
//	Event, Cond, Barrier         waiting for others
//	Queue                        passing items on: FIFO, LIFO, by priority; bounded or not
//	Once, OnceValue, Shared      doing once what many want
//	Loader                       one call for many keys
//	Local                        variables of which each task has its own
//	Ticker                       regular moments
//
// Those of package sync, and channels, block the goroutine, and in a loop that's everybody's. These wait by [repaint.Await]:
// a task is suspended, the main function of a Run drives the loop meanwhile, and a plain goroutine blocks.
// So the same code runs in both colours, and a tool can stand between tasks of a loop, several loops, and goroutines.
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
// # What holds for all
//
// Methods that may wait take a context and return an error. If the error isn't nil, the caller has got nothing: no lock, no item. If the
// context has ended before the call, that is the error, even if there would be nothing to wait for. A loop's callback can't wait:
// where it would have to, the error is [repaint.ErrInCallback]. Methods whose names begin with Try never wait.
//
// Whoever waits first is served first. What becomes free is handed over to the first in line, and isn't free in between,
// so nobody who comes later can snatch it.
//
// A caller whose context ends leaves the line, and leaves nothing behind. If that coincides with being served, serving wins: the caller
// has the lock, the permits or the item, the error is nil, and the next wait will notice the context. So nothing is lost.
// If a wait ends in another way after it was served, because the greenlet is killed for instance, then what was handed over goes to the next one.
//
// Nothing is allocated, and nobody else gets a turn, where nothing has to be waited for.
// So a loop of such calls is no occasion for others to run: that's what Sleep(ctx, 0) is for.
//
// Misuse, such as the unlocking of what isn't locked, panics.
//
// # Whose tool it is
//
// A tool that a New function makes within a loop belongs to that loop. It says that only what runs in the loop will unlock, release, set or fill it.
// Others can use it, but if nothing can happen any more in the loop, those who wait for it in there are in a deadlock, and the main
// function's wait returns a [*repaint.DeadlockError] that tells who waits for what; [Named] gives the tool a name in it.
// When the loop has ended, those who still wait elsewhere get loop.ErrClosed.
//
// A tool that is made outside of any loop, or with [Unbound], and the zero value where that is a tool, are for everybody. Since anybody could
// come along at any moment, a wait for it is a wait for the outside: it isn't part of any deadlock, and may last for ever.
//
// In both cases a Run within a task stops the outer loop until it returns. So in there, nobody can wait for what only that loop will do.
//
// [Loader], [Local] and functions run by [Shared] and [Once] have more to say about this: see there.
// A [Ticker] that was made in a loop is for that loop only.
//
// # Do I need a lock in a loop?
//
// Less often than elsewhere. Tasks of one loop change only where they wait, so what they do in between needs no lock.
// A lock is for what must stay the same across a wait: a check, a query, and the update that depends on both.
//
// # What it isn't
//
// These tools aren't faster than those of package sync, and plain goroutines that share nothing with loops
// are better off with the latter. Channels can be waited for together, in a select; these can't. There are no locks between processes.
package coop
