package greenlet

import "runtime"

// parseGoid reads the calling goroutine's number from the first line of its stack trace, "goroutine
// 17 [running]:". It takes microseconds and works everywhere.
func parseGoid() uint64 {
	var buf [40]byte
	line := buf[:runtime.Stack(buf[:], false)]
	var id uint64
	for _, c := range line[len("goroutine "):] {
		if c < '0' || c > '9' {
			break
		}
		id = id*10 + uint64(c-'0')
	}
	if id == 0 {
		panic("greenlet: no goroutine number in the stack trace: " + string(line))
	}
	return id
}
