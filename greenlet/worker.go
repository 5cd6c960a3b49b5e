package greenlet

import (
	"runtime/debug"
	"sync/atomic"
)

// A worker is a goroutine that runs greenlets, one after the other.
// Between two of them it is in its family's pool, parked in some slot.
// An idle worker doesn't refer to its family, which could never be collected otherwise.
type worker struct {
	birth slot  // the slot that ends with this goroutine
	at    *slot // where it is parked while idle
	owner owner
	// job is what the worker is to run when it wakes up: set before it is given control.
	job *core
	// retired tells an idle worker to end when it wakes up.
	retired bool
	ended   bool
	next    *worker // in the pool
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

// start gives the unstarted greenlet a goroutine.
func (f *Family) start(g *Greenlet) {
	w := f.pool.get()
	if w == nil {
		w = f.newWorker()
	}
	w.job = g.core
	g.slot = w.at
	g.become(active)
	f.link(g.core)
}

func (f *Family) newWorker() *worker {
	w := new(worker)
	w.owner.lazy = f.lazy()
	w.birth.start(w.main)
	w.at = &w.birth
	workers.Add(1)
	return w
}

// main is what the goroutine does from beginning to end.
func (w *worker) main() {
	w.owner.id = goid()
	owners.add(&w.owner)
	defer func() {
		owners.remove(&w.owner)
		workers.Add(-1)
		w.ended = true
	}()
	for {
		switch {
		case w.job != nil:
			c := w.job
			w.job = nil
			if !w.work(c) {
				return
			}
		case w.retired:
			return
		default:
			w.at = w.owner.lazy.Value().hop()
			w.at.flip()
		}
	}
}

// work runs a greenlet from start to end, parks the worker in the pool, and returns when it wakes up;
// or returns false at once if the worker must end.
func (w *worker) work(c *core) bool {
	f := c.fam
	w.owner.fam = f
	c.goid = w.owner.id
	f.running.Store(c.goid)
	m := f.receive()
	if m.carriesValue() {
		m = w.run(c, m.value)
	}
	to := f.finish(c, m)
	w.owner.fam = nil
	if f.pool.n >= maxIdle {
		return false
	}
	f.pool.put(w)
	w.at = to
	to.flip()
	return true
}

// run calls the greenlet's function and says how it ended.
//
// It doesn't return if that was by Goexit: then the goroutine is ending, and nothing can stop that,
// so control goes to the parent from here. This is apart from [worker.call] because a recover there
// doesn't mean that the goroutine goes on: a Goexit whose deferred functions panicked still is one.
func (w *worker) run(c *core, arg any) message {
	m := message{kind: goexit}
	returned := false
	defer func() {
		if !returned {
			w.leave(c, m)
		}
	}()
	w.call(c, arg, &m)
	returned = true
	return m
}

// call calls the greenlet's function and puts its end into m, which it leaves alone if that is a Goexit.
func (w *worker) call(c *core, arg any, m *message) {
	defer func() {
		switch r := recover(); {
		case r == killed:
			*m = message{err: ErrExit}
		case r != nil:
			*m = message{kind: panicked, err: carry(c, r)}
		}
	}()
	run := c.run
	c.run = nil
	v, err := run(arg)
	if err != nil {
		v = nil
	}
	*m = message{value: v, err: err}
}

// finish ends the greenlet and makes its parent, or the ancestor that stands in for it, the current one.
// It returns the slot in which that one waits for the caller to park.
func (f *Family) finish(c *core, m message) *slot {
	c.become(dead)
	f.unlink(c)
	c.slot = nil
	to, m := f.receiver(c.parent, m.exited())
	if to.is(unstarted) {
		f.start(to)
	}
	f.current, f.msg = to, m
	f.switches++
	return to.slot
}

// leave ends the greenlet, with m for its parent, while this goroutine ends by Goexit.
//
// When a goroutine ends, iter.Pull lets whoever called next to park in its slot suffer the same Goexit.
// That would be a bystander. Whoever parked there by yield only wakes up.
// So if it's a next, the places are changed until it's a yield: a new worker is sent through this slot
// on its detour, and as each visitor turns the slot over once, the new one is parked by a yield.
func (w *worker) leave(c *core, m message) {
	f := c.fam
	if w.birth.inNext {
		visitor := f.newWorker()
		f.detour = &w.birth
		c.slot = visitor.at
		// The visitor wakes up and parks in our slot, whoever was there wakes up and,
		// as c is still the current greenlet, parks where we did.
		c.slot.flip()
		f.pool.put(visitor)
	}
	f.finish(c, m)
	w.owner.fam = nil
	// Deferred functions end the goroutine, and the one that wakes up passes control to f.current.
}

// carry wraps a panic for its way to the parents. One that is on its way already stays as it is.
func carry(c *core, value any) *PanicError {
	if p, ok := value.(*PanicError); ok {
		return p
	}
	return &PanicError{Value: value, Stack: debug.Stack(), Greenlet: c.String()}
}

func (p *pool) get() *worker {
	w := p.first
	if w != nil {
		p.first, w.next = w.next, nil
		p.n--
	}
	return w
}

func (p *pool) put(w *worker) {
	w.next, p.first = p.first, w
	p.n++
}

// retire ends all idle workers. The caller is the family's root,
// or, with a nil core, stands in for a root that needs its family no more.
func (p *pool) retire(root *core) {
	for w := p.first; w != nil; w = w.next {
		w.retired = true
	}
	// A worker that ends wakes whoever is parked in its slot: another worker, which then ends too,
	// or us. So one flip can end several of them.
	for w := p.get(); w != nil; w = p.get() {
		if w.ended {
			continue
		}
		if root != nil {
			root.slot = w.at
		}
		w.at.flip()
	}
}
