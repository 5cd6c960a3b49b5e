package greenlet

import "iter"

// A Generator is a function that produces values one by one, in a greenlet of its own.
// It differs from an ordinary [iter.Seq] in how it is written: its yield returns nothing that would have to be passed up
// through the calls, because a consumer that has had enough unwinds the function. So yield can be called at any depth,
// also by recursive functions, as if it were a print.
//
// A Generator belongs to the family in which its first value is asked for. It can be consumed from any greenlet
// of that family, also by several in turn.
// One that is abandoned halfway is unwound when the collector finds it: see [Greenlet].
type Generator[T any] struct {
	state *generation[T]
	body  func(yield func(T))
	g     *Greenlet
	ended bool
}

// A generation is what a generator's function and its consumer share.
// It doesn't lead to the generator's handle, so that an abandoned one is found.
type generation[T any] struct {
	core     *core // of the generator's greenlet
	consumer *Greenlet
	value    T
	full     bool
}

// NewGenerator returns a generator of the values that body yields. It doesn't start it.
// Yield must be called by body or functions that it calls, not by other goroutines or greenlets: it panics there.
// It hands the value to the consumer, and returns when the consumer asks for the next one.
func NewGenerator[T any](body func(yield func(T))) *Generator[T] {
	if body == nil {
		panic("greenlet: NewGenerator needs a function")
	}
	return &Generator[T]{state: new(generation[T]), body: body}
}

// Generate is [NewGenerator] for a range loop: each loop over the sequence runs the function anew.
// A loop that is left early unwinds it; its panics are raised in the loop.
func Generate[T any](body func(yield func(T))) iter.Seq[T] {
	return func(yield func(T) bool) { NewGenerator(body).All()(yield) }
}

// Next returns the next value, or false if the function has returned or was stopped.
// A panic of the function is raised here as a [*PanicError].
// Next panics with a [*FamilyError] in another family than that of the first call.
func (n *Generator[T]) Next() (T, bool) {
	var none T
	if n.ended {
		return none, false
	}
	s := n.state
	consumer := Current()
	if n.g == nil {
		body := n.body
		n.body = nil
		n.g = New(func(any) (any, error) {
			body(s.yield)
			return nil, nil
		}, Parent(consumer))
		s.core = n.g.core
	} else if err := n.g.SetParent(consumer); err != nil {
		panic(err)
	}
	s.consumer = consumer
	n.ended = true // unless it yields; a panic gets past here, too
	_, err := n.g.Switch(nil)
	s.consumer = nil
	if err != nil {
		panic(err)
	}
	if !s.full {
		return none, false
	}
	n.ended = false
	v := s.value
	s.value, s.full = none, false
	return v, true
}

func (s *generation[T]) yield(v T) {
	f := s.core.fam
	if f.running.Load() != goid() || f.current.core != s.core {
		panic("greenlet: yield of a Generator called outside its function, " + s.core.String())
	}
	s.value, s.full = v, true
	if _, err := s.consumer.Switch(nil); err != nil {
		panic(err)
	}
}

// Stop ends the function by unwinding it, so that its deferred functions run, if it hasn't returned.
// A panic that happens meanwhile is raised here. Stopping again does nothing.
func (n *Generator[T]) Stop() {
	n.ended = true
	n.body = nil
	if n.g == nil {
		return
	}
	if err := n.g.Kill(); err != nil {
		panic(err)
	}
}

// All returns the values that are still to come. A loop that is left early stops the generator.
func (n *Generator[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		defer n.Stop()
		for v, ok := n.Next(); ok; v, ok = n.Next() {
			if !yield(v) {
				return
			}
		}
	}
}
