package greenlet

// DescriptorsReadable says that the runtime's descriptors of goroutines could be read,
// and so all that depends on them is to be expected.
var DescriptorsReadable = ownThreadLockReadable() && stackSize() > 0

// Idle returns how many goroutines the family keeps for later.
func (f *Family) Idle() int { return f.pool.n }

// StackSize returns the size of the calling goroutine's stack.
func StackSize() uintptr { return stackSize() }

// MaxIdleStack is how large a stack is kept.
const MaxIdleStack = maxIdleStack
