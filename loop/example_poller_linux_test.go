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
