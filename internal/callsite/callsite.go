// Package callsite tells a function where it was called: on amd64 and arm64 at the price of a few loads
// instead of a walk over the stack.
package callsite

import (
	"fmt"
	"runtime"
	"strings"
)

// A Site is a place in the program, 0 if it isn't known.
type Site uintptr

// Caller returns the place at which the function that calls Caller was called. That function must not be inlined.
// It returns 0 where the stack's frames aren't linked by frame pointers as expected, which is found out at start.
//
// It isn't inlined itself, so that the assembly always finds its frame first.
//
//go:noinline
func Caller() Site {
	if !works {
		return 0
	}
	return Site(callersCaller())
}

// String returns the function, file and line, the file with its directory only.
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

// works says that Caller is right about a call that we know.
var works = true

func init() {
	var known [1]uintptr
	found := calledByUs(known[:])
	works = found != 0 && uintptr(found) == known[0]
}

//go:noinline
func calledByUs(known []uintptr) Site {
	runtime.Callers(2, known)
	return Caller()
}
