// Package link makes the way to a database server longer, for demonstrations and measurements. It
// is a proxy in this process that delays what passes through it.
package link

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/seed1239206e/repaint/db"
)

// ErrUsage is wrapped by errors that say that a URL can't lead through a Link.
var ErrUsage = errors.New("--delay can't be used")

// ErrNoServer says that a URL has no server, so there is no network to make slower.
var ErrNoServer = usage("--delay needs a server: say which by --url postgres://… or mysql://…")

type usage string

func (u usage) Error() string        { return string(u) }
func (u usage) Is(target error) bool { return target == ErrUsage }

// A Link is a proxy that makes the way to a server longer. Bytes keep flowing, so what is sent at
// once arrives at once. Any goroutine may use it.
type Link struct {
	listener net.Listener
	target   string
	delay    time.Duration // of each direction
	wg       sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  []net.Conn
}

// New puts a Link in front of the URL's server, and changes the URL so that it leads there. Each
// round trip takes roundTrip longer. An error that wraps ErrUsage is about the URL.
func New(u *db.URL, roundTrip time.Duration) (*Link, error) {
	port, known := map[string]string{"postgres": "5432", "postgresql": "5432", "mysql": "3306", "mariadb": "3306"}[u.Dialect]
	switch {
	case !known:
		return nil, ErrNoServer
	case len(u.Hosts) > 1:
		return nil, usage("--delay needs a URL with one host")
	}
	host := db.Host{Name: "localhost"}
	if len(u.Hosts) == 1 {
		host = u.Hosts[0]
	}
	if host.Port != "" {
		port = host.Port
	}
	if strings.HasPrefix(host.Name, "/") || u.Option("host") != "" || u.Option("socket") != "" {
		return nil, usage("--delay needs a server on the network, but the URL leads to a socket")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the proxy for --delay: %w", err)
	}
	at := listener.Addr().(*net.TCPAddr)
	l := &Link{listener: listener, target: net.JoinHostPort(host.Name, port), delay: roundTrip / 2}
	u.Hosts = []db.Host{{Name: at.IP.String(), Port: fmt.Sprint(at.Port)}}
	l.wg.Go(l.serve)
	return l, nil
}

func (l *Link) serve() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		l.wg.Go(func() {
			server, err := net.DialTimeout("tcp", l.target, 5*time.Second)
			if err != nil {
				_ = client.Close()
				return
			}
			if !l.keep(client, server) {
				return
			}
			l.wg.Go(func() { l.forward(server, client) })
			l.forward(client, server)
		})
	}
}

// keep registers connections that Close closes. If Close came first, keep closes them itself and
// returns false.
func (l *Link) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		for _, c := range conns {
			_ = c.Close()
		}
		return false
	}
	l.conns = append(l.conns, conns...)
	return true
}

// A chunk is the bytes of one read.
type chunk struct {
	bytes []byte
	due   time.Time
}

// forward copies from one connection to the other, and closes both at the end.
func (l *Link) forward(from, to net.Conn) {
	late := make(chan chunk, 1024)
	l.wg.Go(func() {
		defer to.Close()
		for c := range late {
			time.Sleep(time.Until(c.due))
			if _, err := to.Write(c.bytes); err != nil {
				_ = from.Close()
			}
		}
	})
	defer close(late)
	for {
		buf := make([]byte, 32<<10)
		n, err := from.Read(buf)
		if n > 0 {
			late <- chunk{buf[:n], time.Now().Add(l.delay)}
		}
		if err != nil {
			return
		}
	}
}

// Close ends the link and its connections, and waits for its goroutines.
func (l *Link) Close() {
	_ = l.listener.Close()
	l.mu.Lock()
	l.closed = true
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.mu.Unlock()
	l.wg.Wait()
}
