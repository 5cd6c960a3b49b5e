package greenlet

import "runtime"

// DescriptorsReadable says that the package can read the runtime's goroutine descriptors, so that
// tests can expect everything that depends on them.
var DescriptorsReadable = ownThreadLockReadable() && stackSize() > 0

// Idle returns how many idle goroutines the family keeps.
func (f *Family) Idle() int { return f.pool.n }

// StackSize returns the size of the calling goroutine's stack.
func StackSize() uintptr { return stackSize() }

// MaxIdleStack is the size of the largest stack that is kept.
const MaxIdleStack = maxIdleStack

// KillPanic is the value whose panic unwinds a greenlet that is being killed.
var KillPanic any = killed

// Forget does what the collector does when it finds a suspended greenlet unreachable.
func Forget(g *Greenlet) { g.fam.forget(g.core) }

// WhileLooking calls add in another goroutine, after the family has looked for new tracers and
// before it has finished.
func WhileLooking(f *Family, add func()) {
	done := make(chan struct{})
	f.mu.Lock()
	f.findTracers()
	go func() {
		defer close(done)
		add()
	}()
	// A global tracer can be added meanwhile; the family's own tracers have to wait.
	const patience = 1000
	for i := 0; i < patience; i++ {
		runtime.Gosched()
	}
	f.settle()
	f.mu.Unlock()
	<-done
}

// Forgotten reports whether the collector has found a suspended greenlet of the family unreachable.
func Forgotten(f *Family) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.unreachable) > 0
}

// Dumps returns how many times all stacks were looked at.
func Dumps() uint64 { return dumps.Load() }
