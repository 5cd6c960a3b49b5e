package loop

// Peek returns what the loop runs next, or nil if the loop itself has something to do first. It is
// for the callback that the loop is running: a task that is about to wait can give control to the
// next task itself, instead of to the loop.
//
// If this tick has nothing left, and before the next tick the loop need only evaluate the condition
// of [Loop.Drive], then Peek does so and begins the next tick. Peek returns nil with a seed, in
// debug mode, and while something must be called at the tick's end. In a guest it also returns nil
// when the tick is over.
func (b *Bridge) Peek() Runnable {
	l := b.loop()
	if l.lottery != nil || l.watchdog != nil || !l.begun {
		return nil
	}
	if l.next == len(l.batch) && !l.roll() {
		return nil
	}
	return l.batch[l.next]
}

// Take removes what Peek has returned from the queue, and counts it as run.
func (b *Bridge) Take() {
	l := b.loop()
	l.batch[l.next] = nil
	l.next++
	l.rolled = false
	l.stats.Callbacks++
}

// roll begins the next tick, if nothing else must be done after this one. It does nothing that
// needs much stack.
//
// If no task takes the first callback of that tick, rolling was in vain. Then the loop itself ends
// the next ticks, because most often the same happens again for some time.
//
//go:noinline
func (l *Loop) roll() bool {
	if l.unasked > 0 {
		l.unasked--
		return false
	}
	if l.post != nil || len(l.hooks)+len(l.ends)+len(l.idle) > 0 || l.bed != nil {
		return false
	}
	if l.stats.Ticks%pollTicks == pollTicks-1 && (l.poller != nil || l.stats.Ticks%busyTicks == busyTicks-1 && l.onIdle != nil) {
		return false
	}
	if t := l.timers.first(); t != nil && t.when <= l.clock.elapsed() {
		return false
	}
	if l.until() || !l.takeReady() || len(l.batch) == 0 {
		return false
	}
	l.entered, l.rolled = false, true
	l.stats.Ticks++
	return true
}
