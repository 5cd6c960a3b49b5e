package loop

// A Bridge is the part of a loop that only a bridge needs, or the driver of a database: code that
// runs tasks on the loop, switches between them, waits in place of the loop, or knows of work
// outside that the loop can't see. Programs, and drivers whose work completes a [Promise], need
// none of it. See [Loop.Bridge].
//
// As with a Loop, its methods must be called from the loop, unless their comments say that any
// goroutine may call them.
type Bridge Loop

// Bridge returns the loop's Bridge. There is one for each loop, and the result is nil for a nil
// loop. Any goroutine may call it.
func (l *Loop) Bridge() *Bridge { return (*Bridge)(l) }

// loop returns the loop of the Bridge.
func (b *Bridge) loop() *Loop { return (*Loop)(b) }

// Hold says that something outside will call in, though the loop can't see what: until
// [Bridge.Release], silence isn't taken for a deadlock.
func (b *Bridge) Hold() { b.holds++ }

// Release undoes one [Bridge.Hold]. It panics if there is none.
func (b *Bridge) Release() {
	if b.holds == 0 {
		panic("loop: Release without Hold")
	}
	b.holds--
}

// Driving reports whether the loop is running callbacks, so that the caller must be one of them.
func (b *Bridge) Driving() bool { return b.driving }

// OnIdle makes the loop call fn each time that nothing is ready, before the functions of
// [Loop.CallWhenIdle] and before the loop sleeps, and also every 64 ticks, in case the loop is
// never idle. Callbacks that fn schedules run first. There is one such function, the last that was
// set.
func (b *Bridge) OnIdle(fn func()) { b.onIdle = fn }

// Wake makes a sleeping loop check again whether it is idle, and call its function of
// [Bridge.OnIdle]. Any goroutine may call it.
func (b *Bridge) Wake() { b.loop().nudge() }
