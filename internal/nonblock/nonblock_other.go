//go:build !unix

// Package nonblock makes single system calls on descriptors that don't block.
package nonblock

// Supported says whether Read and Write do anything on this system. If it is false, they always
// report that they would block.
const Supported = false

// Read reports that it would block.
func Read(uintptr, []byte) (n int, blocks bool, err error) { return 0, true, nil }

// Write reports that it would block.
func Write(uintptr, []byte) (n int, blocks bool, err error) { return 0, true, nil }

// Peek reports that it would block.
func Peek(uintptr, []byte) (n int, blocks bool, err error) { return 0, true, nil }
