//go:build !gc || repaint_slowgoid || !(amd64 || arm64)

package callsite

import "runtime"

func callersCaller() uintptr {
	var pc [1]uintptr
	runtime.Callers(4, pc[:]) // this function, Caller, the one that asks, and where that was called
	return pc[0]
}
