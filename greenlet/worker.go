package greenlet

import (
	"iter"
	"sync/atomic"
	"weak"
)

// A worker is a goroutine that runs greenlets, one after another. Between two of them it is in its
// family's pool, parked in some slot. An idle worker doesn't refer to its family, because the
// family could never be collected otherwise.
type worker struct {
	birth slot  // the slot that ends with this goroutine
	at    *slot // where it is parked while idle
	owner owner
	// job is the greenlet that the worker runs, or will run when it wakes up.
	job *core
	// Neighbours in the family's list of workers whose jobs have started and not ended. In the
	// pool, younger is the next idle worker.
	elder, younger *worker

	linked    bool // the worker is in the family's list
	recovered bool // the job ended by a panic
	retired   bool // an idle worker must end when it wakes up
	ended     bool
}

// workers counts the goroutines of all families, without the roots' goroutines.
var workers atomic.Int64

// A pool holds the idle workers of a family. Like the family's own fields it belongs to the running
// goroutine. After the family is collected, it belongs to the goroutine of the cleanup.
type pool struct {
	family weak.Pointer[Family] // whose pool it is
	first  *worker
	n      int
}

// maxIdle is how many idle workers a family keeps. Each has a stack of 2 to 8 KiB.
const maxIdle = 1024

// maxIdleStack is the largest stack of an idle worker, in bytes. A worker with a larger one isn't
// kept: a program that went deep only once would hold that memory for no visible reason.
const maxIdleStack = 32 << 10

// start gives the unstarted greenlet a goroutine.
//
//go:noinline
func (f *Family) start(g *Greenlet) {
	lock := ownThreadLock()
	var w *worker
	if canForget() {
		if w = f.pool.get(lock); w != nil {
			f.legacy = ownLegacy()
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
	w := new(worker)
	w.owner.pool = f.pool
	w.birth.next, _ = iter.Pull(w.main())
	if lock != (threadLock{}) {
		w.birth.locked = &lock
		f.locked = true
		f.attention.Store(true)
	}
	w.at = &w.birth
	workers.Add(1)
	return w
}

// main returns the goroutine's function. It isn't that function itself, because a method value is
// one frame more on each stack.
func (w *worker) main() func(yield func(struct{}) bool) {
	return func(yield func(struct{}) bool) {
		w.enter(yield)
		defer w.leave()
		for {
			switch {
			case w.job != nil:
				if !w.work() {
					return
				}
			case w.retired:
				return
			default:
				w.visit()
			}
		}
	}
}

// enter notes where the goroutine can be found.
//
//go:noinline
func (w *worker) enter(yield func(struct{}) bool) {
	w.birth.yield = yield
	w.owner.id = goid()
	owners.add(&w.owner)
}

// visit is for a visitor (see leave), and for a worker that the end of another goroutine woke.
//
//go:noinline
func (w *worker) visit() {
	forgetLegacy()
	w.at = w.owner.pool.family.Value().hop()
	w.at.flip()
}

// work runs a greenlet from start to end, parks the worker in the pool, and returns true when the
// worker wakes up. It returns false at once if the worker must end.
//
// Functions of their own do what comes before and after, because the frame of this one is part of
// each suspended greenlet's stack.
func (w *worker) work() bool {
	if w.begin() {
		w.call()
	}
	return w.conclude()
}

// begin takes control for the job, and reports whether the job is to run.
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
	if f.msg.kind == kill { // a tracer of its start switched away, and it was killed meanwhile
		f.msg = message{err: ErrExit}
	}
	return f.msg.carriesValue()
}

// conclude ends the job and gives control away. Its frame is small, and while the worker is parked
// nothing in it leads to the family.
//
//go:noinline
func (w *worker) conclude() bool {
	f := w.job.fam
	forgetLegacy()
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
// goroutine is a switch too.
func (w *worker) mayEnd(to *slot) bool { return w.birth.lock() == to.lock() }

// mustEnd reports whether the worker must not be kept when control goes from it to the slot. A
// worker that was made while locked to a thread fits only that state, which may never come again.
func (w *worker) mustEnd(f *Family, to *slot) bool {
	return f.pool.n >= maxIdle || stackSize() > maxIdleStack || to.lock() != (threadLock{}) || !canForget()
}

// call calls the greenlet's function and turns its result into the family's message.
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

// catch, when deferred, turns a panic of the greenlet's function into the family's message.
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

// leave ends the goroutine. If a greenlet is still running in it, the greenlet has called Goexit.
// Nothing can stop a Goexit, not even a recovered panic of a deferred function. So the greenlet
// ends here, and the Goexit continues in its parent.
//
// When a goroutine ends by Goexit, iter.Pull passes the Goexit on to the goroutine that is parked
// in its slot by next. That goroutine has nothing to do with it. A goroutine that is parked by
// yield only wakes up. So if next has parked one, leave sends a new worker through the slot as a
// visitor: each flip changes from next to yield, and the visitor is parked by yield.
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
	restoreLock(&w.birth) // the flip below and the end of the goroutine are switches
	if w.birth.inNext {
		visitor := f.newWorker(ownThreadLock())
		f.detour = &w.birth
		c.slot = visitor.at
		// The visitor wakes up and parks in our slot. The goroutine that was parked there wakes up
		// and, as c is still the current greenlet, parks where we did.
		c.slot.flip()
		if f.pool.n < maxIdle && visitor.birth.locked == nil && canForget() {
			f.pool.put(visitor)
		} else {
			visitor.retired = true // it ends when the end of this goroutine wakes it
		}
	}
	f.finish(w, true)
	w.owner.fam = nil
	// Now this goroutine ends, and the one that its end wakes passes control to the parent.
}

// get returns an idle worker that can be resumed in this state of thread locking, or nil.
func (p *pool) get(lock threadLock) *worker {
	w := p.first
	if w != nil && w.at.lock() != lock {
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
// returns how many are left. The caller is the family's root. With a nil root, it stands in for the
// root of a family that is gone.
func (p *pool) retire(root *core) (left int) {
	lock := ownThreadLock()
	for w := p.first; w != nil; w = w.younger {
		if w.retired = w.at.lock() == lock && w.birth.lock() == lock; !w.retired {
			left++
		}
	}
	if left > 0 && root == nil {
		return left // a worker that ends may wake one that is left, which would look for its family
	}
	// A worker that ends wakes the goroutine that is parked in its slot: another worker, which then
	// ends too, or the caller. So one flip can end several workers.
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
