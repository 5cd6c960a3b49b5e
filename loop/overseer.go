package loop

import (
	"sync"
	"sync/atomic"
	"time"
)

// Without debug mode a loop that is held for seconds is reported once. One timer looks after all
// loops of the program. It is set only while one of them is awake, so neither an idle loop nor one
// that has been reported hides from the runtime that all goroutines are asleep. A loop pays an
// atomic load for each round, and a counter under a lock that it has anyway.

var (
	// holdPatience is how long a loop may be held without debug mode, and overseeEvery how often
	// the overseer looks.
	holdPatience = 5 * time.Second // a variable only for tests
	overseeEvery = time.Second     // a variable only for tests
)

// An overseen loop is in the overseer's list. All but the first belongs to the overseer's mutex.
type overseen struct {
	listed     atomic.Bool
	reported   atomic.Bool // once is enough for a loop
	prev, next *Loop
	turns      uint64    // of the loop, when last seen
	since      time.Time // when they were first seen to be so many
}

// overseer looks after the loops that are awake. A loop's mutex is taken inside its own.
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

// Attend has the overseer look after the loop, until it sleeps or is closed. [Loop.Drive] does so
// by itself, but a task may begin before the loop is driven.
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

// unattend ends attend.
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

// oversee is called by the timer.
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

// oversee looks at a loop, and reports whether that need not be done again.
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
	go l.reportHold(turns, &HeldError{For: now.Sub(o.since), Limit: holdPatience}) // which may take a while
	return true
}

func (l *Loop) reportHold(turns uint64, e *HeldError) {
	if l.holder != nil {
		e.Holder, e.Stack = l.holder.LoopHolder()
	}
	l.mu.Lock()
	goesOn := l.turns != turns || l.asleep || l.closed
	l.mu.Unlock()
	if !goesOn { // or else the stack is another one's
		l.Report(e)
	}
}
