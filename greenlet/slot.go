package greenlet

// A slot is a place where goroutines wait for control.
// It always holds exactly one parked goroutine, and flip exchanges it for the caller:
// the caller parks, the other runs.
//
// A slot is one iter.Pull pair. Its two functions alternate by construction, and the runtime lets
// any goroutine call them. So a pair isn't bound to the goroutine that it started: the goroutine
// that wants to run the parked one calls the function whose turn it is. That makes a transfer
// between any two goroutines a single runtime switch.
//
// Invariants, for the slots and goroutines of one family:
//   - one goroutine runs, every other is parked, each in a slot of its own;
//   - a slot ends with the goroutine it was born with: that goroutine's exit wakes the goroutine
//     that is parked there (see Family.hop for what it does then);
//   - only the running goroutine touches a slot.
type slot struct {
	next  func() (struct{}, bool) // set where the pair is made, in newWorker
	yield func(struct{}) bool     // set by the goroutine that the slot is born with, when it starts
	// inNext: the parked goroutine called next, so it's yield's turn.
	inNext bool
	locked *threadLock // see lock; nil for the ordinary state
}

// lock returns the state of thread locking in which the pair was made. The slot can be flipped only
// in that state: in any other the runtime aborts the program.
func (s *slot) lock() threadLock {
	if s.locked == nil {
		return threadLock{}
	}
	return *s.locked
}

// flip parks the caller here and runs the goroutine that was parked here.
// It returns when another flip of this slot, or the end of its goroutine, wakes the caller.
func (s *slot) flip() {
	if s.inNext {
		s.inNext = false
		s.yield(struct{}{})
	} else {
		s.inNext = true
		s.next()
	}
}
