package pg

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/internal/nonblock"
)

// A glance reads from a socket what is there, without waiting. It belongs to the holder of the
// reading role.
type glance struct {
	raw    syscall.RawConn
	fn     func(fd uintptr)
	buf    []byte
	n      int
	blocks bool
	err    error
	left   int // how many more reads there may be at once; below 0 reads may wait
}

func newGlance(raw syscall.RawConn) *glance {
	g := &glance{raw: raw, left: -1}
	g.fn = func(fd uintptr) { g.n, g.blocks, g.err = nonblock.Read(fd, g.buf) }
	return g
}

// looks reports whether reads don't wait.
func (g *glance) looks() bool { return g != nil && g.left >= 0 }

// read returns errNothing if there is nothing.
func (g *glance) read(p []byte) (int, error) {
	if g.left == 0 {
		return 0, errNothing
	}
	g.left--
	g.buf = p
	err := g.raw.Control(g.fn)
	g.buf = nil
	switch {
	case err != nil:
		return 0, err
	case g.err != nil:
		return 0, g.err
	case g.blocks:
		return 0, errNothing
	case g.n == 0:
		return 0, io.EOF
	}
	return g.n, nil
}

// isOver reports whether the peer has closed the connection, or has begun to say a server's last
// words, for which it needs to know that what comes now can't be anything else. It reads nothing,
// and anyone may call it. TLS hides the words.
func (g *glance) isOver() bool {
	var first [1]byte
	n, blocks, failed := 0, true, error(nil)
	if err := g.raw.Control(func(fd uintptr) { n, blocks, failed = nonblock.Peek(fd, first[:]) }); err != nil {
		return false // it was closed on this side, which knows why
	}
	return failed != nil || !blocks && (n == 0 || first[0] == messageOfError)
}

// errNothing says that nothing more has come yet. crypto/tls keeps what has come of a record if the
// error is temporary, and returns it as it is.
var errNothing net.Error = nothingYet{}

type nothingYet struct{}

func (nothingYet) Error() string   { return "pg: nothing more has come yet" }
func (nothingYet) Timeout() bool   { return true }
func (nothingYet) Temporary() bool { return true }

// A socket is what TLS reads from: by a glance, or waiting.
type socket struct {
	net.Conn
	glance *glance
}

// Read implements net.Conn.
func (s *socket) Read(p []byte) (int, error) {
	if s.glance.looks() {
		return s.glance.read(p)
	}
	return s.Conn.Read(p)
}

// SyscallConn implements syscall.Conn, for a connection that turns out not to have TLS.
func (s *socket) SyscallConn() (syscall.RawConn, error) { return s.glance.raw, nil }

// withSockets has TLS read through sockets.
func withSockets(config *pgconn.Config) *pgconn.Config {
	secure := config.TLSConfig != nil
	for _, f := range config.Fallbacks {
		secure = secure || f.TLSConfig != nil
	}
	if secure {
		config = config.Copy()
		config.DialFunc = throughSockets(config.DialFunc)
	}
	return config
}

// throughSockets has dial make sockets, where it can.
func throughSockets(dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if raw := rawOf(c); raw != nil {
			c = &socket{c, newGlance(raw)}
		}
		return c, nil
	}
}

// rawOf returns what gives access to the descriptor of a connection, nil if there is none that can
// be read without waiting.
func rawOf(c net.Conn) syscall.RawConn {
	s, ok := c.(syscall.Conn)
	if !ok || !nonblock.Supported {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// glanceAt returns a glance for a connection, nil if it can only be read by waiting. With TLS it is
// that of the socket underneath, through which reads of c go.
func glanceAt(c net.Conn) (g *glance, direct bool) {
	switch c := c.(type) {
	case *socket:
		return c.glance, true
	case *tls.Conn:
		if s, ok := c.NetConn().(*socket); ok {
			return s.glance, false
		}
		return nil, false
	}
	if raw := rawOf(c); raw != nil {
		return newGlance(raw), true
	}
	return nil, false
}
