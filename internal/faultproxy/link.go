package faultproxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// A link is one direction of a connection: a reader, a queue, and a writer that is late on purpose.
type link struct {
	conn     *conn
	dir      Direction
	from, to net.Conn
	alarm    alarm

	mu      sync.Mutex
	queue   []chunk
	size    int           // bytes in the queue
	filled  chan struct{} // hint for the writer, capacity 1
	drained chan struct{} // hint for the reader, capacity 1
}

type chunk struct {
	data    []byte // nil: the end
	err     error  // with the end: io.EOF, or the error that ended the stream
	due     time.Time
	message bool // one of the messages that Split finds
}

const (
	readSize = 64 << 10
	// The most bytes under way: the bandwidth of a fast loopback times a long delay. Beyond that
	// the sender must slow down.
	queueSize = 32 << 20
)

func newLink(c *conn, d Direction) *link {
	return &link{
		conn:    c,
		dir:     d,
		from:    c.ends[1-d],
		to:      c.ends[d],
		filled:  make(chan struct{}, 1),
		drained: make(chan struct{}, 1),
	}
}

func (l *link) read() {
	buf := make([]byte, readSize)
	split := l.conn.proxy.splitter(l.dir)
	for {
		n, err := l.from.Read(buf)
		due := l.conn.proxy.due(l.dir)
		if n > 0 {
			data := append([]byte(nil), buf[:n]...)
			if split == nil && !l.push(chunk{data: data, due: due}) {
				return
			}
			for split != nil {
				message, ok := split.next(data)
				if !ok {
					break
				}
				data = nil
				if !l.push(chunk{data: message, due: due, message: true}) {
					return
				}
			}
		}
		if err != nil {
			if split == nil || len(split.data) == 0 || l.push(chunk{data: split.data, due: due}) {
				l.push(chunk{err: err, due: due})
			}
			return
		}
	}
}

func (l *link) write() {
	defer l.alarm.close()
	for {
		c, ok := l.pop()
		if !ok || !l.wait(c.due) || !l.pass() {
			return
		}
		if c.data == nil {
			l.finish(c.err)
			return
		}
		if c.message && !l.conn.proxy.count(l.conn, l.dir) {
			l.pass() // nothing stops it any more
			return
		}
		granted, cut := l.conn.proxy.grant(l.dir, len(c.data))
		n, err := l.to.Write(c.data[:granted])
		l.conn.proxy.set(func() { l.conn.proxy.bytes[l.dir] += int64(n) })
		if cut {
			l.conn.endLocked(orderly)
			return
		}
		if err != nil {
			// The receiver is gone. The bytes that it sent before are still on their way, and its
			// end follows them.
			return
		}
	}
}

// finish forwards the end of a stream as it came.
func (l *link) finish(err error) {
	half, ok := l.to.(interface{ CloseWrite() error })
	if errors.Is(err, io.EOF) && ok {
		_ = half.CloseWrite()
		return
	}
	l.conn.endLocked(reset)
}

// push adds a chunk to the queue, and waits while the queue is full.
func (l *link) push(c chunk) bool {
	l.mu.Lock()
	l.queue = append(l.queue, c)
	l.size += len(c.data)
	full := l.size > queueSize
	l.mu.Unlock()
	hint(l.filled)
	for full {
		select {
		case <-l.drained:
		case <-l.conn.done:
			return false
		}
		l.mu.Lock()
		full = l.size > queueSize
		l.mu.Unlock()
	}
	return true
}

// pop takes the oldest chunk, and waits until there is one.
func (l *link) pop() (chunk, bool) {
	for {
		l.mu.Lock()
		if len(l.queue) > 0 {
			c := l.queue[0]
			l.queue[0] = chunk{}
			l.queue = l.queue[1:]
			l.size -= len(c.data)
			l.mu.Unlock()
			hint(l.drained)
			return c, true
		}
		l.mu.Unlock()
		select {
		case <-l.filled:
		case <-l.conn.done:
			return chunk{}, false
		}
	}
}

func hint(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pass waits until the direction isn't stalled. If the connection is swallowed, that is forever.
func (l *link) pass() bool {
	for {
		gate := l.conn.proxy.gate(l.conn, l.dir)
		if gate == nil {
			return true
		}
		select {
		case <-gate:
		case <-l.conn.done:
			return false
		}
	}
}

// slack is how long before the due time the precise alarm takes over from the runtime's timer.
const slack = 2 * time.Millisecond

// wait waits until the due time. The end of the connection interrupts all but the last two
// milliseconds.
func (l *link) wait(due time.Time) bool {
	if early := time.Until(due) - slack; early > 0 {
		timer := time.NewTimer(early)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.conn.done:
			return false
		}
	}
	if left := time.Until(due); left > 0 {
		l.alarm.sleep(left)
	}
	select {
	case <-l.conn.done:
		return false
	default:
		return true
	}
}
