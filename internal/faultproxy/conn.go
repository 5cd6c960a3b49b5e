package faultproxy

import (
	"net"
	"sync"
)

// A conn is a client's connection and the connection to the server that belongs to it.
type conn struct {
	proxy *Proxy
	ends  [directions]net.Conn // ends[d] is where bytes of direction d go to

	swallowed [directions]bool // guarded by the proxy's mutex

	once sync.Once
	done chan struct{} // closed when the connection ends
}

// run returns when the connection has ended.
func (c *conn) run() {
	defer c.forget()
	server, err := c.proxy.dial()
	if err != nil {
		c.proxy.t.Logf("%v", err)
		c.endLocked(reset)
		return
	}
	if !c.join(server) {
		return
	}
	var readers, writers sync.WaitGroup
	for d := range directions {
		l := newLink(c, d)
		readers.Go(l.read)
		writers.Go(l.write)
	}
	writers.Wait()
	c.endLocked(orderly)
	readers.Wait()
}

// join adds the server's end, and reports false if the connection ended while the server was
// dialled.
func (c *conn) join(server net.Conn) bool {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	select {
	case <-c.done:
		_ = server.Close()
		return false
	default:
		c.ends[ToServer] = server
		return true
	}
}

func (c *conn) forget() {
	c.proxy.set(func() { delete(c.proxy.conns, c) })
}

type ending bool

const (
	orderly ending = false
	reset   ending = true // the peers see "connection reset"
)

func (c *conn) endLocked(how ending) {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	c.end(how)
}

// end closes both connections. The caller holds the proxy's mutex.
func (c *conn) end(how ending) {
	c.once.Do(func() {
		close(c.done)
		for _, end := range c.ends {
			if tcp, ok := end.(*net.TCPConn); ok && how == reset {
				_ = tcp.SetLinger(0)
			}
			if end != nil {
				_ = end.Close()
			}
		}
	})
}
