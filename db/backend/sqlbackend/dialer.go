package sqlbackend

import (
	"context"
	"net"
	"syscall"

	"github.com/seed1239206e/repaint"
)

// A Dialer makes the connections of a driver whose [Facts] say Suspends. In a loop they suspend the
// calling task, like the connections of [repaint.Dialer]. In a loop that explores schedules they
// block, because no other task runs there during a statement. Any goroutine and any loop may use
// the connections. DialContext itself blocks.
type Dialer struct{ repaint.Dialer }

// DialContext connects, see [net.Dialer.DialContext].
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var under net.Conn
	err := block(ctx, func(ctx context.Context) (err error) {
		under, err = d.Dialer.Dialer.DialContext(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &wire{Conn: repaint.AdoptConn(under), under: under}, nil
}

// wire is a cooperative connection that blocks where schedules are explored.
type wire struct {
	net.Conn
	under net.Conn // the underlying connection
}

func (w *wire) Read(p []byte) (int, error) {
	if explorer() != nil {
		return w.under.Read(p)
	}
	returned := false
	defer w.unlessReturned(&returned)
	n, err := w.Conn.Read(p)
	returned = true
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	if explorer() != nil {
		return w.under.Write(p)
	}
	returned := false
	defer w.unlessReturned(&returned)
	n, err := w.Conn.Write(p)
	returned = true
	return n, err
}

// unlessReturned closes the connection if its user's greenlet is being unwound. The user is in the
// middle of a message. So its deferred functions would misread the next bytes, which may never
// come.
func (w *wire) unlessReturned(returned *bool) {
	if !*returned {
		_ = w.Close() // the connection is useless now
	}
}

// SyscallConn implements syscall.Conn, by which a driver asks whether an idle connection is alive.
func (w *wire) SyscallConn() (syscall.RawConn, error) {
	return w.Conn.(syscall.Conn).SyscallConn()
}
