package repaint

import (
	"context"
	"net"
)

// A Dialer connects as a net.Dialer does, whose fields it has. What it returns is cooperative: in a loop, Read and Write suspend
// only the task that calls them, or the main function, while the others go on. In a plain goroutine it is an ordinary connection.
//
// So a client that knows nothing of repaint, and does its I/O in the goroutine of its caller, runs unchanged in tasks, without a
// goroutine of its own for each connection:
//
//	config.DialFunc = new(repaint.Dialer).DialContext                        // pgx's pgconn.Config
//	mysql.RegisterDialContext("tcp", func(ctx context.Context, addr string) (net.Conn, error) {
//		return new(repaint.Dialer).DialContext(ctx, "tcp", addr)
//	})
//
// See [AdoptConn] for what holds for such connections. A Dialer may be used from any goroutine.
type Dialer struct{ net.Dialer }

// Dial is [Dialer.DialContext] without a context. In a loop it suspends only the caller.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects, as net.Dialer's method does, with its errors, and returns a cooperative connection.
// In a loop it suspends only the caller, as [Block] does.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := Block(ctx, func(ctx context.Context) (net.Conn, error) {
		return d.Dialer.DialContext(ctx, network, address)
	})
	if err != nil {
		return nil, err
	}
	adopted := AdoptConn(c)
	if n, ok := adopted.(*netConn); ok {
		n.talk.said() // to dial is to ask, and some servers speak first
	}
	return adopted, nil
}
