package greenlet

import (
	"fmt"
	"iter"
	"sync/atomic"
)

// A Generator runs a function in a greenlet of its own and returns the values that the function
// yields, one by one. Its yield, unlike that of an [iter.Seq], returns nothing that the function
// has to pass up through its calls: a consumer that has had enough unwinds the function. So the
// function can yield at any depth of calls, also from recursive functions, as if it printed.
//
// A Generator belongs to the family that asks for its first value. Any greenlets of that family can
// consume it, also several in turn. It must not be copied. When the garbage collector finds an
// abandoned Generator, its function is unwound: see [Greenlet].
type Generator[T any] struct {
	state *generation[T]
	body  func(yield func(T))
	g     *Greenlet
	ended atomic.Bool
}

// A generation is what a generator's function and its consumer share. Its fields belong to the
// running goroutine of the family. It doesn't lead to the generator's handle, so that the collector
// finds an abandoned generator.
type generation[T any] struct {
	core     *core     // the generator's greenlet
	consumer *Greenlet // the greenlet whose Next waits for a value, or nil
	ready    bool      // the function waits for Next: it hasn't begun, or is suspended in yield
	full     bool      // value is there for the consumer
	value    T
}

// NewGenerator returns a generator of the values that body yields. It doesn't start body. It panics
// if body is nil.
//
// Yield hands a value to the consumer and returns when the consumer asks for the next one. Only
// body, and functions that body calls, may call yield, and only while a consumer waits: yield
// panics in other goroutines and greenlets, and while the generator is being stopped.
func NewGenerator[T any](body func(yield func(T))) *Generator[T] {
	if body == nil {
		panic("greenlet: NewGenerator called with a nil function")
	}
	return &Generator[T]{state: &generation[T]{ready: true}, body: body}
}

// Generate is [NewGenerator] for a range loop. Each loop over the sequence runs body anew. Leaving
// the loop early unwinds body. A panic of body is raised in the loop.
func Generate[T any](body func(yield func(T))) iter.Seq[T] {
	return func(yield func(T) bool) { NewGenerator(body).All()(yield) }
}

// Next returns the next value, or false if the function has returned or was stopped.
// A panic of the function is raised here as a [*PanicError].
//
// Next panics with a [*FamilyError] outside the family of the first call. It panics with a message
// while the function is under way: if the function itself calls Next, or if another greenlet does
// while the function has switched elsewhere instead of yielding.
func (n *Generator[T]) Next() (T, bool) {
	var none T
	if n.ended.Load() {
		return none, false
	}
	s := n.state
	if n.g != nil {
		f := n.g.fam
		if f.running.Load() != goid() {
			panic(f.refuse("ask for a value of", n.g.String()))
		}
		if n.g.Dead() {
			n.ended.Store(true)
			return none, false
		}
		if !s.ready {
			panic(s.misuse(f.current))
		}
	}
	consumer := Current()
	if n.g == nil {
		n.g = New(s.run(n.body), Parent(consumer))
		n.body = nil
		s.core = n.g.core
	} else if err := n.g.SetParent(consumer); err != nil {
		panic(err)
	}
	s.consumer = consumer
	defer s.abandon()
	if _, err := n.g.Switch(nil); err != nil {
		panic(err)
	}
	v, ok := s.take()
	if !ok {
		if !n.g.Dead() {
			panic(fmt.Sprintf("greenlet: Next of the Generator in %s was resumed by a Switch to %s, which is no yield", s.core, consumer))
		}
		n.ended.Store(true)
	}
	return v, ok
}

// run returns the function that the generator's greenlet runs.
func (s *generation[T]) run(body func(yield func(T))) func(any) (any, error) {
	return func(any) (any, error) {
		s.ready = false
		body(s.yield)
		return nil, nil
	}
}

// abandon notes that no Next waits for a value any more.
func (s *generation[T]) abandon() { s.consumer = nil }

func (s *generation[T]) take() (v T, ok bool) {
	var none T
	v, ok = s.value, s.full
	s.value, s.full = none, false
	return v, ok
}

// misuse returns the message that says why Next can't be called now.
func (s *generation[T]) misuse(caller *Greenlet) string {
	switch {
	case caller.core == s.core:
		return fmt.Sprintf("greenlet: Next of the Generator in %s was called by its own function", s.core)
	case s.consumer != nil:
		return fmt.Sprintf("greenlet: Next of the Generator in %s was called by %s while its function is under way and %s waits for it to yield",
			s.core, caller, s.consumer)
	}
	return fmt.Sprintf("greenlet: Next of the Generator in %s was called by %s while its function is under way: something else than Next has resumed it",
		s.core, caller)
}

func (s *generation[T]) yield(v T) {
	f := s.core.fam
	if f.running.Load() != goid() || f.current.core != s.core {
		panic("greenlet: yield of a Generator was called outside its function, " + s.core.String())
	}
	if s.consumer == nil {
		panic(fmt.Sprintf("greenlet: yield of the Generator in %s was called while no Next waits for a value: "+
			"its function was resumed by something else, or is being stopped", s.core))
	}
	s.value, s.full, s.ready = v, true, true
	_, err := s.consumer.Switch(nil)
	s.ready = false
	if err != nil {
		panic(err)
	}
}

// Stop unwinds the function, so that its deferred functions run, unless it has returned. A panic of
// a deferred function is raised in Stop. Stopping again does nothing. Stop must be called from the
// family and panics with a [*FamilyError] elsewhere.
func (n *Generator[T]) Stop() {
	if n.g != nil && !n.g.Dead() {
		if f := n.g.fam; f.running.Load() != goid() {
			panic(f.refuse("stop", n.g.String()))
		}
		n.ended.Store(true)
		if err := n.g.Kill(); err != nil {
			panic(err)
		}
	}
	n.ended.Store(true)
	n.body = nil
}

// All returns a sequence of the values that are still to come. Leaving a loop over it early stops
// the generator.
func (n *Generator[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		v, ok := n.Next()
		if !ok {
			return
		}
		defer n.Stop()
		for ok && yield(v) {
			v, ok = n.Next()
		}
	}
}
