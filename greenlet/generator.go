package greenlet

import (
	"fmt"
	"iter"
	"sync/atomic"
)

// A Generator is a function that produces values one by one, in a greenlet of its own. It differs
// from an ordinary [iter.Seq] in how it is written: its yield returns nothing that would have to be
// passed up through the calls, because a consumer that has had enough unwinds the function. So
// yield can be called at any depth, also by recursive functions, as if it were a print.
//
// A Generator belongs to the family in which its first value is asked for. It can be consumed from
// any greenlet of that family, also by several in turn. It must not be copied. One that is
// abandoned halfway is unwound when the collector finds it: see [Greenlet].
type Generator[T any] struct {
	state *generation[T]
	body  func(yield func(T))
	g     *Greenlet
	ended atomic.Bool
}

// A generation is what a generator's function and its consumer share. Its fields belong to the
// running goroutine of the family. It doesn't lead to the generator's handle, so that an abandoned
// one is found.
type generation[T any] struct {
	core     *core     // of the generator's greenlet
	consumer *Greenlet // the one whose Next waits for a value, or nil
	ready    bool      // the function waits for Next: it hasn't begun, or is suspended in yield
	full     bool      // value is there for the consumer
	value    T
}

// NewGenerator returns a generator of the values that body yields. It doesn't start it.
//
// Yield hands a value to the consumer, and returns when the consumer asks for the next one.
// It must be called by body or functions that it calls, while a consumer waits for it:
// it panics in other goroutines and greenlets, and while the generator is being stopped.
func NewGenerator[T any](body func(yield func(T))) *Generator[T] {
	if body == nil {
		panic("greenlet: NewGenerator needs a function")
	}
	return &Generator[T]{state: &generation[T]{ready: true}, body: body}
}

// Generate is [NewGenerator] for a range loop: each loop over the sequence runs the function anew.
// A loop that is left early unwinds it; its panics are raised in the loop.
func Generate[T any](body func(yield func(T))) iter.Seq[T] {
	return func(yield func(T) bool) { NewGenerator(body).All()(yield) }
}

// Next returns the next value, or false if the function has returned or was stopped.
// A panic of the function is raised here as a [*PanicError].
//
// Next panics with a [*FamilyError] in another family than that of the first call, and with a
// message while the function is under way: when the function itself calls it, or another greenlet
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
			panic(fmt.Sprintf("greenlet: Next of the Generator in %s was resumed by a Switch, which is no yield, to %s", s.core, consumer))
		}
		n.ended.Store(true)
	}
	return v, ok
}

// run is what the generator's greenlet runs.
func (s *generation[T]) run(body func(yield func(T))) func(any) (any, error) {
	return func(any) (any, error) {
		s.ready = false
		body(s.yield)
		return nil, nil
	}
}

// abandon says that nobody waits for a value any more.
func (s *generation[T]) abandon() { s.consumer = nil }

func (s *generation[T]) take() (v T, ok bool) {
	var none T
	v, ok = s.value, s.full
	s.value, s.full = none, false
	return v, ok
}

// misuse says why Next can't be called now.
func (s *generation[T]) misuse(caller *Greenlet) string {
	switch {
	case caller.core == s.core:
		return fmt.Sprintf("greenlet: Next of the Generator in %s was called by its own function", s.core)
	case s.consumer != nil:
		return fmt.Sprintf("greenlet: Next of the Generator in %s was called by %s, while its function is under way and %s waits for it to yield",
			s.core, caller, s.consumer)
	}
	return fmt.Sprintf("greenlet: Next of the Generator in %s was called by %s, while its function is under way: something else than Next has resumed it",
		s.core, caller)
}

func (s *generation[T]) yield(v T) {
	f := s.core.fam
	if f.running.Load() != goid() || f.current.core != s.core {
		panic("greenlet: yield of a Generator called outside its function, " + s.core.String())
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

// Stop ends the function by unwinding it, so that its deferred functions run, if it hasn't
// returned. A panic that happens meanwhile is raised here. Stopping again does nothing. It must be
// called from the family, and panics with a [*FamilyError] elsewhere.
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

// All returns the values that are still to come. A loop that is left early stops the generator.
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
