package coop

import (
	"context"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// A waiter is a caller in a tool's line.
//
//	waiting → served    it was given what it waits for, and has it from that moment on
//	        → refused   the tool has told it why it won't get it
//	        → gone      it has given up
//
// Serving and refusing set the state under the tool's mutex and take the waiter off the line; the
// promise is completed afterwards. So the state, not the promise, decides what the waiter has.
type waiter[T any] struct {
	promise loop.Promise[struct{}]
	tool    tool[T]
	value   T     // what it wants, brings or was given; the tool's mutex guards it until it is served
	state   state // the tool's mutex guards it

	// Neighbours in a circular list. The tool's mutex guards them. Once the waiter is served, they
	// belong to the caller that serves it.
	next, prev *waiter[T]
}

type state uint8

const (
	waiting state = iota
	served
	refused
	gone
)

// A tool has a line of waiters.
type tool[T any] interface {
	// resign takes a waiter off the line that no longer wants to wait. If the waiter was served
	// just before, keep decides: if it is true, the waiter keeps what it was given and resign
	// reports true. Otherwise the next waiter gets it.
	resign(w *waiter[T], keep bool) (kept bool)
	// wanted says in a dump what a waiter waits for.
	wanted(w *waiter[T]) string
}

// newWaiter returns a waiter for a tool with that home.
func newWaiter[T any](t tool[T], home *loop.Loop, value T) *waiter[T] {
	w := &waiter[T]{tool: t, value: value}
	w.promise.Bind(home, w)
	return w
}

// CancelFuture implements [loop.Canceler]. It does nothing, because wait handles a cancel under the
// tool's mutex.
func (w *waiter[T]) CancelFuture(error) {}

// String says what the waiter waits for.
func (w *waiter[T]) String() string { return w.tool.wanted(w) }

// wait returns nil when the waiter has been served. Otherwise it is off the line, and nothing is
// left behind.
//
// A waiter may be served at the moment at which its context ends. Then nothing is lost: the caller
// has what it was given, and its next wait notices the context. If the wait ends in any other way,
// by a deadlock, by an error thrown into the greenlet or by a kill, the caller doesn't expect to
// have it, and the next waiter gets it.
func (w *waiter[T]) wait(ctx context.Context) error {
	returned := false
	defer func() {
		if !returned {
			w.tool.resign(w, false)
			w.close()
		}
	}()
	_, err := repaint.Await(ctx, w.promise.Future())
	returned = true
	if err == nil || w.tool.resign(w, ctx.Err() != nil) {
		return nil
	}
	w.close()
	return err
}

// close completes the promise of a waiter that has left the line, so that a loop that watches the
// promise lets go of it. If the waiter was refused at the same moment, the loop needn't report that
// no code looked at the error.
func (w *waiter[T]) close() {
	w.promise.Resolve(struct{}{})
	_ = w.promise.Future().Err()
}

// A line holds the waiters in the order in which they came. The tool's mutex guards it.
type line[T any] struct {
	first *waiter[T]
	len   int
}

func (l *line[T]) push(w *waiter[T]) {
	l.len++
	if l.first == nil {
		l.first, w.next, w.prev = w, w, w
		return
	}
	w.next, w.prev = l.first, l.first.prev
	w.prev.next, w.next.prev = w, w
}

func (l *line[T]) remove(w *waiter[T]) {
	l.len--
	if w.next == w {
		l.first = nil
	} else {
		w.prev.next, w.next.prev = w.next, w.prev
		if l.first == w {
			l.first = w.next
		}
	}
	w.next, w.prev = nil, nil
}

// leave takes a waiter off the line if it is on it.
func (l *line[T]) leave(w *waiter[T]) {
	if w.state == waiting {
		l.remove(w)
		w.state = gone
	}
}

// serve takes the first waiter off the line and marks it as served, or returns nil if the line is
// empty. The caller resolves the waiter after releasing the mutex.
func (l *line[T]) serve() *waiter[T] {
	w := l.first
	if w != nil {
		l.remove(w)
		w.state = served
	}
	return w
}

// resolve wakes a waiter that was served. The waiter may be nil.
func (w *waiter[T]) resolve() {
	if w != nil {
		w.promise.Resolve(struct{}{})
	}
}

// take takes all waiters off the line and gives them a new state. The caller resolves or rejects
// them after releasing the mutex.
func (l *line[T]) take(s state) line[T] {
	all := *l
	*l = line[T]{}
	for w := all.first; w != nil; {
		w.state = s
		if w = w.next; w == all.first {
			break
		}
	}
	return all
}

// resolve wakes the waiters, which were served.
func (l *line[T]) resolve() {
	for w := l.first; w != nil; w = l.first {
		l.remove(w)
		w.promise.Resolve(struct{}{})
	}
}

// reject wakes the waiters, which were refused, with an error that says why.
func (l *line[T]) reject(err error) {
	for w := l.first; w != nil; w = l.first {
		l.remove(w)
		w.promise.Reject(err)
	}
}
