package db

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/seed1239206e/repaint/internal/callsite"
)

// place is where a call was made: a few return addresses. String finds the line of the program.
type place struct {
	pcs [8]uintptr
	n   int
}

// note notes the place from which the package was called. Every statement does so; callsite.Callers
// says why that costs next to nothing.
//
//go:noinline
func (p *place) note() { p.n = callsite.Callers(p.pcs[:]) }

// String returns file:line of the innermost function outside of this package.
func (p place) String() string { return outside(p.pcs[:p.n]) }

// here returns the place from which the package was called.
func here() string {
	var pcs [16]uintptr
	return outside(pcs[:runtime.Callers(2, pcs[:])])
}

func outside(pcs []uintptr) string {
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		if !isOurs(f.Function) || !more {
			if f.File == "" {
				return "an unknown place"
			}
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
	}
}

// The prefixes of the names of this package's functions, and of those of its internal packages.
const (
	thisPackage = "github.com/seed1239206e/repaint/db."
	itsParts    = "github.com/seed1239206e/repaint/db/internal/turns."
)

func isOurs(function string) bool {
	return strings.HasPrefix(function, thisPackage) || strings.HasPrefix(function, itsParts)
}
