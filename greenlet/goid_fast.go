//go:build gc && (amd64 || arm64) && !repaint_slowgoid

package greenlet

import "unsafe"

// getg returns the address of the calling goroutine's descriptor.
func getg() unsafe.Pointer

// goidOffset is where the descriptor holds the goroutine's number,
// or 0 where that couldn't be found out.
var goidOffset = findGoidOffset()

// goid returns the number of the calling goroutine. Numbers are never used twice,
// unlike the descriptors' addresses, so a number also tells that a goroutine has gone.
func goid() uint64 {
	if goidOffset == 0 {
		return parseGoid()
	}
	return *(*uint64)(unsafe.Add(getg(), goidOffset))
}

// findGoidOffset looks for the number in the descriptor instead of knowing its place:
// the layout belongs to the runtime and changes between its versions.
// A place is believed if it holds the right number in several goroutines at once,
// and only if it is the one place that does.
func findGoidOffset() uintptr {
	const (
		probes = 6
		// All descriptors since Go 1.5 are larger than this.
		limit = 256
	)
	var candidates [limit / 8]int
	count := func() {
		id, g := parseGoid(), getg()
		for i := range candidates {
			if *(*uint64)(unsafe.Add(g, i*8)) == id {
				candidates[i]++
			}
		}
	}
	done := make(chan struct{})
	for range probes {
		go func() {
			count()
			done <- struct{}{}
		}()
		<-done
	}
	found := uintptr(0)
	for i, n := range candidates {
		if n != probes {
			continue
		}
		if found != 0 {
			return 0
		}
		found = uintptr(i * 8)
	}
	return found
}
