//go:build unix

// Package nonblock makes single system calls on descriptors that don't block.
package nonblock

import (
	"os"
	"syscall"
)

// Supported reports whether Read and Write can do anything here. Elsewhere they always would block.
const Supported = true

// Read reads what is there. blocks reports that there is nothing at present. At the end n is 0, without an error.
func Read(fd uintptr, buf []byte) (n int, blocks bool, err error) {
	return once("read", syscall.Read, fd, buf)
}

// Write writes as much as there is room for. blocks reports that there is none at present.
func Write(fd uintptr, buf []byte) (n int, blocks bool, err error) {
	return once("write", syscall.Write, fd, buf)
}

func once(name string, call func(fd int, buf []byte) (int, error), fd uintptr, buf []byte) (int, bool, error) {
	for {
		n, err := call(int(fd), buf)
		switch err {
		case nil:
			return n, false, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true, nil
		default:
			return 0, false, os.NewSyscallError(name, err)
		}
	}
}
