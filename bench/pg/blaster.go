package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/seed1239206e/repaint/bench/internal/measure"
)

// A blast is a statement for the blaster, with the arguments of its i-th use, and the number of
// rows that it must return.
type blast struct {
	text string
	args func(i int) []int
	rows int
}

// blaster writes messages that it has encoded before, over plain connections, and counts the
// answers without decoding them. What is left is the time of the server and of the kernel. So it is
// the limit for any driver.
type blaster struct {
	blast
	conns []*blastConn
}

// variants is how many different arguments are encoded beforehand.
const variants = 1000

// openBlaster opens connections that together have as many statements under way as there are
// callers.
func openBlaster(ctx context.Context, url string, b blast, callers, connections int) (*blaster, error) {
	bl := &blaster{blast: b}
	for k := range connections {
		c, err := openBlastConn(ctx, url, b, callers/connections)
		if err != nil {
			_ = bl.close(ctx)
			return nil, fmt.Errorf("blaster: %w", err)
		}
		c.next = k * variants / connections // otherwise all would use the same row, and those that change it would wait for each other
		bl.conns = append(bl.conns, c)
	}
	return bl, nil
}

func (bl *blaster) measure(ctx context.Context, length time.Duration, _ float64) (measure.Sample, error) {
	ctx, cancel := limited(ctx, length)
	defer cancel()
	if _, _, err := bl.run(ctx, length/5); err != nil {
		return measure.Sample{}, err
	}
	cpu := measure.CPUTime()
	calls, took, err := bl.run(ctx, length)
	if err != nil {
		return measure.Sample{}, err
	}
	cpu = measure.CPUTime() - cpu
	n := float64(len(calls))
	s := measure.Latencies(calls)
	s.Rate, s.CPU, s.Connections = n/took.Seconds(), measure.Micro(cpu)/n, float64(len(bl.conns))
	return s, nil
}

// run returns how long each statement took from its write to its ReadyForQuery.
func (bl *blaster) run(ctx context.Context, length time.Duration) (calls []time.Duration, took time.Duration, err error) {
	errs := make([]error, len(bl.conns))
	start := time.Now()
	var wg sync.WaitGroup
	for k, c := range bl.conns {
		wg.Go(func() { errs[k] = c.run(ctx, start.Add(length)) })
	}
	wg.Wait()
	took = time.Since(start)
	for _, c := range bl.conns {
		if c.rows != len(c.calls)*bl.rows {
			errs = append(errs, fmt.Errorf("blaster: %d statements gave %d rows, not %d", len(c.calls), c.rows, len(c.calls)*bl.rows))
		}
		if c.commands != len(c.calls) {
			errs = append(errs, fmt.Errorf("blaster: %d statements gave %d results", len(c.calls), c.commands))
		}
		calls = append(calls, c.calls...)
	}
	return calls, took, errors.Join(errs...)
}

func (bl *blaster) close(context.Context) error {
	var errs []error
	for _, c := range bl.conns {
		errs = append(errs, c.net.Close())
	}
	return errors.Join(errs...)
}

// A blastConn is a connection with up to window statements under way. They are written in bursts of
// half as many.
type blastConn struct {
	net     net.Conn
	window  int
	encoded [][]byte // Bind, Execute and Sync, with one of the arguments each
	next    int      // the next one of encoded

	out    []byte
	in     []byte // from the start of a message on
	calls  []time.Duration
	rows   int
	sent   []time.Time // a ring of size window: when each statement under way was written
	first  int         // the first one of sent
	flying int

	commands int
}

func openBlastConn(ctx context.Context, url string, b blast, window int) (*blastConn, error) {
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Prepare(ctx, "blast", b.text, nil); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	if err := conn.SyncConn(ctx); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	c := &blastConn{net: hijacked.Conn, window: max(window, 1), in: make([]byte, 0, 64<<10)}
	c.sent = make([]time.Time, c.window)
	for i := range variants {
		text, err := encode(b.args(i * 7))
		if err != nil {
			return nil, errors.Join(err, c.net.Close())
		}
		c.encoded = append(c.encoded, text)
	}
	return c, nil
}

// encode returns the messages that execute the statement with integers, and ask for results in
// binary.
func encode(args []int) ([]byte, error) {
	bind := &pgproto3.Bind{PreparedStatement: "blast", ParameterFormatCodes: []int16{1}, ResultFormatCodes: []int16{1}}
	for _, a := range args {
		bind.Parameters = append(bind.Parameters, binary.BigEndian.AppendUint32(nil, uint32(a)))
	}
	var text []byte
	var err error
	for _, m := range []pgproto3.FrontendMessage{bind, &pgproto3.Execute{}, &pgproto3.Sync{}} {
		if text, err = m.Encode(text); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// run writes and reads until the time has come and everything is answered. It executes at least one
// statement.
func (c *blastConn) run(ctx context.Context, until time.Time) error {
	c.calls, c.rows, c.commands = c.calls[:0], 0, 0
	deadline, ok := ctx.Deadline()
	if !ok {
		return errors.New("blaster: a deadline is needed")
	}
	if err := c.net.SetDeadline(deadline); err != nil {
		return err
	}
	for {
		if now := time.Now(); now.Before(until) || len(c.calls)+c.flying == 0 {
			if err := c.burst(now); err != nil {
				return fmt.Errorf("blaster: writing: %w", err)
			}
		} else if c.flying == 0 {
			return nil
		}
		if err := c.read(); err != nil {
			return fmt.Errorf("blaster: reading: %w", err)
		}
	}
}

// burst fills the window, if that is half empty. Its bytes fit into the sockets' buffers, so the
// write can't wait for the server's answers to be read.
func (c *blastConn) burst(now time.Time) error {
	if c.flying > c.window/2 {
		return nil
	}
	c.out = c.out[:0]
	for ; c.flying < c.window; c.flying++ {
		c.sent[(c.first+c.flying)%c.window] = now
		c.out = append(c.out, c.encoded[c.next]...)
		c.next = (c.next + 1) % len(c.encoded)
	}
	_, err := c.net.Write(c.out)
	return err
}

// read reads once, and counts the answers that are complete.
func (c *blastConn) read() error {
	n, err := c.net.Read(c.in[len(c.in):cap(c.in)])
	if err != nil {
		return err
	}
	c.in = c.in[:len(c.in)+n]
	rest := c.in
	for len(rest) >= 5 {
		size := 1 + int(binary.BigEndian.Uint32(rest[1:]))
		if size > cap(c.in) {
			return fmt.Errorf("a message of %d bytes", size)
		}
		if len(rest) < size {
			break
		}
		switch rest[0] {
		case 'D':
			c.rows++
		case 'C':
			c.commands++
		case 'E':
			var e pgproto3.ErrorResponse
			if err := e.Decode(rest[5:size]); err != nil {
				return err
			}
			return fmt.Errorf("%s: %s", e.Code, e.Message)
		case 'Z':
			if c.flying == 0 {
				return errors.New("more answers than statements")
			}
			c.calls = append(c.calls, time.Since(c.sent[c.first]))
			c.first = (c.first + 1) % c.window
			c.flying--
		}
		rest = rest[size:]
	}
	c.in = c.in[:copy(c.in, rest)]
	return nil
}
