// Package freeport finds TCP ports on 127.0.0.1 that a test server can close and open again.
//
// Asking the kernel for port 0 gives a port of its ephemeral range, where any outgoing connection
// of the machine may take it while the server is down between Stop and Start. Ports from here lie
// below that range on every common system.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Linux hands out 32768 and up, macOS, Windows and the BSDs 49152 and up.
const (
	lowest  = 20000
	highest = 32000
)

// Listen opens a listener on a free port of 127.0.0.1.
func Listen() (net.Listener, error) {
	var last error
	for range 100 {
		l, err := net.Listen("tcp4", Addr(lowest+rand.IntN(highest-lowest)))
		if err == nil {
			return l, nil
		}
		last = err
	}
	return nil, fmt.Errorf("freeport: none of 100 random ports from %d to %d on 127.0.0.1 could be opened: %w",
		lowest, highest, last)
}

// Pick returns a port that was free a moment ago. Another process may still be faster: a server
// that finds it taken should be given another one.
func Pick() (int, error) {
	l, err := Listen()
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// Refusing returns an address that refuses connections, and that no other socket gets until release
// is called. It is that of the client's end of a connection, at which nothing can listen.
func Refusing() (addr string, release func(), err error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return "", nil, errors.Join(err, l.Close())
	}
	return client.LocalAddr().String(), func() { _, _ = client.Close(), l.Close() }, nil
}

// Addr is the address of a port on 127.0.0.1.
func Addr(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
