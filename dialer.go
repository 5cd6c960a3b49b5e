package repaint

import (
	"context"
	"net"
)

// A Dialer connects like the net.Dialer that it embeds. Its connections are cooperative: in a loop,
// Read and Write suspend only the calling task, or the main function, while the others go on. In a
// plain goroutine they are ordinary connections.
//
// So a client that knows nothing about repaint, and does its I/O in its caller's goroutine, runs
// unchanged in tasks, without a goroutine for each connection:
//
//	config.DialFunc = new(repaint.Dialer).DialContext                        // pgx's pgconn.Config
//	mysql.RegisterDialContext("tcp", func(ctx context.Context, addr string) (net.Conn, error) {
//		return new(repaint.Dialer).DialContext(ctx, "tcp", addr)
//	})
//
// See [AdoptConn] for the rules of such connections. A Dialer may be used from any goroutine.
type Dialer struct{ net.Dialer }

// Dial is [Dialer.DialContext] without a context. In a loop it suspends only the caller.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects, as net.Dialer's method does, with its errors, and returns a cooperative
// connection. In a loop it suspends only the caller, as [Block] does.
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
