package turns

import (
	"context"
	"sync"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// queue is the line in which callers wait, first come first served, for what a pool or a gate gives
// out. A waiting greenlet suspends only itself; a waiting goroutine blocks. A grant is handed over
// inside the lock, so that it always belongs to exactly one side:
//
//	waiting → granted   the grant is the waiter's
//	waiting → refused   by timeout or closing; w.err says why
//	waiting → left      the waiter's context ended, or its greenlet was killed
//	granted → left      the same, but too late: the grant has been handed on
type queue struct {
	mu         sync.Mutex // also guards the pool or gate around the queue; never held across Await, Block, Resolve or Reject
	head, tail *waiter
	length     int

	timeout time.Duration // the longest wait; 0 means no limit
	// One timer serves all waiters: all wait equally long, so they time out in the order of the
	// line. It is set while there are waiters.
	timer *time.Timer
	armed bool

	waits    int64
	waited   time.Duration
	timeouts int64
}

type waiterState uint8

const (
	waiting waiterState = iota
	granted
	refused
	left
)

type waiter struct {
	promise    loop.Promise[struct{}]
	state      waiterState
	since      time.Time
	err        error // why the waiter was refused
	conn       *Conn // from a pool: the connection, or nil for the place for a new one
	shared     bool  // of a gate: whether it wants to read
	job        *Job  // the job to run after the grant; nil wakes the waiter
	behalf     *Job  // the job whose goroutine waits in the middle of it; may be nil
	prev, next *waiter
}

// owner is the pool or gate that embeds a queue.
type owner interface {
	// takeBack hands on what w was granted. It is called with the lock held, and releases it.
	takeBack(w *waiter)
	// timedOut returns the error for a waiter that has waited too long. It is called with the lock
	// held.
	timedOut() error
}

// join appends a waiter. The lock is held.
func (q *queue) join(o owner, w *waiter) {
	w.since = time.Now()
	switch {
	case w.behalf != nil:
		w.behalf.promise.UnderWay(false) // the job may be waiting for a sleeping task
	case w.job == nil:
		w.promise.AskedBy(repaint.CurrentLoop())
	}
	if w.prev = q.tail; w.prev == nil {
		q.head = w
	} else {
		w.prev.next = w
	}
	q.tail = w
	q.length++
	if q.timeout > 0 && !q.armed {
		q.armed = true
		if q.timer == nil {
			q.timer = time.AfterFunc(q.timeout, func() { q.expire(o) })
		} else {
			q.timer.Reset(q.timeout)
		}
	}
}

// wait waits for w's grant. It returns nil after the grant, or else why there is none. The lock is
// not held.
func (q *queue) wait(ctx context.Context, o owner, w *waiter) error {
	killed := true
	defer func() {
		if killed {
			q.leave(o, w)
		}
	}()
	_, err := repaint.Await(ctx, w.promise.Future())
	killed = false
	if err == nil {
		return nil
	}
	if refusal := q.leave(o, w); refusal != nil {
		return refusal
	}
	if why := loop.ContextError(ctx); why != nil {
		return why
	}
	return err
}

// leave ends a wait from the waiter's side. If the waiter was refused, leave returns why.
func (q *queue) leave(o owner, w *waiter) error {
	q.mu.Lock()
	switch w.state {
	case waiting:
		w.state = left
		q.remove(w)
	case granted:
		w.state = left
		o.takeBack(w)
		return nil
	}
	q.mu.Unlock()
	return w.err
}

// grant gives the first waiter what it waits for. The lock is held, and w is the head. If the
// waiter has gone, so that the grant would be lost, it returns false, with the lock held again.
func (q *queue) grant(w *waiter) bool {
	q.remove(w)
	w.state = granted
	if w.job != nil {
		w.job.starts()
		go w.job.serve(w.conn)
		return true
	}
	if w.behalf != nil {
		w.behalf.promise.UnderWay(true)
	}
	q.mu.Unlock()
	ok := w.promise.Resolve(struct{}{})
	q.mu.Lock()
	if ok || w.state != granted {
		return true // a waiter that left meanwhile has handed the grant on
	}
	w.state = left
	return false
}

// refuseAll refuses all waiters with an error. The lock is held, and released.
func (q *queue) refuseAll(err error) {
	if q.timer != nil {
		q.timer.Stop() // the timer would keep the engine alive
	}
	list := q.head
	for w := list; w != nil; w = w.next {
		w.state, w.err = refused, err
	}
	q.head, q.tail, q.length = nil, nil, 0
	q.mu.Unlock()
	for w := list; w != nil; {
		next := w.next
		w.prev, w.next = nil, nil
		w.refuse(err)
		w = next
	}
}

// refuse tells the waiter that it won't get what it waits for.
func (w *waiter) refuse(err error) {
	if w.job != nil {
		w.job.promise.Reject(err)
		return
	}
	if w.behalf != nil {
		w.behalf.promise.UnderWay(true)
	}
	w.promise.Reject(err)
}

// expire refuses the waiters that have waited too long, and sets the timer for the next one.
func (q *queue) expire(o owner) {
	q.mu.Lock()
	q.armed = false
	for q.head != nil {
		w := q.head
		if rest := q.timeout - time.Since(w.since); rest > 0 {
			q.armed = true
			q.timer.Reset(rest)
			break
		}
		q.remove(w)
		q.timeouts++
		w.state, w.err = refused, o.timedOut()
		q.mu.Unlock()
		w.refuse(w.err)
		q.mu.Lock()
	}
	q.mu.Unlock()
}

// remove takes w out of the line. The lock is held.
func (q *queue) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.tail = w.prev
	}
	w.prev, w.next = nil, nil
	q.length--
	q.waits++
	q.waited += time.Since(w.since)
}
