package greenlet

import (
	"cmp"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"
)

// A Family is a goroutine, its root greenlet and all the greenlets that descend from it:
// the counterpart of a thread and its greenlets in Python.
// Each greenlet has a goroutine of its own underneath, but only one of them runs at a time,
// and only that one can switch: all other goroutines are refused with a [FamilyError].
//
// A family begins with the first use of greenlets in a goroutine, or with [Enter].
// In the first case it ends when nothing refers to it any more, in the second with [Family.Close].
type Family struct {
	id   uint64
	goid uint64 // of the root
	// running is the number of the goroutine that has control.
	// Each goroutine sets it when it gets control. All others see a number that isn't theirs.
	running atomic.Uint64

	// The fields from here to attention belong to the running goroutine.

	// current is the greenlet that has control. It is set before control is transferred:
	// a goroutine that wakes up and isn't meant passes control on. As it is a handle, nothing
	// that runs is ever unreachable.
	current *Greenlet
	msg     message // what current is to receive
	// special says that the next goroutine to get control has to do more than to take a value from
	// msg.
	special bool
	toWatch *Greenlet // has just been suspended for the first time
	// detour, if there, is where the next goroutine that wakes up and isn't meant goes,
	// instead of to current.
	detour *slot

	kills []underway
	root  *owner
	pool  *pool
	self  weak.Pointer[Family] // made when needed
	count int                  // of the greenlets that have started and not ended
	// The workers that run these, as a list in the order in which they were started.
	eldest, youngest *worker
	legacy           Legacy // for the greenlet that is being started, if it gets an idle goroutine
	entered          bool   // by Enter; never changes
	switches         uint64
	value            any
	profiled         bool // all greenlets that start from now on are

	// traced says that there are tracers, as far as the family has heard.
	traced  bool
	tracers []*tracer
	// tracerVersion is the value of the global one at which tracers was put together.
	tracerVersion uint64
	origin        *Greenlet // while traced: who transferred control to current
	locked        bool      // there are slots that were made while locked to a thread
	over          bool      // Close has done all, and control never changes again

	// attention says that a transfer of control can't be done in the ordinary way: there are
	// entries in unreachable, tracers come or go, or the family is traced, locked or over. Only
	// refresh takes it down, with mu held. Whoever isn't the running goroutine raises it with mu
	// held.
	attention   atomic.Bool
	closed      atomic.Bool // Close has been called
	reaped      atomic.Bool // closed because the root's goroutine has ended
	rootRoutine descriptor  // never changes

	mu          sync.Mutex // held for moments, never across a switch
	unreachable []*core    // suspended greenlets to kill, put there by the collector
	own         []*tracer  // the family's own tracers; replaced, never changed
	reaping     bool       // the reaper looks from time to time whether the root's goroutine has ended
}

var (
	lastFamily atomic.Uint64
	families   atomic.Int64
)

// Enter returns the family of the calling goroutine.
// If there is none it makes one, of which the goroutine is the root, and reports that it is new:
// then the caller must close it before the goroutine ends.
func Enter() (f *Family, isNew bool) {
	id := goid()
	if o := owners.find(id); o != nil {
		if f := o.family(); f != nil {
			return f, false
		}
		owners.remove(o)
	}
	return enter(id, true), true
}

func enter(id uint64, entered bool) *Family {
	f := &Family{id: lastFamily.Add(1), goid: id, pool: new(pool), rootRoutine: ownDescriptor(id)}
	c := &core{id: lastID.Add(1), fam: f, goid: id, watched: true, isRoot: true}
	c.become(active)
	f.entered = entered
	f.current = &Greenlet{core: c}
	f.running.Store(id)
	f.root = &owner{id: id, lazy: f.lazy()}
	if entered {
		f.root.fam = f
	}
	owners.add(f.root)
	families.Add(1)
	// From here on AddTracer finds the family, and raises the flag. Tracers that were added before
	// are noticed at the first transfer.
	if globalTracers.Load() != nil {
		f.notice()
	}
	return f
}

// newFamily makes a family that lasts as long as somebody refers to it.
func newFamily(id uint64) *Family {
	if o := owners.find(id); o != nil {
		owners.remove(o) // the rest of a family that was collected
	}
	f := enter(id, false)
	// Nothing that is given to the clean-up may lead to the family, as both do while there are
	// greenlets. The owner is in the registry until it is removed, and the pool's workers keep the
	// pool.
	type remains struct {
		root weak.Pointer[owner]
		pool weak.Pointer[pool]
	}
	runtime.AddCleanup(f, func(r remains) {
		if o := r.root.Value(); o != nil {
			owners.remove(o)
		}
		if p := r.pool.Value(); p != nil {
			p.retire(nil)
		}
		families.Add(-1)
	}, remains{weak.Make(f.root), weak.Make(f.pool)})
	return f
}

// Close kills the greenlets of the family that are still suspended, the one that started last
// first, and ends all their goroutines. It must be called by the root greenlet; it gives [ErrRoot]
// or a [FamilyError] elsewhere. Afterwards the family's greenlets give [ErrClosed]. Closing a
// closed family does nothing.
//
// Close returns [ErrSurvived] if a greenlet recovered from being killed and didn't end: its
// goroutine stays behind. It returns [ErrThreadLock] if goroutines stay behind because they wait in
// another state of thread locking than the caller's; Close can be called again in that state, to
// end them. If a greenlet that gets control meanwhile ends by a panic or a Goexit, without being
// killed, and the root is its parent, then Close finishes, and the panic or Goexit goes on.
func (f *Family) Close() error {
	if f.running.Load() != goid() {
		return f.refuse("close", "the family")
	}
	if f.over {
		return f.endIdle()
	}
	if f.closed.Load() {
		return nil // a tracer calls it, while it is under way
	}
	if !f.current.isRoot {
		return fmt.Errorf("%w: only the root may close %s, not %s", ErrRoot, f, f.current)
	}
	stray, err := f.close()
	if stray.kind != result {
		if err != nil {
			report(err)
		}
		_, err = stray.open(f.current)
	}
	return err
}

// close is Close. It returns a panic or a Goexit, which is to go on in the root, as a message.
func (f *Family) close() (stray message, err error) {
	f.closed.Store(true) // nothing new starts
	var survivor error
	for f.youngest != nil {
		w := f.youngest
		c := w.job
		m, ok, failed := f.killQuietly(c)
		if !ok && m.kind != result {
			if stray.kind == result {
				stray = m
			} else {
				report(m.whileClosing(f))
			}
			continue // the kill was interrupted
		}
		if !ok {
			failed = m.err
		}
		if failed != nil {
			report(fmt.Errorf("greenlet: while closing %s: %w", f, failed))
		}
		if !c.is(dead) {
			survivor = fmt.Errorf("%w: %s, while closing %s", ErrSurvived, c, f)
			f.unlink(w)
		}
	}
	root := f.current.core
	idle := f.endIdle()
	root.become(dead)
	owners.remove(f.root)
	f.root.fam = nil
	if f.entered {
		families.Add(-1)
	}
	f.over = true
	f.attention.Store(true) // for good
	if survivor != nil && idle != nil {
		return stray, fmt.Errorf("%w; %w", survivor, idle)
	}
	return stray, cmp.Or(survivor, idle)
}

// endIdle ends the goroutines that wait for the next greenlet.
func (f *Family) endIdle() error {
	if n := f.pool.retire(f.current.core); n > 0 {
		return fmt.Errorf("%w: %d goroutines that have run greenlets of %s can't be ended by a goroutine %v: "+
			"close the family again in the state in which its greenlets have run", ErrThreadLock, n, f, ownThreadLock())
	}
	return nil
}

// Len returns the number of greenlets that have started and not ended, not counting the root.
// It must be called from the family.
func (f *Family) Len() int { return f.count }

// Switches returns how often control was transferred between greenlets of the family.
// It must be called from the family.
func (f *Family) Switches() uint64 { return f.switches }

// Value returns what [Family.SetValue] has set. It must be called from the family.
func (f *Family) Value() any { return f.value }

// SetValue keeps one value with the family: it is meant for the scheduler that drives the family's
// greenlets, which finds itself again by it from any of them. It must be called from the family.
func (f *Family) SetValue(v any) {
	f.value = v
	f.running.Store(f.current.goid)
}

// String names the family for errors: "family 3 (root in goroutine 17)".
func (f *Family) String() string {
	return fmt.Sprintf("family %d (root in goroutine %d)", f.id, f.goid)
}

// link puts the worker, which has been given a job, at the end of the list.
func (f *Family) link(w *worker) {
	w.linked = true
	w.elder = f.youngest
	if w.elder != nil {
		w.elder.younger = w
	} else {
		f.eldest = w
	}
	f.youngest = w
	if f.count++; f.count == 1 {
		f.root.fam = f
	}
}

func (f *Family) unlink(w *worker) {
	if !w.linked {
		return // it was written off by Close
	}
	w.linked = false
	if w.elder != nil {
		w.elder.younger = w.younger
	} else {
		f.eldest = w.younger
	}
	if w.younger != nil {
		w.younger.elder = w.elder
	} else {
		f.youngest = w.elder
	}
	w.elder, w.younger = nil, nil
	if f.count--; f.count == 0 && !f.entered {
		f.root.fam = nil
	}
}

// lazy returns a reference that doesn't keep the family alive.
func (f *Family) lazy() weak.Pointer[Family] {
	if f.self == (weak.Pointer[Family]{}) {
		f.self = weak.Make(f)
	}
	return f.self
}

// refuse explains why the calling goroutine can't do this.
func (f *Family) refuse(op, what string) error {
	id := goid()
	caller := fmt.Sprintf("goroutine %d, which has no greenlets", id)
	if o := owners.find(id); o != nil {
		if own := o.family(); own != nil {
			caller = own.String()
		}
	}
	reaped := f.reaped.Load()
	return &FamilyError{
		Op: op, Greenlet: what, Family: f.String(), Caller: caller,
		RootExited: reaped || f.rootRoutine.surelyEnded(), Closed: f.closed.Load() && !reaped,
	}
}
