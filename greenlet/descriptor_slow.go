//go:build !gc || !(amd64 || arm64) || repaint_slowgoid

package greenlet

import (
	"context"
	"runtime/pprof"
	"unsafe"
)

// Where the goroutine's descriptor can't be read, its number is parsed from a stack trace, and
// nothing is known about thread locking and the size of the stack.

func goid() uint64 { return parseGoid() }

func ticket() uint64 { return parseGoid() }

func quickGoid() uint64 { return parseGoid() }

func ownThreadLock() threadLock { return threadLock{} }

func ownThreadLockReadable() bool { return false }

func stackSize() uintptr { return 0 }

func ownLabels() unsafe.Pointer { return nil }

func setOwnLabels(unsafe.Pointer) {}

func clearOwnLabels() { pprof.SetGoroutineLabels(context.Background()) }

type descriptor struct{ id uint64 }

func ownDescriptor(id uint64) descriptor { return descriptor{id} }

func (d descriptor) surelyEnded() bool { return false }

func endsReadable() bool { return false }
