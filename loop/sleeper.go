package loop

import "time"

// A Sleeper is an operation that a loop can wait in when it has nothing to do, instead of waiting
// for another goroutine to wake it. Usually it is a read from the network whose result the loop
// awaits. That saves the hand-over from a goroutine that would read otherwise. See
// [Bridge.SleepIn].
type Sleeper interface {
	// Sleep waits until something has been scheduled in the loop, d has passed, or Interrupt has
	// been called, even before Sleep. It may return too early.
	Sleep(d time.Duration)
	// Interrupt ends Sleep, now or when it begins. Any goroutine may call it, even the sleeping one
	// when it schedules something.
	Interrupt()
	// Rise is called instead of Sleep if the loop doesn't sleep now.
	Rise()
}

// SleepIn makes the loop wait in s if it has nothing to do next. The hooks of [Loop.OnTickEnd] and
// callbacks of [Loop.CallAtTickEnd] may call it. If it returns true, the loop calls either Sleep or
// Rise, once, in the goroutine that drives it. It returns false if there is another Sleeper
// already, for a guest, which doesn't sleep, with a virtual clock, and if the loop waits for
// descriptors ([Loop.Poll]).
func (b *Bridge) SleepIn(s Sleeper) bool {
	l := b.loop()
	if l.bed != nil || l.post != nil || l.clock.virtual || !l.driving || l.Polling() {
		return false
	}
	l.bed = s
	return true
}

// rise gives up the plan to sleep in something.
func (l *Loop) rise() {
	if s := l.bed; s != nil {
		l.bed = nil
		s.Rise()
	}
}
