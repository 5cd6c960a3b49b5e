package repaint

import (
	"context"
	"sync"
	"time"
)

// A trigger is a context that ends on request with any error. A context of package context ends
// with DeadlineExceeded only in real time. A trigger is the parent of one ordinary context, which
// package context connects to it through AfterFunc.
type trigger struct {
	context.Context // has the parent's values, and the cause once there is one
	setCause        context.CancelCauseFunc
	parent          context.Context
	done            chan struct{}

	mu   sync.Mutex
	err  error
	then func()
}

func newTrigger(parent context.Context) *trigger {
	t := &trigger{parent: parent, done: make(chan struct{})}
	t.Context, t.setCause = context.WithCancelCause(context.WithoutCancel(parent))
	return t
}

func (t *trigger) Deadline() (time.Time, bool) { return t.parent.Deadline() }

func (t *trigger) Done() <-chan struct{} { return t.done }

func (t *trigger) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// AfterFunc is the method that package context looks for.
func (t *trigger) AfterFunc(fn func()) (stop func() bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.then = fn
	return func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		was := t.then != nil
		t.then = nil
		return was
	}
}

func (t *trigger) fire(err, cause error) {
	t.mu.Lock()
	if t.err != nil {
		t.mu.Unlock()
		return
	}
	t.setCause(cause)
	t.err = err
	close(t.done)
	then := t.then
	t.then = nil
	t.mu.Unlock()
	if then != nil {
		then()
	}
}
