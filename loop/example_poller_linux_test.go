package loop_test

import (
	"fmt"
	"syscall"

	"github.com/seed1239206e/repaint/loop"
)

// A reader reads what comes on a descriptor, until it would block.
type reader struct {
	fd  int
	got string
}

// Ready implements loop.Pollable.
func (r *reader) Ready(ready loop.Readiness) {
	for buf := make([]byte, 100); ready&loop.Readable != 0; {
		n, err := syscall.Read(r.fd, buf)
		if n <= 0 || err != nil {
			return
		}
		r.got += string(buf[:n])
	}
}

// Poll returns a Polled, which ends the polling. The loop calls Ready with a Readiness.
func ExamplePolled() {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	l := loop.New()
	defer l.Close()
	r := &reader{fd: fds[0]}
	polled, err := l.Poll(uintptr(r.fd), r)
	if err != nil {
		fmt.Println(err)
		return
	}
	l.Bridge().Hold() // a goroutine outside will write
	go func() { _, _ = syscall.Write(fds[1], []byte("hello")) }()
	if err := l.Drive(func() bool { return r.got != "" }); err != nil {
		fmt.Println(err)
	}
	fmt.Println(r.got)

	polled.Remove() // before the descriptor is closed
	_, _ = syscall.Close(fds[0]), syscall.Close(fds[1])
	// Output: hello
}

// A sink is a Pollable that only writes.
type sink struct{ writable bool }

// Ready notes that there is room. A sink with something to write would write it here.
func (s *sink) Ready(ready loop.Readiness) { s.writable = s.writable || ready&loop.Writable != 0 }

// Poll tells a Pollable once what its descriptor is ready for, and from then on what changes.
func ExamplePollable() {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	l := loop.New()
	defer l.Close()
	var s loop.Pollable = &sink{}
	polled, err := l.Poll(uintptr(fds[0]), s)
	if err != nil {
		fmt.Println(err)
		return
	}
	l.Bridge().Hold() // the kernel will report something
	if err := l.Drive(func() bool { return s.(*sink).writable }); err != nil {
		fmt.Println(err)
	}
	fmt.Println("there is room")
	polled.Remove()
	_, _ = syscall.Close(fds[0]), syscall.Close(fds[1])
	// Output: there is room
}

// A Readiness is a set. At the end of a connection both bits are set.
func ExampleReadiness() {
	show := func(r loop.Readiness) { fmt.Println(r&loop.Readable != 0, r&loop.Writable != 0) }
	show(loop.Readable)
	show(loop.Readable | loop.Writable)
	// Output:
	// true false
	// true true
}
