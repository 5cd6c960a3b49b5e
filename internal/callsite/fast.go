//go:build gc && !repaint_slowgoid && (amd64 || arm64)

package callsite

const quick = true

// walk notes up to n places to which functions return: first where the caller of the one that calls walk does.
//
//go:noescape
func walk(pcs *uintptr, n int) int
