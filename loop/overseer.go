package loop

import (
	"sync"
	"sync/atomic"
	"time"
)

// Without debug mode, a loop that is held up for seconds is reported once. One timer watches all
// loops of the program. It is set only while one of them is awake. So the runtime still notices
// that all goroutines are asleep if every loop is idle or has been reported. Each round of a loop
// pays an atomic load, and a counter under a lock that it takes anyway.

var (
	// holdPatience is how long a loop may be held without debug mode, and overseeEvery how often
	// the overseer looks.
	holdPatience = 5 * time.Second // a variable only for tests
	overseeEvery = time.Second     // a variable only for tests
)

// An overseen loop is in the overseer's list. The overseer's mutex guards all fields but the first.
type overseen struct {
	listed     atomic.Bool
	reported   atomic.Bool // each loop is reported only once
	prev, next *Loop
	turns      uint64    // the loop's turns at the last check
	since      time.Time // when the overseer first saw that number
}

// overseer watches the loops that are awake. Its mutex may be held when a loop's mutex is taken.
var overseer struct {
	mu    sync.Mutex // held for moments
	first *Loop
	timer *time.Timer
	armed bool
}

// The timer is made here because one that is made in a bubble of package synctest belongs to it.
func init() {
	overseer.timer = time.AfterFunc(time.Hour, oversee)
	overseer.timer.Stop()
}

// Attend makes the overseer watch the loop, until the loop sleeps or is closed. [Loop.Drive] calls
// it, but a task may begin before the loop is driven.
func (b *Bridge) Attend() { b.loop().attend() }

func (l *Loop) attend() {
	o := &l.overseen
	if l.post != nil || l.watchdog != nil || o.reported.Load() || o.listed.Load() {
		return
	}
	overseer.mu.Lock()
	defer overseer.mu.Unlock()
	o.listed.Store(true)
	o.since = time.Time{}
	if o.next = overseer.first; o.next != nil {
		o.next.overseen.prev = l
	}
	overseer.first = l
	if !overseer.armed {
		overseer.armed = true
		overseer.timer.Reset(overseeEvery)
	}
}

// unattend undoes attend.
func (l *Loop) unattend() {
	if !l.overseen.listed.Load() {
		return
	}
	overseer.mu.Lock()
	defer overseer.mu.Unlock()
	l.delist()
}

// delist needs the overseer's mutex.
func (l *Loop) delist() {
	o := &l.overseen
	if !o.listed.Load() {
		return
	}
	o.listed.Store(false)
	if o.prev != nil {
		o.prev.overseen.next = o.next
	} else {
		overseer.first = o.next
	}
	if o.next != nil {
		o.next.overseen.prev = o.prev
	}
	o.prev, o.next = nil, nil
	if overseer.first == nil {
		overseer.armed = false
		overseer.timer.Stop()
	}
}

// oversee checks all loops in the list. The timer calls it.
func oversee() {
	overseer.mu.Lock()
	defer overseer.mu.Unlock()
	now := time.Now()
	for l := overseer.first; l != nil; {
		next := l.overseen.next
		if l.oversee(now) {
			l.delist()
		}
		l = next
	}
	if overseer.first != nil {
		overseer.armed = true
		overseer.timer.Reset(overseeEvery)
	}
}

// oversee checks a loop, and reports whether it needs no further check.
func (l *Loop) oversee(now time.Time) bool {
	o := &l.overseen
	l.mu.Lock()
	turns, rests := l.turns, l.asleep || l.closed
	l.mu.Unlock()
	switch {
	case rests:
		return true
	case o.since.IsZero() || o.turns != turns:
		o.turns, o.since = turns, now
		return false
	case now.Sub(o.since) < holdPatience:
		return false
	}
	o.reported.Store(true)
	go l.reportHold(turns, &HeldError{For: now.Sub(o.since), Limit: holdPatience}) // in a goroutine, because it may take a while
	return true
}

func (l *Loop) reportHold(turns uint64, e *HeldError) {
	if l.holder != nil {
		e.Holder, e.Stack = l.holder.LoopHolder()
	}
	l.mu.Lock()
	goesOn := l.turns != turns || l.asleep || l.closed
	l.mu.Unlock()
	if !goesOn { // otherwise the stack belongs to another turn
		l.Report(e)
	}
}
