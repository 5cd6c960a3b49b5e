package pg

import (
	"syscall"

	"github.com/seed1239206e/repaint/internal/nonblock"
	"github.com/seed1239206e/repaint/loop"
)

// spareMost is the largest buffer that is kept for the next write.
const spareMost = 64 << 10

// startWrite takes the buffer, which the caller must pass to write. It returns nil if there is
// nothing to write, or if another goroutine will write it: the present writer, or a reader that is
// about to. It needs the mutex.
func (c *conn) startWrite() []byte {
	if c.role != nobody && !c.waits.Load() {
		return nil
	}
	return c.takeOut()
}

// takeOut is startWrite for the reader. It needs the mutex.
func (c *conn) takeOut() []byte {
	if c.writing || len(c.out) == 0 || c.dead != nil || c.failed != nil {
		return nil
	}
	c.writing = true
	buf := c.out
	c.out, c.spare = c.spare[:0], nil
	return buf
}

// write writes a buffer, and everything that is put meanwhile. It doesn't block: when the operating
// system takes no more, or write can't know whether it does, a goroutine goes on. So a slow network
// holds up neither a caller with a deadline, nor a loop, nor the reader, without which the server
// might never read on.
func (c *conn) write(buf []byte) {
	for buf != nil {
		n, err := c.attempt.write(buf)
		if n < len(buf) && err == nil {
			c.spawnRest(buf, n)
			return
		}
		buf = c.wrote(buf, n, err)
	}
}

// spawnRest is apart from write so that only a write that isn't done at once allocates a closure.
func (c *conn) spawnRest(buf []byte, n int) {
	if !c.line.db.spawn(func() { c.writeRest(buf, n) }) {
		c.wrote(buf, n, ErrClosed)
	}
}

// writeRest is write for a goroutine that may block.
func (c *conn) writeRest(buf []byte, n int) {
	for buf != nil {
		more, err := c.w.net.Write(buf[n:])
		buf, n = c.wrote(buf, n+more, err), 0
	}
}

// wrote notes that n bytes of a buffer have been written, and returns the next buffer if there is
// one.
func (c *conn) wrote(buf []byte, n int, err error) []byte {
	next := c.noteWritten(buf, n, err)
	if t := c.tunnel.Load(); t != nil {
		t.wrote()
	}
	return next
}

func (c *conn) noteWritten(buf []byte, n int, err error) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line.stats.Writes++
	if loop.Tracing() {
		c.traceFlush(n)
	}
	c.written += uint64(n)
	c.writing = false
	if k := c.copying; k != nil && c.queued-c.written < copyWindow {
		k.poke()
	}
	if c.spare == nil && cap(buf) <= spareMost {
		c.spare = buf[:0]
	}
	if err != nil {
		c.writeFailed(err)
		return nil
	}
	return c.takeOut()
}

// writeFailed leaves the rest to the reader, which still has to read what the server said before it
// closed the connection. It needs the mutex.
func (c *conn) writeFailed(err error) {
	if c.failed != nil || c.dead != nil {
		return
	}
	c.failed = err
	_ = c.w.net.SetReadDeadline(afterWriteFailed())
	c.unpark()
	if c.role == nobody {
		c.giveToResident()
	}
}

// An attempt writes to a socket as much as the socket takes without waiting.
type attempt struct {
	raw syscall.RawConn // nil: it doesn't even try
	fn  func(fd uintptr) bool
	buf []byte
	n   int
	err error
}

func (a *attempt) init(raw syscall.RawConn) {
	a.raw = raw
	a.fn = func(fd uintptr) bool {
		a.n, _, a.err = nonblock.Write(fd, a.buf)
		return true
	}
}

// write returns fewer bytes than there are, and no error, if the socket takes no more at present.
func (a *attempt) write(buf []byte) (int, error) {
	if a.raw == nil {
		return 0, nil
	}
	a.buf = buf
	err := a.raw.Write(a.fn)
	a.buf = nil
	if err == nil {
		err = a.err
	}
	n := a.n
	a.n, a.err = 0, nil
	return n, err
}
