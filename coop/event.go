package coop

import (
	"context"
	"sync"

	"github.com/seed1239206e/repaint/loop"
)

// An Event is set or not, and callers wait until it is set. The zero value isn't set, and is for
// every goroutine; one that [NewEvent] makes in a loop belongs to that loop. It must not be copied.
type Event struct {
	identity

	mu   sync.Mutex // held for moments; no other is taken inside
	set  bool
	gate *gate // for the waiting callers; nil if none has begun to wait since it was last set
}

// NewEvent returns an event that isn't set. Made in a loop, it belongs to that loop.
func NewEvent(opts ...Option) *Event { return &Event{identity: newIdentity(opts)} }

// Set sets the event. All waiting callers return, even if it is cleared again before they run.
// It never waits. It may be called from any goroutine.
func (e *Event) Set() {
	e.mu.Lock()
	gate := e.gate
	e.set, e.gate = true, nil
	e.mu.Unlock()
	gate.open()
}

// Clear makes the event unset again: from now on callers wait for the next Set. It may be called
// from any goroutine.
func (e *Event) Clear() {
	e.mu.Lock()
	e.set = false
	e.mu.Unlock()
}

// IsSet reports whether the event is set. It may be called from any goroutine.
func (e *Event) IsSet() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.set
}

// Wait waits until the event is set, and returns nil. It returns at once if the event is set
// already. If the context ends first, it returns the context's cause.
func (e *Event) Wait(ctx context.Context) error {
	if ctx.Err() != nil {
		return loop.ContextError(ctx)
	}
	e.mu.Lock()
	if e.set {
		e.mu.Unlock()
		return nil
	}
	if e.gate == nil {
		e.gate = newGate(&e.identity, "a coop.Event")
	}
	gate := e.gate
	e.mu.Unlock()
	return gate.wait(ctx)
}
