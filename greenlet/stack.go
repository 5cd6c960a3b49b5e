package greenlet

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
)

// Stack returns the calls in which g is suspended, innermost first, in the form of debug.Stack and
// without the calls of this package. It returns nil if g isn't suspended. It must be called from
// the family.
//
// Stack is meant for programs that hang or misbehave. It stops the program for a moment, because
// the runtime returns the stack of another goroutine only together with all stacks.
func (g *Greenlet) Stack() []byte {
	if !g.is(active) || g.fam.current.core == g.core {
		return nil
	}
	return ownFrames(section(allStacks(), g.goid))
}

// Stacks holds the stacks of all goroutines at one moment. With it, reading the stacks of many
// greenlets stops the program only once.
type Stacks struct {
	all []byte
	at  map[uint64][2]int // where a goroutine's part of all begins and ends
}

// TakeStacks stops the program for a moment and records all stacks. Any goroutine may call it.
func TakeStacks() *Stacks {
	s := &Stacks{all: allStacks(), at: make(map[uint64][2]int)}
	for begin := 0; begin < len(s.all); {
		end := len(s.all)
		if i := bytes.Index(s.all[begin:], []byte("\n\n")); i >= 0 {
			end = begin + i
		}
		digits, _, _ := bytes.Cut(bytes.TrimPrefix(s.all[begin:end], []byte("goroutine ")), []byte(" "))
		if id, err := strconv.ParseUint(string(digits), 10, 64); err == nil {
			s.at[id] = [2]int{begin, end}
		}
		begin = end + 2
	}
	return s
}

// Of returns the calls in which g was suspended, like [Greenlet.Stack], or nil if g isn't suspended
// now. It must be called from the family.
func (s *Stacks) Of(g *Greenlet) []byte {
	if !g.is(active) || g.fam.current.core == g.core {
		return nil
	}
	return s.of(g.goid)
}

// Running returns the calls of the family's running greenlet, or nil if there are none. If control
// changed while the stacks were taken, it may return those of another greenlet. Any goroutine may
// call it.
func (s *Stacks) Running(f *Family) []byte { return s.of(f.running.Load()) }

// InCoroutine reports whether the family's running greenlet waits for a coroutine that isn't the
// family's, such as one of iter.Pull. It is called like Running.
func (s *Stacks) InCoroutine(f *Family) bool {
	place := s.at[f.running.Load()]
	head, _, _ := bytes.Cut(s.all[place[0]:place[1]], []byte("\n"))
	return bytes.Contains(head, []byte(" [coroutine"))
}

func (s *Stacks) of(goid uint64) []byte {
	place, ok := s.at[goid]
	if !ok {
		return nil
	}
	return ownFrames(s.all[place[0]:place[1]])
}

var (
	dumps    atomic.Uint64 // counts the dumps of all stacks, each of which stops the program
	dumpSize atomic.Int64  // of the last one
)

// allStacks returns the stacks of all goroutines, as text.
func allStacks() []byte {
	// Each attempt walks over all stacks, even if there is no room for their text.
	for size := 64<<10 + max(2*int(dumpSize.Load()), runtime.NumGoroutine()<<10); ; size *= 2 {
		buf := make([]byte, size)
		n := runtime.Stack(buf, true)
		dumps.Add(1)
		if n < size {
			dumpSize.Store(int64(n))
			return buf[:n]
		}
	}
}

// section returns a goroutine's part of all stacks, or nil.
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

// endedAmong reports for each of the goroutines whether it has ended.
func endedAmong(routines []descriptor) []bool {
	ended := make([]bool, len(routines))
	if endsReadable() {
		for i, d := range routines {
			ended[i] = d.surelyEnded()
		}
		return ended
	}
	if len(routines) > 0 {
		living := TakeStacks() // once for all
		for i, d := range routines {
			_, lives := living.at[d.id]
			ended[i] = !lives
		}
	}
	return ended
}

// pkg is the prefix of the names of this package's functions.
var pkg = func() []byte {
	pc, _, _, _ := runtime.Caller(0)
	name := runtime.FuncForPC(pc).Name() // …/greenlet.init.func1 or the like
	slash := bytes.LastIndexByte([]byte(name), '/')
	dot := bytes.IndexByte([]byte(name[slash+1:]), '.')
	return []byte(name[:slash+1+dot+1])
}()

// ownFrames removes from a goroutine's stack the first line, the frames in which it waits or was
// inspected, and the frames through which a worker called the greenlet's function. The calls of the
// greenlet's own code are left.
func ownFrames(stack []byte) []byte {
	if len(stack) == 0 {
		return nil
	}
	_, rest, _ := bytes.Cut(stack, []byte("\n"))
	var frames [][]byte // each of two lines
	inside := true      // still in this package's frames on top
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
