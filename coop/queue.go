package coop

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/seed1239206e/repaint/internal/cache"
	"github.com/seed1239206e/repaint/loop"
)

// A Queue passes items from callers that put them to callers that get them. It is asyncio's Queue.
// [NewQueue], [NewLIFO] and [NewPriority] make it.
//
// Unlike a channel, a queue can be unbounded, return items in another order than the order of
// arrival, be closed while callers put, and count the work that is under way. It serves callers in
// the order in which they came: an item that is put while getters wait goes to the first of them,
// and a place that becomes free goes to the first waiting putter.
type Queue[T any] struct {
	identity
	size int // 0 for no bound

	mu         sync.Mutex // held for moments; no other is taken inside
	store      store[T]
	getters    line[T] // empty unless the store is
	putters    line[T] // empty unless the store is full
	closed     bool    // both lines are empty then
	unfinished int     // items that were put and that TaskDone hasn't counted
	finished   *gate   // for callers that wait for unfinished to be 0; nil if there are none
}

// NewQueue returns a queue that returns items in the order in which they were put. It holds at most
// size items, or any number if size is 0, and panics if size is negative. Made in a loop, it
// belongs to that loop.
func NewQueue[T any](size int, opts ...Option) *Queue[T] {
	return newQueue[T](size, new(cache.Ring[T]), opts)
}

// NewLIFO is [NewQueue] for a queue that first returns the item that was put last.
func NewLIFO[T any](size int, opts ...Option) *Queue[T] {
	return newQueue[T](size, new(stack[T]), opts)
}

// NewPriority is [NewQueue] for a queue that returns the least item first, and of equal items the
// one that was put first.
//
// The queue is locked while it calls less: less must be quick, and must not use the queue.
func NewPriority[T any](size int, less func(a, b T) bool, opts ...Option) *Queue[T] {
	return newQueue[T](size, &priority[T]{less: less}, opts)
}

func newQueue[T any](size int, s store[T], opts []Option) *Queue[T] {
	if size < 0 {
		panic(fmt.Sprintf("coop: a Queue of size %d", size))
	}
	return &Queue[T]{identity: newIdentity(opts), size: size, store: s}
}

// Put puts an item, waiting in line while the queue is full. If it returns an error, the item
// wasn't put: the error is [ErrQueueClosed] if the queue is closed before or during the wait, and
// the context's cause if the context ends first. If the context ends at the very moment at which
// the queue takes the item, the item is put and the error is nil.
func (q *Queue[T]) Put(ctx context.Context, item T) error {
	if ctx.Err() != nil {
		return loop.ContextError(ctx)
	}
	getter, putter, err := q.put(item, true)
	if putter != nil {
		return putter.wait(ctx)
	}
	getter.resolve()
	return err
}

// TryPut puts an item if that needs no waiting, and reports whether it did. It never waits. It may
// be called from any goroutine.
func (q *Queue[T]) TryPut(item T) bool {
	getter, _, err := q.put(item, false)
	getter.resolve()
	return err == nil
}

// put puts an item. It returns the getter that got it, if one did. If there is no room, it returns
// the new waiter, or an error if the caller mustn't wait.
func (q *Queue[T]) put(item T, mayWait bool) (getter, putter *waiter[T], err error) {
	q.mu.Lock()
	defer q.mu.Unlock() // less may panic
	switch {
	case q.closed:
		return nil, nil, ErrQueueClosed
	case q.getters.first != nil:
		getter = q.getters.serve()
		getter.value = item
		q.unfinished++
	case q.size == 0 || q.store.Len() < q.size:
		q.store.Push(item)
		q.unfinished++
	case mayWait:
		putter = newWaiter[T]((*putterTool[T])(q), q.home, item)
		q.putters.push(putter)
	default:
		return nil, nil, errFull
	}
	return getter, putter, nil
}

// Get takes an item, waiting in line while there is none. If it returns an error, it took none: the
// error is [ErrQueueClosed] if the queue is closed and empty, and the context's cause if the
// context ends first. If the context ends at the very moment at which an item is handed over, Get
// returns the item and no error.
func (q *Queue[T]) Get(ctx context.Context) (T, error) {
	if ctx.Err() != nil {
		var none T
		return none, loop.ContextError(ctx)
	}
	item, putter, getter, err := q.get(true)
	if getter != nil {
		if err := getter.wait(ctx); err != nil {
			var none T
			return none, err
		}
		return getter.value, nil
	}
	putter.resolve()
	return item, err
}

// TryGet takes an item if there is one, and reports whether it did. It never waits. It may be
// called from any goroutine.
func (q *Queue[T]) TryGet() (item T, ok bool) {
	item, putter, _, err := q.get(false)
	putter.resolve()
	return item, err == nil
}

// get takes an item. It returns the putter that waited for the room, if one did. If there is no
// item, it returns the new waiter, or an error if the caller mustn't wait.
func (q *Queue[T]) get(mayWait bool) (item T, putter, getter *waiter[T], err error) {
	q.mu.Lock()
	defer q.mu.Unlock() // less may panic
	switch {
	case q.store.Len() > 0:
		item = q.store.Pop()
		putter = q.admit()
	case q.closed:
		err = ErrQueueClosed
	case mayWait:
		getter = newWaiter[T]((*getterTool[T])(q), q.home, item)
		q.getters.push(getter)
	default:
		err = errEmpty
	}
	return item, putter, getter, err
}

// admit lets the first putter in if there is room. It must be called with mu held.
func (q *Queue[T]) admit() *waiter[T] {
	if q.putters.first == nil || q.store.Len() >= q.size {
		return nil
	}
	putter := q.putters.serve()
	q.store.Push(putter.value)
	q.unfinished++
	return putter
}

// All returns a sequence of the items that it gets, until the queue is closed and empty. If a wait
// fails for another reason, the last pair is a zero item and the error.
//
//	for item, err := range q.All(ctx) {
//		if err != nil {
//			return err
//		}
//		…
//	}
func (q *Queue[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			item, err := q.Get(ctx)
			if err == ErrQueueClosed || !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// TaskDone says that the work on an item from the queue is done: see [Queue.Join]. It panics if it
// is called more often than items were put. It never waits. It may be called from any goroutine.
func (q *Queue[T]) TaskDone() {
	q.mu.Lock()
	if q.unfinished == 0 {
		q.mu.Unlock()
		panic("coop: TaskDone was called more often than items were put into the Queue")
	}
	gate := q.finish(1)
	q.mu.Unlock()
	gate.open()
}

// finish counts n items as done. It must be called with mu held. The caller opens the gate without
// mu.
func (q *Queue[T]) finish(n int) (gate *gate) {
	q.unfinished -= n
	if q.unfinished == 0 {
		gate, q.finished = q.finished, nil
	}
	return gate
}

// Join waits until [Queue.TaskDone] has been called for each item that was put. If the context ends
// first, it returns the context's cause.
func (q *Queue[T]) Join(ctx context.Context) error {
	if ctx.Err() != nil {
		return loop.ContextError(ctx)
	}
	q.mu.Lock()
	if q.unfinished == 0 {
		q.mu.Unlock()
		return nil
	}
	if q.finished == nil {
		q.finished = newGate(&q.identity, "the work on the items of a coop.Queue")
	}
	gate := q.finished
	q.mu.Unlock()
	return gate.wait(ctx)
}

// Close closes the queue, so that it takes no more items. A caller that waits to put gets
// [ErrQueueClosed], and its item isn't put. Get still returns the items in the queue, and then
// ErrQueueClosed. Closing again does nothing. Close never waits, and may be called from any
// goroutine.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	getters, putters := q.close()
	q.mu.Unlock()
	getters.reject(ErrQueueClosed)
	putters.reject(ErrQueueClosed)
}

// CloseNow is [Queue.Close], but returns the items in the queue instead of leaving them to the
// getters. These items count as done for [Queue.Join]. It is asyncio's shutdown(immediate=True).
func (q *Queue[T]) CloseNow() (left []T) {
	left, gate, getters, putters := q.closeNow()
	gate.open()
	getters.reject(ErrQueueClosed)
	putters.reject(ErrQueueClosed)
	return left
}

func (q *Queue[T]) closeNow() (left []T, gate *gate, getters, putters line[T]) {
	q.mu.Lock()
	defer q.mu.Unlock() // less may panic
	getters, putters = q.close()
	for q.store.Len() > 0 {
		left = append(left, q.store.Pop())
	}
	// TaskDone may have been called for items that no caller got.
	return left, q.finish(min(len(left), q.unfinished)), getters, putters
}

// close must be called with mu held. The caller rejects the waiters that it returns without mu.
func (q *Queue[T]) close() (getters, putters line[T]) {
	q.closed = true
	return q.getters.take(refused), q.putters.take(refused)
}

// Len returns the number of items in the queue. It may be called from any goroutine.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.store.Len()
}

// Cap returns the most items that the queue can hold, or 0 if there is no bound.
func (q *Queue[T]) Cap() int { return q.size }

// Closed reports whether the queue has been closed. It may be called from any goroutine.
func (q *Queue[T]) Closed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// A getterTool is a queue as its getters see it.
type getterTool[T any] Queue[T]

func (t *getterTool[T]) wanted(*waiter[T]) string { return t.describe("an item of a coop.Queue") }

func (t *getterTool[T]) resign(w *waiter[T], keep bool) bool {
	q := (*Queue[T])(t)
	var next *waiter[T]
	defer func() { next.resolve() }()
	q.mu.Lock()
	defer q.mu.Unlock() // less may panic
	if w.state == served && keep {
		return true
	}
	if w.state == served {
		// The item goes to the next getter, or back to where it would be if it had never been
		// taken.
		w.state = gone
		if next = q.getters.serve(); next != nil {
			next.value = w.value
		} else {
			q.store.Unpop(w.value) // there may be one too many for a moment; no item is put until there is room again
		}
	}
	q.getters.leave(w)
	return false
}

// A putterTool is a queue as its putters see it.
type putterTool[T any] Queue[T]

func (t *putterTool[T]) wanted(*waiter[T]) string { return t.describe("room in a coop.Queue") }

func (t *putterTool[T]) resign(w *waiter[T], keep bool) bool {
	q := (*Queue[T])(t)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.putters.leave(w)
	// An item that the queue has taken is put, whatever ends the wait: a getter may have it
	// already.
	return w.state == served && keep
}
