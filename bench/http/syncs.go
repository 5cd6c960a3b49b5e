package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/seed1239206e/repaint/internal/grid"
	"github.com/seed1239206e/repaint/internal/testserver"

	"github.com/seed1239206e/repaint/bench/internal/report"
)

// A wire makes connections to the database, and counts the Syncs that are written to them.
type wire struct {
	mu    sync.Mutex
	syncs int
}

func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.syncs
}

func (w *wire) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &tapped{Conn: conn, wire: w, head: 0}, nil
}

// A tapped connection splits what is written into messages.
type tapped struct {
	net.Conn
	wire *wire
	data []byte // of a message that isn't complete
	head int    // how many bytes come before the length: none for the first message
}

// Write counts first: the answer may be there before the connection's Write has returned.
func (t *tapped) Write(b []byte) (int, error) {
	t.tap(b)
	return t.Conn.Write(b)
}

func (t *tapped) tap(b []byte) {
	t.wire.mu.Lock()
	defer t.wire.mu.Unlock()
	t.data = append(t.data, b...)
	for len(t.data) >= t.head+4 {
		length := t.head + int(binary.BigEndian.Uint32(t.data[t.head:]))
		if len(t.data) < length {
			return
		}
		if t.head == 1 && t.data[0] == 'S' {
			t.wire.syncs++
		}
		t.data, t.head = t.data[length:], 1
	}
}

// syncs returns how many Syncs a service sends for a request on each route.
func (s service) syncs(ctx context.Context, at testserver.Target, routes []string) (counts []float64, err error) {
	const requests = 20
	w := new(wire)
	running, err := s.start(ctx, at.URL(), w.dial)
	if err != nil {
		return nil, err
	}
	defer running.stop()
	c := newClient()
	defer c.leave()
	for _, route := range routes {
		url := "http://" + running.addr + route
		if _, err := c.get(ctx, url); err != nil { // prepares the statements
			return nil, err
		}
		before := w.count()
		for range requests {
			if _, err := c.get(ctx, url); err != nil {
				return nil, err
			}
		}
		counts = append(counts, float64(w.count()-before)/requests)
	}
	return counts, nil
}

// countSyncs counts them for all services, keeps them in r, and prints them as a table.
func countSyncs(ctx context.Context, out io.Writer, r *report.Results, at testserver.Target, sides []service) error {
	t := grid.New(append([]string{""}, routes...)...)
	for _, s := range sides {
		counts, err := s.syncs(ctx, at, routes)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		row := []string{s.name}
		for i, n := range counts {
			r.Syncs = append(r.Syncs, report.Count{Contestant: s.name, Of: routes[i], N: n})
			row = append(row, fmt.Sprint(n))
		}
		t.Row(row...)
	}
	fmt.Fprint(out, "\n### Syncs for a request, counted on the wire\n\n")
	t.Markdown(out)
	return nil
}
