package greenlet

import (
	"bytes"
	"fmt"
	"runtime"
)

// Stack returns the calls in which g is suspended, the innermost first, in the form of debug.Stack,
// without those that belong to this package. It returns nil if g isn't suspended. It must be called from the family.
//
// It is meant for looking into a program that hangs or misbehaves: the runtime gives the stack of another goroutine
// only together with those of all, and stops the program for that.
func (g *Greenlet) Stack() []byte {
	if !g.is(active) || g.fam.current.core == g.core {
		return nil
	}
	return ownFrames(section(allStacks(), g.goid))
}

// allStacks returns the stacks of all goroutines, as text.
func allStacks() []byte {
	for size := 64 << 10; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return buf[:n]
		}
	}
}

// section finds a goroutine in the stacks of all, and returns its part, or nil.
func section(all []byte, id uint64) []byte {
	head := fmt.Appendf(nil, "goroutine %d [", id)
	start := 0
	if !bytes.HasPrefix(all, head) {
		if start = bytes.Index(all, append([]byte("\n\n"), head...)); start < 0 {
			return nil
		}
		start += 2
	}
	part, _, _ := bytes.Cut(all[start:], []byte("\n\n"))
	return part
}

// appearsInDump reports whether the goroutine is among the living ones.
func appearsInDump(id uint64) bool { return section(allStacks(), id) != nil }

// pkg is what the names of this package's functions begin with.
var pkg = func() []byte {
	pc, _, _, _ := runtime.Caller(0)
	name := runtime.FuncForPC(pc).Name() // …/greenlet.init.func1 or the like
	slash := bytes.LastIndexByte([]byte(name), '/')
	dot := bytes.IndexByte([]byte(name[slash+1:]), '.')
	return []byte(name[:slash+1+dot+1])
}()

// ownFrames removes from a goroutine's stack the head line, the frames by which it waits or was looked at, and those
// by which a worker called the greenlet's function. What is left are the calls of the greenlet's own code.
func ownFrames(stack []byte) []byte {
	if len(stack) == 0 {
		return nil
	}
	_, rest, _ := bytes.Cut(stack, []byte("\n"))
	var frames [][]byte // each of two lines
	inside := true      // still among the machinery on top
	for len(rest) > 0 {
		frame := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			if j := bytes.IndexByte(rest[i+1:], '\n'); j >= 0 {
				frame = rest[:i+1+j+1]
			}
		}
		rest = rest[len(frame):]
		if bytes.HasPrefix(frame, []byte("created by ")) || bytes.HasPrefix(frame, append(pkg, "(*worker).call("...)) {
			break
		}
		if inside && isMachinery(frame) {
			continue
		}
		inside = false
		frames = append(frames, frame)
	}
	return bytes.Join(frames, nil)
}

func isMachinery(frame []byte) bool {
	for _, prefix := range [][]byte{[]byte("iter."), []byte("runtime."), []byte("runtime/debug."), pkg} {
		if bytes.HasPrefix(frame, prefix) {
			return true
		}
	}
	return false
}
