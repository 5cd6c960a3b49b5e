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
	id      *identity
	what    string // for dumps
	value   T      // what it wants, brings, or was given; guarded by the tool's mutex until it is served
	state   state  // guarded by the tool's mutex

	// Neighbours in a circular list. The tool's mutex guards them; once served, they belong to the
	// one that serves.
	next, prev *waiter[T]
}

type state uint8

const (
	waiting state = iota
	served
	refused
	gone
)

// A tool is what has a line of waiters.
type tool[T any] interface {
	// resign takes a waiter off the line that no longer wants to wait. If it was served just
	// before, it keeps what it was given if it says so, and resign reports true; else that goes to
	// the next one.
	resign(w *waiter[T], keep bool) (kept bool)
}

func newWaiter[T any](t tool[T], id *identity, what string, value T) *waiter[T] {
	w := &waiter[T]{tool: t, id: id, what: what, value: value}
	w.promise.Bind(id.home, w)
	return w
}

// CancelFuture implements [loop.Canceler]. It does nothing: wait deals with a cancel, under the
// tool's mutex.
func (w *waiter[T]) CancelFuture(error) {}

// String names what is waited for.
func (w *waiter[T]) String() string { return w.id.describe(w.what) }

// wait returns nil when the waiter has been served. Otherwise it is off the line, and nothing is
// left behind.
//
// Being served and the end of the context may coincide. Then what was given isn't lost: the caller
// has it, and the next wait will notice the context. If the wait ends in any other way, by a
// deadlock, or because an error was thrown into the greenlet or it is killed, then the caller
// doesn't expect to have it, and it goes to the next one.
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

// close completes the promise of a waiter that isn't in line any more, so that a loop that watches
// it lets go of it. If it was refused at the same moment, the loop needn't report an error that was
// never looked at.
func (w *waiter[T]) close() {
	w.promise.Resolve(struct{}{})
	_ = w.promise.Future().Err()
}

// A line holds the waiters, in the order in which they came. It is guarded by the tool's mutex.
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

// serve takes the first waiter off the line and counts it as served. The caller resolves it when it
// has released the mutex. It returns nil if the line is empty.
func (l *line[T]) serve() *waiter[T] {
	w := l.first
	if w != nil {
		l.remove(w)
		w.state = served
	}
	return w
}

// resolve tells a waiter that was served. It may be nil.
func (w *waiter[T]) resolve() {
	if w != nil {
		w.promise.Resolve(struct{}{})
	}
}

// take takes all waiters off the line and gives them a new state. The caller tells them when it has
// released the mutex.
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

// resolve tells those that were served.
func (l *line[T]) resolve() {
	for w := l.first; w != nil; w = l.first {
		l.remove(w)
		w.promise.Resolve(struct{}{})
	}
}

// reject tells those that were refused why.
func (l *line[T]) reject(err error) {
	for w := l.first; w != nil; w = l.first {
		l.remove(w)
		w.promise.Reject(err)
	}
}
