//go:build gc && !repaint_slowgoid && (amd64 || arm64)

package callsite

const quick = true

// walk stores up to n places to which functions return, first the one to which the caller of walk's
// caller returns.
//
//go:noescape
func walk(pcs *uintptr, n int) int
