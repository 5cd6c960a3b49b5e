//go:build !gc || !(amd64 || arm64) || repaint_slowgoid

package greenlet

// goid returns the number of the calling goroutine.
func goid() uint64 { return parseGoid() }
