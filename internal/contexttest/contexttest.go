// Package contexttest has contexts of every make, for tests of functions that wait.
package contexttest

import (
	"context"
	"errors"
	"sync"
	"time"
)

// contextKey is the package's own.
type contextKey struct{}

// ownContext is a context that isn't made by package context.
type ownContext struct {
	context.Context
	done chan struct{}
	mu   sync.Mutex
	err  error
}

func (c *ownContext) Done() <-chan struct{} { return c.done }

func (c *ownContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *ownContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = context.Canceled
		close(c.done)
	}
}

// ErrWhy is the cause of the contexts that end with a cause.
var ErrWhy = errors.New("the reason of the end")

// A Make is a way to make a context. New also returns the function that ends it. That is nil if the
// context ends by itself, or never.
type Make struct {
	Name string
	New  func(parent context.Context) (ctx context.Context, end func())
	Want []error // what errors.Is finds; none if the wait goes on until it is granted
}

// Makes are contexts of every make that a wait must understand.
var Makes = []Make{
	{"Background", func(context.Context) (context.Context, func()) { return context.Background(), nil }, nil},
	{"the caller's", func(p context.Context) (context.Context, func()) { return p, nil }, nil},
	{"a value", func(p context.Context) (context.Context, func()) { return context.WithValue(p, contextKey{}, 1), nil }, nil},
	{"WithoutCancel of one that has ended", func(p context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancel(p)
		cancel()
		return context.WithoutCancel(ctx), nil
	}, nil},
	{"cancelled before", func(p context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancel(p)
		cancel()
		return ctx, nil
	}, []error{context.Canceled}},
	{"WithCancel", func(p context.Context) (context.Context, func()) { return context.WithCancel(p) }, []error{context.Canceled}},
	{"WithCancelCause", func(p context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancelCause(p)
		return ctx, func() { cancel(ErrWhy) }
	}, []error{context.Canceled, ErrWhy}},
	{"a value in WithCancel", func(p context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancel(p)
		return context.WithValue(ctx, contextKey{}, 1), cancel
	}, []error{context.Canceled}},
	{"independent of the caller's", func(context.Context) (context.Context, func()) { return context.WithCancel(context.Background()) }, []error{context.Canceled}},
	{"joined by AfterFunc", func(p context.Context) (context.Context, func()) {
		other, end := context.WithCancel(context.Background())
		ctx, cancel := context.WithCancel(p)
		context.AfterFunc(other, cancel)
		return ctx, end
	}, []error{context.Canceled}},
	{"another package's", func(p context.Context) (context.Context, func()) {
		ctx := &ownContext{Context: p, done: make(chan struct{})}
		return ctx, ctx.end
	}, []error{context.Canceled}},
	{"below another package's", func(p context.Context) (context.Context, func()) {
		above := &ownContext{Context: p, done: make(chan struct{})}
		ctx, cancel := context.WithCancel(above)
		return ctx, func() { above.end(); cancel() }
	}, []error{context.Canceled}},
	{"WithTimeout", func(p context.Context) (context.Context, func()) {
		ctx, cancel := context.WithTimeout(p, time.Millisecond)
		context.AfterFunc(ctx, cancel)
		return ctx, nil
	}, []error{context.DeadlineExceeded}},
	{"WithTimeoutCause", func(p context.Context) (context.Context, func()) {
		ctx, cancel := context.WithTimeoutCause(p, time.Millisecond, ErrWhy)
		context.AfterFunc(ctx, cancel)
		return ctx, nil
	}, []error{context.DeadlineExceeded, ErrWhy}},
	{"a deadline that has passed", func(p context.Context) (context.Context, func()) {
		ctx, cancel := context.WithDeadline(p, time.Now().Add(-time.Second))
		context.AfterFunc(ctx, cancel)
		return ctx, nil
	}, []error{context.DeadlineExceeded}},
}
