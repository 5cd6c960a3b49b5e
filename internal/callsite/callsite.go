// Package callsite tells a function where it was called. On amd64 and arm64 that costs a few loads
// instead of a walk over the stack.
package callsite

import (
	"fmt"
	"runtime"
	"strings"
)

// A Site is a place in the program, or 0 if it isn't known.
type Site uintptr

// Caller returns the place at which the function that calls Caller was called. That function must
// not be inlined.
//
// It isn't inlined itself, so that walk always finds its frame first.
//
//go:noinline
func Caller() Site {
	var pc [1]uintptr
	if works {
		walk(&pc[0], 1)
	} else {
		runtime.Callers(3, pc[:]) // skip Callers, Caller and its caller
	}
	return Site(pc[0])
}

// Callers stores the place at which the function that calls it was called, the place at which that
// function's caller was called, and so on, as far as there is room. It returns the number of
// places. They are return addresses, as runtime.CallersFrames takes them. Where functions were
// inlined, one of them stands for several calls.
//
//go:noinline
func Callers(pcs []uintptr) int {
	if works && len(pcs) > 0 {
		return walk(&pcs[0], len(pcs))
	}
	return runtime.Callers(3, pcs)
}

// String returns the function, file and line. The file has only its last directory.
func (s Site) String() string {
	if s == 0 {
		return "an unknown place"
	}
	frame, _ := runtime.CallersFrames([]uintptr{uintptr(s)}).Next()
	file := frame.File
	if i := strings.LastIndexByte(file, '/'); i >= 0 {
		file = file[strings.LastIndexByte(file[:i], '/')+1:]
	}
	return fmt.Sprintf("%s, %s:%d", frame.Function, file, frame.Line)
}

// works says that walk returns the right results for known calls.
var works = quick

func init() {
	if quick {
		works = agrees()
	}
}

//go:noinline
func agrees() bool { return compare() }

//go:noinline
func compare() bool {
	var known, found [2]uintptr
	runtime.Callers(2, known[:])
	return Callers(found[:]) == 2 && found == known
}
