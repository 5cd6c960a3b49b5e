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

// A glance reads what a socket has, without waiting. Only the holder of the reading role may use
// it, except for isOver.
type glance struct {
	raw    syscall.RawConn
	fn     func(fd uintptr)
	buf    []byte
	n      int
	blocks bool
	err    error
	left   int // how many more reads are allowed now; below 0 reads may wait
	// brief says that a read that doesn't fill its buffer is the last of these: it has taken all
	// that there was, and more will wake the loop. Once the server has said that it sends no more,
	// only the end is left, which wakes nothing. So the reads go on then.
	brief, short bool
}

func newGlance(raw syscall.RawConn) *glance {
	g := &glance{raw: raw, left: -1}
	g.fn = func(fd uintptr) { g.n, g.blocks, g.err = nonblock.Read(fd, g.buf) }
	return g
}

// looks reports whether reads return at once instead of waiting.
func (g *glance) looks() bool { return g != nil && g.left >= 0 }

// begin allows so many reads.
func (g *glance) begin(reads int, brief bool) { g.left, g.brief, g.short = reads, brief, false }

// read reads what has come. It returns errNothing if there is nothing, or left is used up.
func (g *glance) read(p []byte) (int, error) {
	if g.left == 0 || g.short {
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
	g.short = g.brief && g.n < len(p)
	return g.n, nil
}

// isOver reports whether the peer has closed the connection, or has begun an error message. The
// caller must know that nothing else can come now, so the message is the server's last. isOver
// takes nothing from the socket, and any goroutine may call it. With TLS it can't see the message.
func (g *glance) isOver() bool {
	var first [1]byte
	n, blocks, failed := 0, true, error(nil)
	if err := g.raw.Control(func(fd uintptr) { n, blocks, failed = nonblock.Peek(fd, first[:]) }); err != nil {
		return false // this side has closed it, and knows why
	}
	return failed != nil || !blocks && (n == 0 || first[0] == messageOfError)
}

// errNothing says that nothing more has come yet. It is a temporary error, so crypto/tls keeps the
// part of a record that has come, and returns the error unchanged.
var errNothing net.Error = nothingYet{}

type nothingYet struct{}

func (nothingYet) Error() string   { return "pg: nothing more has come yet" }
func (nothingYet) Timeout() bool   { return true }
func (nothingYet) Temporary() bool { return true }

// A socket is the connection under TLS. It reads by a glance, or waits.
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

// withSockets makes TLS read through sockets.
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

// throughSockets makes dial return sockets where it can.
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

// rawOf returns the access to the descriptor of a connection. It is nil if the connection can't be
// read without waiting.
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

// glanceAt returns a glance for a connection, or nil if every read of it may wait. With TLS the
// glance is the one of the socket underneath, through which reads of c go.
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
