package repaint

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// With a virtual clock, time stands still while a peer owes an answer, as it does while a statement
// is under way. Whether a peer owes one must be guessed from who speaks, because a connection that
// waits for a request looks the same:
//
//   - An end that dials, or writes before it has read anything, asks, and what it reads are
//     answers. Other ends are servers, and their peers owe them nothing.
//   - What comes after the beginning of an answer may be the rest of it, or something that the peer
//     says unasked later. For that, time stands still only for restPatience.
//   - If the other end is cooperative, too, and in this program, it may be a task that sleeps. So
//     time goes on.

// restPatience is how long, in real time, a virtual clock stands still for the rest of an answer.
const restPatience = time.Second

// talk is what has been said on a connection.
type talk struct{ state atomic.Uint32 }

const (
	silent    uint32 = iota
	serves           // the peer spoke first
	asked            // this end has asked, and has heard nothing since
	answering        // this end has asked, and has heard something since
)

// said notes that something is written, or that the connection was dialed.
func (t *talk) said() {
	if s := t.state.Load(); s != serves && s != asked {
		t.state.CompareAndSwap(s, asked)
	}
}

// heard notes that n bytes were read.
func (t *talk) heard(n int) {
	if n == 0 {
		return
	}
	switch t.state.Load() {
	case silent:
		t.state.CompareAndSwap(silent, serves)
	case asked:
		t.state.CompareAndSwap(asked, answering)
	}
}

// awaitsPeer is called before one direction of the connection waits. It gets the function that
// tells the loop whether the peer must act.
func (c *netConn) awaitsPeer(f *half, underWay func(bool) bool) {
	if !underWay(false) || c.peerIsHere() {
		return // the loop doesn't heed requests, or must not heed this one
	}
	state := c.talk.state.Load()
	if f.op == "write" || state == asked {
		underWay(true)
	} else if state == answering {
		underWay(true)
		time.AfterFunc(restPatience, func() { underWay(false) })
	}
}

// ends are the addresses of the cooperative ends of connections in this program, with their number.
var ends = struct {
	mu  sync.Mutex // held for moments
	all map[string]int
}{all: make(map[string]int)}

// enroll notes that this end of the connection is cooperative, until strike is called.
func (c *netConn) enroll() {
	if a := c.Conn.LocalAddr(); a != nil && a.String() != "" {
		c.end = a.Network() + " " + a.String()
		ends.mu.Lock()
		defer ends.mu.Unlock()
		ends.all[c.end]++
		c.dropped = runtime.AddCleanup(c, strike, c.end) // in case the connection is never closed
	}
}

// strike undoes one enroll.
func strike(end string) {
	ends.mu.Lock()
	defer ends.mu.Unlock()
	if ends.all[end]--; ends.all[end] <= 0 {
		delete(ends.all, end)
	}
}

// peerIsHere reports whether the other end of the connection is cooperative, and in this program.
func (c *netConn) peerIsHere() bool {
	a := c.Conn.RemoteAddr()
	if a == nil {
		return false
	}
	ends.mu.Lock()
	defer ends.mu.Unlock()
	return ends.all[a.Network()+" "+a.String()] > 0
}
