package greenlet

import (
	"cmp"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"
)

// A Family is a goroutine, its root greenlet and all the greenlets that descend from it. It is the
// counterpart of a thread and its greenlets in Python. Each greenlet runs in a goroutine of its
// own, but only one of them runs at a time, and only that one can switch. All other goroutines get
// a [FamilyError].
//
// A family begins with the first use of greenlets in a goroutine, or with [Enter]. In the first
// case it ends when nothing refers to it any more, in the second case with [Family.Close].
type Family struct {
	id   uint64
	goid uint64 // the root's goroutine
	// running is the number of the goroutine that has control. Each goroutine stores its own number
	// when it gets control, so all others see a number that isn't theirs.
	running atomic.Uint64

	// The fields from here to attention belong to the running goroutine.

	// current is the greenlet that has control. It is set before control is transferred: a
	// goroutine that wakes up but isn't current's passes control on. It is a handle, so a running
	// greenlet is never unreachable.
	current *Greenlet
	msg     message // for current
	// special: the next goroutine to get control has more to do than take a value from msg.
	special bool
	toWatch *Greenlet // has just been suspended for the first time
	// detour, if not nil, is where the next goroutine that wakes up but isn't current's parks,
	// instead of in current's slot.
	detour *slot

	kills []underway
	root  *owner
	pool  *pool
	self  weak.Pointer[Family] // made on first use
	count int                  // greenlets that have started and not ended
	// The workers that run these greenlets, as a list in the order in which they started.
	eldest, youngest *worker
	legacy           Legacy // for the greenlet that is being started, if it gets an idle goroutine
	entered          bool   // by Enter; never changes
	switches         uint64
	value            any
	profiled         bool // all greenlets that start from now on are profiled

	// traced: there are tracers, as far as the family has noticed.
	traced  bool
	tracers []*tracer
	// tracerVersion is the value of the global tracerVersion from which tracers was built.
	tracerVersion uint64
	origin        *Greenlet // while traced: the greenlet that transferred control to current
	locked        bool      // some slots were made while locked to a thread
	over          bool      // Close has finished, and control never changes again

	// attention: a transfer of control can't take the ordinary path, because unreachable has
	// entries, tracers come or go, or the family is traced, locked or over. Only refresh clears it,
	// with mu held. A goroutine other than the running one sets it with mu held.
	attention   atomic.Bool
	closed      atomic.Bool // Close has been called
	reaped      atomic.Bool // closed because the root's goroutine has ended
	rootRoutine descriptor  // never changes

	mu          sync.Mutex // held for moments, never across a switch
	unreachable []*core    // suspended greenlets to kill, from the collector
	own         []*tracer  // the family's own tracers; replaced, never changed
	reaping     bool       // the reaper checks from time to time whether the root's goroutine has ended
}

var (
	lastFamily atomic.Uint64
	families   atomic.Int64
)

// Enter returns the family of the calling goroutine. If there is none, it makes one with the
// calling goroutine as its root, and isNew is true. The caller must then call [Family.Close] before
// the goroutine ends. Any goroutine may call Enter.
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
	f.pool.family = f.lazy()
	f.root = &owner{id: id, pool: f.pool}
	if entered {
		f.root.fam = f
	}
	owners.add(f.root)
	families.Add(1)
	// From here on AddTracer finds the family and sets attention. The first transfer notices
	// tracers that were added before.
	if globalTracers.Load() != nil {
		f.notice()
	}
	return f
}

// newFamily makes a family that lasts until nothing refers to it any more.
func newFamily(id uint64) *Family {
	if o := owners.find(id); o != nil {
		owners.remove(o) // left over from a family that was collected
	}
	f := enter(id, false)
	// No argument of the cleanup may lead to the family. The owner and the pool do while there are
	// greenlets, so the references are weak. The registry keeps the owner until it is removed, and
	// the pool's workers keep the pool.
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

// Close kills the greenlets of the family that are still suspended, last started first, and ends
// all the family's goroutines. The root greenlet must call it; Close returns [ErrRoot] to other
// greenlets and a [FamilyError] to other goroutines. Afterwards the family's greenlets return
// [ErrClosed]. Closing a closed family does nothing.
//
// Close returns [ErrSurvived] if a greenlet recovers from being killed and doesn't end: its
// goroutine leaks. It returns [ErrThreadLock] if goroutines remain because they were suspended in
// another state of thread locking than the caller's; a second Close in that state ends them. If a
// child of the root gets control meanwhile and ends by a panic or a Goexit without being killed,
// Close finishes and the panic or Goexit then continues.
func (f *Family) Close() error {
	if f.running.Load() != goid() {
		return f.refuse("close", "the family")
	}
	if f.over {
		return f.endIdle()
	}
	if f.closed.Load() {
		return nil // a tracer calls Close while Close is under way
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

// close is Close. A panic or a Goexit that must continue in the root is returned as a message.
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

// endIdle ends the goroutines that wait for a next greenlet.
func (f *Family) endIdle() error {
	if n := f.pool.retire(f.current.core); n > 0 {
		return fmt.Errorf("%w: %d goroutines that ran greenlets of %s can't be ended by a goroutine %v: "+
			"close the family again in the state in which its greenlets ran", ErrThreadLock, n, f, ownThreadLock())
	}
	return nil
}

// Len returns the number of greenlets that have started and not ended, not counting the root.
// It must be called from the family.
func (f *Family) Len() int { return f.count }

// Switches returns how many times control has passed between greenlets of the family. It must be
// called from the family.
func (f *Family) Switches() uint64 { return f.switches }

// String names the family for errors: "family 3 (root in goroutine 17)".
func (f *Family) String() string {
	return fmt.Sprintf("family %d (root in goroutine %d)", f.id, f.goid)
}

// link appends the worker, which has a job, to the list.
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

// refuse returns the error that explains why the calling goroutine can't do op.
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
