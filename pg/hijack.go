package pg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// Only this file takes a connection away from pgconn, which pgx's promise of compatibility doesn't
// cover. pgconn does hosts, TLS and authentication. The result is a socket on which the server
// waits for statements.

// A wire is a connection to the server that is ready and idle.
type wire struct {
	net    net.Conn
	raw    syscall.RawConn // for writing without ever blocking; nil with TLS, and where it doesn't exist
	glance *glance         // for reading without ever blocking; nil where that doesn't exist
	direct bool            // the glance reads what net does; or else what TLS does
	cancel canceller
	shadow *pgconn.PgConn // what hooks get; it must not be used for anything that reads or writes
	host   string
	pid    uint32

	settings map[string]string // that the server has reported; with the connection's mutex
	shares   bool              // statements of several callers may be one transaction
	node     *node             // the server that it leads to, of a DB that knows roles
}

// A canceller asks the server to cancel what a connection is doing. It returns when the server has
// closed the connection of the request. By then the server has sent the signal to the backend.
//
// It calls still when it has reached the server, just before the request; if that returns false it
// makes none. asked reports whether the server may have got the request. If not, an error means
// that nothing will happen.
type canceller interface {
	cancel(ctx context.Context, still func() bool) (asked bool, err error)
}

// connect opens a connection. Its time is limited, also for the part after pgconn's, in which a
// network can become silent.
func connect(ctx context.Context, at *attempts) (*wire, error) {
	config := at.config
	pc, err := at.open(ctx)
	if err != nil {
		return nil, err
	}
	at.reached(ConnectTakeOver, nil)
	if config.ConnectTimeout > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, config.ConnectTimeout)
		defer end()
	}
	shares, err := at.purpose.check(ctx, pc)
	if err != nil {
		_ = pc.Conn().Close()
		return nil, err
	}
	if err := pc.SyncConn(ctx); err != nil {
		_ = pc.Conn().Close()
		return nil, &LostError{MaybeApplied: false, Err: err}
	}
	if status := pc.TxStatus(); status != 'I' {
		_ = pc.Conn().Close()
		return nil, fmt.Errorf("AfterConnect left a transaction open (status %q)", status)
	}
	hijacked, err := pc.Hijack()
	if err != nil {
		_ = pc.Conn().Close()
		return nil, err
	}
	shadow := *hijacked
	shadow.Config = config.Copy()
	shadow.Config.DialFunc = dialForCancel(config.DialFunc)
	pgConn, err := pgconn.Construct(&shadow)
	if err != nil {
		_ = hijacked.Conn.Close()
		return nil, err
	}
	w := &wire{net: hijacked.Conn, cancel: &pgCanceller{pgConn}, shadow: pgConn, host: hostOf(hijacked), pid: hijacked.PID, settings: hijacked.ParameterStatuses, shares: shares, node: at.node}
	if direct, ok := w.net.(syscall.Conn); ok && hijacked.TLSConfig == nil {
		w.raw, _ = direct.SyscallConn() // without it, writing is left to another goroutine
	}
	w.glance, w.direct = glanceAt(w.net)
	return w, nil
}

// read is a read that waits, or a glance.
func (w *wire) read(p []byte) (int, error) {
	if w.direct && w.glance.looks() {
		return w.glance.read(p)
	}
	return w.net.Read(p)
}

// hostOf names the host that was reached.
func hostOf(h *pgconn.HijackedConn) string {
	if a := h.Conn.RemoteAddr(); a != nil && a.Network() != "unix" {
		return a.String()
	}
	return address(h.Config.Host, h.Config.Port)
}

// A pgCanceller sends cancel requests with a PgConn that does nothing else.
type pgCanceller struct{ shadow *pgconn.PgConn }

// A cancelAttempt travels in the context to dialForCancel.
type cancelAttempt struct {
	still func() bool
	asked bool
}

type cancelKey struct{}

var errNotNeeded = errors.New("pg: the statement has ended")

func (p *pgCanceller) cancel(ctx context.Context, still func() bool) (bool, error) {
	attempt := &cancelAttempt{still: still}
	_, err := aside(func() (struct{}, error) {
		return struct{}{}, p.shadow.CancelRequest(context.WithValue(ctx, cancelKey{}, attempt))
	})
	if errors.Is(err, errNotNeeded) {
		err = nil
	}
	if err == nil {
		err = ctx.Err() // it doesn't report a deadline that passes while it waits for the server to close
	}
	return attempt.asked, err
}

// dialForCancel dials, and then asks whether the request is still wanted: the statement may have
// ended, and the cancel would hit another one.
func dialForCancel(dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if a, ok := ctx.Value(cancelKey{}).(*cancelAttempt); ok {
			if !a.still() {
				return nil, errors.Join(errNotNeeded, conn.Close())
			}
			a.asked = true
		}
		return conn, nil
	}
}
