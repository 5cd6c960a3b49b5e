package explore

import (
	"fmt"
	"path"
	"runtime"
	"strings"
	"sync"
)

// module is the import path of this module.
const module = "github.com/seed1239206e/repaint"

// Place returns the place in the program at which its caller was called: the file and line of the
// innermost function that belongs neither to this module nor to a database library.
func Place() string {
	var pcs [64]uintptr
	for _, pc := range pcs[:runtime.Callers(2, pcs[:])] {
		place, known := places.Load(pc)
		if !known {
			place, _ = places.LoadOrStore(pc, placeOf(pc))
		}
		if place != "" {
			return place.(string)
		}
	}
	return ""
}

// places caches the results of placeOf, because each step of a schedule calls it.
var places sync.Map

// placeOf returns the file and line of a return address, or "" if the address isn't in the
// program's own code.
func placeOf(pc uintptr) string {
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	if frame.File == "" || !strings.HasSuffix(frame.File, "_test.go") && machinery(packageOf(frame.Function)) {
		return ""
	}
	return fmt.Sprintf("%s:%d", path.Base(frame.File), frame.Line)
}

// packageOf returns the import path of a function's package.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	if dot := strings.IndexByte(function[slash:], '.'); dot >= 0 {
		return function[:slash+dot]
	}
	return function
}

// machinery reports whether a package is one that programs wait through, and not part of the
// program.
func machinery(pkg string) bool {
	switch {
	case strings.HasSuffix(pkg, "_test"), strings.HasPrefix(pkg, module+"/examples/"), strings.HasPrefix(pkg, module+"/compat"):
		return false
	case pkg == module, strings.HasPrefix(pkg, module+"/"):
		return true
	}
	for _, p := range []string{"database/sql", "runtime", "testing", "gorm.io/", "github.com/jmoiron/sqlx", "iter", "slices"} {
		if strings.HasPrefix(pkg, p) {
			return true
		}
	}
	return false
}
