//go:build !unix

// Package nonblock makes single system calls on descriptors that don't block.
package nonblock

// Supported reports whether Read and Write can do anything here. Elsewhere they always would block.
const Supported = false

// Read reports that it would block.
func Read(uintptr, []byte) (n int, blocks bool, err error) { return 0, true, nil }

// Write reports that it would block.
func Write(uintptr, []byte) (n int, blocks bool, err error) { return 0, true, nil }
