package greenlet

import (
	"iter"
	"sync/atomic"
)

// A worker is a goroutine that runs greenlets, one after the other.
// Between two of them it is in its family's pool, parked in some slot.
// An idle worker doesn't refer to its family, which could never be collected otherwise.
type worker struct {
	birth slot  // the slot that ends with this goroutine
	at    *slot // where it is parked while idle
	owner owner
	pool  *pool // of its family; an idle worker keeps it when the family has gone
	// job is the greenlet that the worker runs, or is to run when it wakes up.
	job *core
	// Neighbours in the family's list of workers whose jobs have started and not ended.
	// In the pool, younger is the next one.
	elder, younger *worker

	linked    bool // is in the family's list
	recovered bool // the job ended by a panic
	retired   bool // tells an idle worker to end when it wakes up
	ended     bool
}

// workers counts the goroutines of all families, without the roots' own.
var workers atomic.Int64

// A pool holds the idle workers of a family.
// Like the family's own fields it belongs to the running goroutine,
// and after the family was collected to the clean-up's.
type pool struct {
	first *worker
	n     int
}

// maxIdle is how many workers a family keeps for later. A stack of 2 to 8 KiB comes with each.
const maxIdle = 1024

// maxIdleStack is how large the stack of an idle worker may be. A larger one isn't kept:
// nobody would know why a program that has gone deep once holds so much memory.
const maxIdleStack = 32 << 10

// start gives the unstarted greenlet a goroutine.
//
//go:noinline
func (f *Family) start(g *Greenlet) {
	lock := ownThreadLock()
	var w *worker
	if canForget() {
		if w = f.pool.get(lock); w != nil {
			f.legacy = OwnLegacy()
		}
	}
	if w == nil {
		w = f.newWorker(lock)
	}
	w.job = g.core
	g.slot = w.at
	g.become(active)
	f.link(w)
}

func (f *Family) newWorker(lock threadLock) *worker {
	w := &worker{pool: f.pool}
	w.owner.lazy = f.lazy()
	w.birth.next, _ = iter.Pull(w.main)
	w.birth.lock = lock
	if lock != (threadLock{}) {
		f.locked = true
		f.attention.Store(true)
	}
	w.at = &w.birth
	workers.Add(1)
	return w
}

// main is what the goroutine does from beginning to end.
func (w *worker) main(yield func(struct{}) bool) {
	w.birth.yield = yield
	w.owner.id = goid()
	owners.add(&w.owner)
	defer w.leave()
	for {
		switch {
		case w.job != nil:
			if !w.work() {
				return
			}
		case w.retired:
			return
		default: // it is a visitor, see leave, or was woken by the end of another goroutine
			ForgetLegacy()
			w.at = w.owner.lazy.Value().hop()
			w.at.flip()
		}
	}
}

// work runs a greenlet from start to end, parks the worker in the pool, and returns when it wakes
// up; or returns false at once if the worker must end.
//
// What happens before and after is in functions of their own, as the frame of this one is part of
// each suspended greenlet's stack.
func (w *worker) work() bool {
	if w.begin() {
		w.call()
	}
	return w.conclude()
}

// begin takes control for the job, and reports whether it is to run.
//
//go:noinline
func (w *worker) begin() bool {
	c := w.job
	f := c.fam
	w.owner.fam = f
	w.recovered = false
	f.legacy.Inherit()
	f.legacy = Legacy{}
	c.goid = w.owner.id
	f.msg = f.arrive(c)
	if f.msg.kind == kill { // while a tracer of its start had switched away
		f.msg = message{err: ErrExit}
	}
	return f.msg.carriesValue()
}

// conclude ends the job and gives control away. It has little on its stack, and while
// the worker is parked nothing that leads to the family.
//
//go:noinline
func (w *worker) conclude() bool {
	f := w.job.fam
	ForgetLegacy()
	to := f.finish(w, false)
	w.owner.fam = nil
	if w.mayEnd(to) && w.mustEnd(f, to) {
		return false
	}
	f.pool.put(w)
	w.at = to
	to.flip()
	return true
}

// mayEnd reports whether the worker can end when control goes from it to the slot. The end of a
// goroutine is a switch, too.
func (w *worker) mayEnd(to *slot) bool { return w.birth.lock == to.lock }

// mustEnd reports whether the worker isn't to be kept when control goes from it to the slot.
// Workers that were made while locked to a thread fit only into that state, and may never see it
// again.
func (w *worker) mustEnd(f *Family, to *slot) bool {
	return f.pool.n >= maxIdle || stackSize() > maxIdleStack || to.lock != (threadLock{}) || !canForget()
}

// call calls the greenlet's function and makes how it ended the family's message.
func (w *worker) call() {
	defer w.catch()
	c := w.job
	f := c.fam
	run, arg := c.run, f.msg.value
	c.run, f.msg.value = nil, nil
	var v any
	var err error
	if f.profiled || c.more != nil && c.more.profiled {
		v, err = profiled(c, run, arg)
	} else {
		v, err = run(arg)
	}
	if err != nil {
		v = nil
	}
	f = w.job.fam
	f.msg.value, f.msg.err = v, err
}

// catch makes a panic of the greenlet's function the family's message. It is deferred.
func (w *worker) catch() {
	c := w.job
	switch r := recover(); {
	case r == killed:
		w.recovered = true
		c.fam.msg = message{err: ErrExit}
	case r != nil:
		w.recovered = true
		c.fam.msg = message{kind: panicked, err: carry(c, r)}
	}
}

// leave ends the goroutine. If a greenlet is still running in it then it has called Goexit. Nothing
// can stop that, also not a recover of the panics of its deferred functions. So the greenlet ends
// here and the Goexit goes on in its parent.
//
// When a goroutine ends, iter.Pull lets whoever called next to park in its slot suffer the same
// Goexit. That would be a bystander. Whoever parked there by yield only wakes up. So if it's a
// next, the places are changed until it's a yield: a new worker is sent through this slot on its
// detour, and as each visitor turns the slot over once, the new one is parked by a yield.
func (w *worker) leave() {
	owners.remove(&w.owner)
	workers.Add(-1)
	w.ended = true
	c := w.job
	if c == nil {
		return
	}
	f := c.fam
	if !w.recovered {
		f.msg = message{kind: goexit}
	}
	restoreLock(&w.birth) // what comes now, and the end of the goroutine, are switches
	if w.birth.inNext {
		visitor := f.newWorker(ownThreadLock())
		f.detour = &w.birth
		c.slot = visitor.at
		// The visitor wakes up and parks in our slot, whoever was there wakes up and,
		// as c is still the current greenlet, parks where we did.
		c.slot.flip()
		if f.pool.n < maxIdle && visitor.birth.lock == (threadLock{}) && canForget() {
			f.pool.put(visitor)
		} else {
			visitor.retired = true // when it wakes up again, because this goroutine has ended
		}
	}
	f.finish(w, true)
	w.owner.fam = nil
	// Now the goroutine ends, and the one that wakes up passes control to the parent.
}

// get returns an idle worker that can be resumed in this state of thread locking, or nil.
func (p *pool) get(lock threadLock) *worker {
	w := p.first
	if w != nil && w.at.lock != lock {
		return nil
	}
	if w != nil {
		p.first, w.younger = w.younger, nil
		p.n--
	}
	return w
}

func (p *pool) put(w *worker) {
	w.younger, p.first = p.first, w
	p.n++
}

// retire ends the idle workers that can be resumed in the caller's state of thread locking, and
// returns how many it has left. The caller is the family's root, or, with a nil core, stands in for
// a root that needs its family no more.
func (p *pool) retire(root *core) (left int) {
	lock := ownThreadLock()
	for w := p.first; w != nil; w = w.younger {
		if w.retired = w.at.lock == lock && w.birth.lock == lock; !w.retired {
			left++
		}
	}
	if left > 0 && root == nil {
		return left // an ending one may wake one of those, which would look for its family
	}
	// A worker that ends wakes whoever is parked in its slot: another worker, which then ends too,
	// or us. So one flip can end several of them.
	var rest pool
	for p.first != nil {
		w := p.first
		p.first, w.younger = w.younger, nil
		p.n--
		switch {
		case !w.retired:
			rest.put(w)
		case !w.ended:
			if root != nil {
				root.slot = w.at
			}
			w.at.flip()
		}
	}
	*p = rest
	return left
}
