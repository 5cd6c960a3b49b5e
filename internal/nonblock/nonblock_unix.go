//go:build unix

// Package nonblock makes single system calls on descriptors that don't block.
package nonblock

import (
	"os"
	"syscall"
)

// Supported says whether Read and Write do anything on this system. If it is false, they always
// report that they would block.
const Supported = true

// Read reads the bytes that are there. blocks is true if there are none at present. At the end of
// the stream n is 0 and err is nil.
func Read(fd uintptr, buf []byte) (n int, blocks bool, err error) {
	return once("read", syscall.Read, fd, buf)
}

// Write writes as many bytes as there is room for. blocks is true if there is no room at present.
func Write(fd uintptr, buf []byte) (n int, blocks bool, err error) {
	return once("write", syscall.Write, fd, buf)
}

// Peek is Read of a socket, which leaves the bytes where they are.
func Peek(fd uintptr, buf []byte) (n int, blocks bool, err error) {
	return once("recvfrom", func(fd int, buf []byte) (int, error) {
		n, _, err := syscall.Recvfrom(fd, buf, syscall.MSG_PEEK)
		return n, err
	}, fd, buf)
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
