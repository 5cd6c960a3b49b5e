// Package coop has cooperative tools for blue code: locks, queues and the like that suspend only
// the task that waits.
//
//	Mutex, RWMutex, Semaphore    mutual exclusion, and its relatives
//	Event, Cond, Barrier         waiting for others
//	Queue                        passing items on: FIFO, LIFO, by priority; bounded or not
//	Once, OnceValue, Shared      doing once what many want
//	Loader                       one call for many keys
//	Local                        variables of which each task has its own
//	Ticker                       regular moments
//
// The tools of package sync, and channels, block the goroutine, which in a loop all tasks share.
// These wait by [repaint.Await]: a task is suspended, the main function of a Run drives the loop
// meanwhile, and a plain goroutine blocks. So the same code runs in both colours, and a tool can
// stand between tasks of a loop, several loops, and goroutines.
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
// A caller whose context ends leaves the line, and leaves nothing behind. If it is served at the
// same moment, serving wins: the caller has the lock, the permits or the item, the error is nil,
// and its next wait notices the context. So nothing is lost. If a wait ends in another way after it
// was served, because the greenlet is killed for instance, the next caller gets what was handed
// over.
//
// A call that doesn't have to wait allocates nothing and gives no other task a turn.
// Sleep(ctx, 0) is what lets the others run in a long loop of such calls.
//
// Misuse, such as the unlocking of what isn't locked, panics.
//
// # Whose tool it is
//
// A tool that a New function makes within a loop belongs to that loop: only code of that loop will
// unlock, release, set or fill it. Other goroutines can use it. But if nothing can happen in the
// loop any more, its tasks that wait for the tool are in a deadlock, and the main function's wait
// returns a [*repaint.DeadlockError] that lists what each of them waits for; [Named] gives the tool
// a name in it. After the end of the loop, callers that still wait elsewhere get loop.ErrClosed.
//
// A tool that is made outside of any loop, or with [Unbound], and the zero value where that is a
// tool, are for every goroutine. Since any of them could come along at any moment, a wait for such
// a tool isn't part of a deadlock, and may last forever.
//
// In both cases a Run within a task stops the outer loop until it returns. So the inner one can't
// wait for what only the outer loop will do.
//
// [Loader], [Local], [Shared] and [Once] say more about this.
// A [Ticker] that was made in a loop is for that loop only.
//
// # Do I need a lock in a loop?
//
// Less often than elsewhere. Tasks of one loop change only where they wait, so what they do in
// between needs no lock. A lock is for what must stay the same across a wait: a check, a query, and
// the update that depends on both.
//
// # What it isn't
//
// These tools aren't faster than package sync, which is the better choice for plain goroutines that
// share nothing with loops. A select can wait for several channels; it can't wait for these. There
// are no locks between processes.
package coop
