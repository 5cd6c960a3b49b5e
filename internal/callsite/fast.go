//go:build gc && !repaint_slowgoid && (amd64 || arm64)

package callsite

// callersCaller returns where the function that calls Caller returns to, and must be called by Caller.
func callersCaller() uintptr
