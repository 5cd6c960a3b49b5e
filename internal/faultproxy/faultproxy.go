// Package faultproxy puts a bad network between a client and a server of a test. It is a TCP proxy
// that delays, stalls, swallows, cuts and refuses on request.
//
//	proxy := faultproxy.New(t, db.Addr())
//	db.Host, db.Port = proxy.Host(), proxy.Port()
//	proxy.Delay(time.Millisecond, time.Millisecond)
//
// Every method may be called at any time from any goroutine, and also affects connections that are
// already open. The proxy and its connections end with the test.
//
// The proxy models latency, not a link: the machine sets the bandwidth, and no data are lost or
// reordered.
package faultproxy

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/internal/testserver/freeport"
)

// A Direction is the direction of bytes through the proxy.
type Direction int

const (
	ToServer Direction = iota
	ToClient
	directions
)

func (d Direction) String() string {
	return [...]string{"to server", "to client"}[d]
}

// A Proxy forwards connections to a target.
type Proxy struct {
	t    testing.TB
	addr *net.TCPAddr
	wg   sync.WaitGroup // every goroutine of the proxy

	mu       sync.Mutex
	waiting  int           // WaitFor calls
	changed  chan struct{} // closed and replaced at every change while a WaitFor waits
	target   string
	listener net.Listener // nil: refusing
	closed   bool
	conns    map[*conn]struct{}
	accepted int
	bytes    [directions]int64
	delay    [directions]time.Duration
	stalled  [directions]chan struct{} // nil: forwarding; closed by Resume
	budget   [directions]int64         // bytes until a connection is cut; negative: no limit

	frames   Frames // how connections are split into messages; nil if they aren't. Set before there are any
	messages int64  // the number that have passed
	silentAt int64  // how many messages pass before open connections are swallowed; negative: no limit
}

// New starts a proxy in front of a target: "host:port", or the path of a Unix socket.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := freeport.Listen()
	if err != nil {
		t.Fatalf("faultproxy: starting a proxy in front of %s: %v", target, err)
	}
	p := &Proxy{
		t:       t,
		addr:    listener.Addr().(*net.TCPAddr),
		changed: make(chan struct{}),
		target:  target,
		conns:   map[*conn]struct{}{},
		budget:  [directions]int64{-1, -1},

		silentAt: -1,
	}
	p.listen(listener)
	t.Cleanup(p.Close)
	return p
}

// Addr returns the address at which clients connect. Host and Port return its parts.
func (p *Proxy) Addr() string { return p.addr.String() }
func (p *Proxy) Host() string { return p.addr.IP.String() }
func (p *Proxy) Port() int    { return p.addr.Port }

// Delay makes bytes arrive that much later than they were sent, in each direction. Bytes keep
// flowing meanwhile, so a pipelined exchange pays the latency once. Bytes that are under way keep
// the delay that they started with.
func (p *Proxy) Delay(toServer, toClient time.Duration) {
	p.set(func() { p.delay = [directions]time.Duration{toServer, toClient} })
}

// Stall stops forwarding without closing anything, like a network that drops every packet. It
// affects the given directions, or both if none is given. It doesn't forward the ends of
// connections either. New connections are accepted, and stall too.
func (p *Proxy) Stall(dirs ...Direction) {
	p.set(func() {
		for _, d := range bothIfNone(dirs) {
			if p.stalled[d] == nil {
				p.stalled[d] = make(chan struct{})
			}
		}
	})
}

// Resume ends a Stall, and forwards what came in meanwhile.
func (p *Proxy) Resume(dirs ...Direction) {
	p.set(func() {
		for _, d := range bothIfNone(dirs) {
			if p.stalled[d] != nil {
				close(p.stalled[d])
				p.stalled[d] = nil
			}
		}
	})
}

func bothIfNone(dirs []Direction) []Direction {
	if len(dirs) == 0 {
		return []Direction{ToServer, ToClient}
	}
	return dirs
}

// Swallow silences the connections that are open now for good, like a firewall that has forgotten
// them. In the given directions, or in both if none is given, nothing arrives any more, not even
// the end of a connection. Connections that are opened later are forwarded.
func (p *Proxy) Swallow(dirs ...Direction) {
	p.set(func() { p.swallowAll(bothIfNone(dirs)) })
}

// swallowAll needs the mutex.
func (p *Proxy) swallowAll(dirs []Direction) {
	for c := range p.conns {
		for _, d := range dirs {
			c.swallowed[d] = true
		}
	}
	// Links that wait for the end of a Stall look again.
	for _, d := range dirs {
		if p.stalled[d] != nil {
			close(p.stalled[d])
			p.stalled[d] = make(chan struct{})
		}
	}
}

// SwallowAfter lets n more messages through, counted in both directions over all connections from
// now on. It swallows the next message, and everything else on the connections that are open then;
// see Swallow. It happens once, so later connections live. It needs Split.
func (p *Proxy) SwallowAfter(n int64) {
	p.set(func() {
		if p.frames == nil {
			panic("faultproxy: SwallowAfter without Split")
		}
		p.silentAt = max(n, 0)
	})
}

// Split splits connections into messages, which SwallowAfter counts. It must be called before the
// first connection.
func (p *Proxy) Split(f Frames) {
	p.set(func() { p.frames = f })
}

// Cut resets all open connections now, in both directions. Bytes that were under way are lost.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutAll()
}

// CutAfter lets n more bytes through in a direction, counted over all connections from now on. It
// then closes the connection that carried the last of them, in both directions. It happens once, so
// later connections live. With n = 0 it closes the next connection that wants to send in this
// direction.
func (p *Proxy) CutAfter(d Direction, n int64) {
	p.set(func() { p.budget[d] = max(n, 0) })
}

// Refuse closes the listener, so that the operating system refuses new connections. Open
// connections stay.
func (p *Proxy) Refuse() {
	p.set(func() {
		if p.listener != nil {
			p.closeListener()
		}
	})
}

// Admit ends Refuse, at the same address.
func (p *Proxy) Admit() {
	p.mu.Lock()
	refusing := p.listener == nil && !p.closed
	p.mu.Unlock()
	if !refusing {
		return
	}
	listener, err := net.ListenTCP("tcp4", p.addr)
	if err != nil {
		p.t.Errorf("faultproxy: listening on %s again: %v", p.addr, err)
		return
	}
	p.listen(listener)
}

// SetTarget sends new connections elsewhere.
func (p *Proxy) SetTarget(target string) {
	p.set(func() { p.target = target })
}

// Stats has the counters of a proxy.
type Stats struct {
	Accepted int   // connections, ever
	Open     int   // connections, now
	ToServer int64 // bytes delivered
	ToClient int64
	Messages int64 // delivered in both directions; 0 without Split
}

func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats()
}

func (p *Proxy) stats() Stats {
	return Stats{p.accepted, len(p.conns), p.bytes[ToServer], p.bytes[ToClient], p.messages}
}

// waitTimeout is how long WaitFor waits.
const waitTimeout = 30 * time.Second

// WaitFor blocks until the condition holds, and fails the test if it doesn't within half a minute.
// It must run in the test's goroutine.
func (p *Proxy) WaitFor(what string, condition func(Stats) bool) {
	p.t.Helper()
	timeout := time.NewTimer(waitTimeout)
	defer timeout.Stop()
	p.set(func() { p.waiting++ })
	defer p.set(func() { p.waiting-- })
	for {
		p.mu.Lock()
		now, changed := p.stats(), p.changed
		p.mu.Unlock()
		if condition(now) {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			p.t.Fatalf("faultproxy: waited %v for %s, but the counters are %+v", waitTimeout, what, now)
		}
	}
}

// Close ends the proxy and all its connections. The end of the test does so too.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	if p.listener != nil {
		p.closeListener()
	}
	p.cutAll()
	p.mu.Unlock()
	p.wg.Wait()
}

// set changes the proxy's state.
func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.notify()
}

// notify needs the mutex.
func (p *Proxy) notify() {
	if p.waiting > 0 {
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

// grant returns how many of n bytes may pass in a direction, and reports whether they exhaust
// CutAfter's budget.
func (p *Proxy) grant(d Direction, n int) (granted int, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := p.budget[d]
	switch {
	case left < 0:
		return n, false
	case int64(n) < left:
		p.budget[d] -= int64(n)
		return n, false
	default:
		p.budget[d] = -1
		return int(left), true
	}
}

// due returns when bytes that were read now are due.
func (p *Proxy) due(d Direction) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Add(p.delay[d])
}

// gate returns the channel that a connection waits for in a direction, or nil if it may send.
func (p *Proxy) gate(c *conn, d Direction) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.swallowed[d] {
		return never
	}
	return p.stalled[d]
}

var never = make(<-chan struct{})

// count notes that a message of a connection is about to pass. It returns false if the message is
// swallowed instead.
func (p *Proxy) count(c *conn, d Direction) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silentAt == 0 {
		p.silentAt = -1
		p.swallowAll(bothIfNone(nil))
	}
	if c.swallowed[d] {
		return false
	}
	if p.silentAt > 0 {
		p.silentAt--
	}
	p.messages++
	p.notify()
	return true
}

// cutAll needs the mutex.
func (p *Proxy) cutAll() {
	for c := range p.conns {
		c.end(reset)
	}
}

// closeListener needs the mutex.
func (p *Proxy) closeListener() {
	_ = p.listener.Close()
	p.listener = nil
}

func (p *Proxy) listen(listener net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.listener != nil {
		_ = listener.Close() // another caller was faster
		return
	}
	p.listener = listener
	p.wg.Go(func() { p.serve(listener) })
	p.notify()
}

func (p *Proxy) serve(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return // closed
		}
		c := &conn{proxy: p, done: make(chan struct{})}
		c.ends[ToClient] = client
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			_ = client.Close()
			return
		}
		p.accepted++
		p.conns[c] = struct{}{}
		p.wg.Go(c.run)
		p.notify()
		p.mu.Unlock()
	}
}

// dial connects to the target. A client whose target isn't there sees its connection reset.
func (p *Proxy) dial() (net.Conn, error) {
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	network := "tcp"
	if strings.HasPrefix(target, "/") {
		network = "unix"
	}
	server, err := net.DialTimeout(network, target, 10*time.Second)
	if err != nil {
		return nil, fmt.Errorf("faultproxy: connecting to the target %s: %w", target, err)
	}
	return server, nil
}
