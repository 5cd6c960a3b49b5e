package db

import (
	"context"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/turns"
	"github.com/seed1239206e/repaint/loop"
)

// How many rows are fetched at once: few at first, because the caller may want no more, then so many
// that a round trip hardly matters.
const (
	firstFetch = 64
	largeFetch = 1024
)

// rowStream is the source of streamed Rows.
type rowStream struct {
	ctx    context.Context
	conn   *Conn
	tx     *Tx
	owns   bool // the Conn was checked out for it
	cursor backend.Cursor
	size   int // rows of the next fetch
	more   bool
	// fetching: a task waits in Next, and uses the connection until it returns.
	fetching bool
}

// Stream runs a query on a connection of its own, see [Conn.Stream]. The connection goes back when the
// caller has read the rows to the end or closes them; it must do one of the two.
func (e *Engine) Stream(ctx context.Context, query string, args ...any) (*Rows, error) {
	return e.stream(ctx, &e.conf.conn, query, args)
}

func (e *Engine) stream(ctx context.Context, conf *connConfig, query string, args []any) (*Rows, error) {
	r := &Rows{}
	r.call.Rows = true
	if err := e.prepare(ctx, &r.call, conf, query, args); err != nil {
		return nil, err
	}
	var opts []ConnOption
	if conf.tx.ReadOnly {
		opts = append(opts, ReadOnly())
	}
	if err := e.streamRows(ctx, r, opts...); err != nil {
		return nil, err
	}
	return r, nil
}

func (e *Engine) streamRows(ctx context.Context, r *Rows, opts ...ConnOption) error {
	c, err := e.Connect(ctx, opts...)
	if err != nil {
		return err
	}
	opened := false
	defer func() {
		if !opened {
			_ = c.Close() // there is a better error
		}
	}()
	err = c.streamRows(ctx, nil, true, r)
	opened = err == nil
	return err
}

// Stream runs a query and returns its rows before all of them have come. The rows fetch pieces of the
// result while the caller reads them, and no faster, so the result may be larger than memory. Until
// they are read to the end or closed, ctx applies, and the Conn can do nothing else. A task waits only
// while a piece is fetched. If the dialect can't stream, Stream returns [ErrUnsupported].
func (c *Conn) Stream(ctx context.Context, query string, args ...any) (*Rows, error) {
	return c.stream(ctx, nil, query, args)
}

// Stream runs a query in the transaction and returns its rows before all of them have
// come, see [Conn.Stream]. The transaction can't end before the rows do.
func (tx *Tx) Stream(ctx context.Context, query string, args ...any) (*Rows, error) {
	return tx.conn.stream(ctx, tx, query, args)
}

func (c *Conn) stream(ctx context.Context, tx *Tx, query string, args []any) (*Rows, error) {
	r := &Rows{}
	r.call.Rows = true
	if err := c.e.prepare(ctx, &r.call, &c.conf, query, args); err != nil {
		return nil, err
	}
	if err := c.streamRows(ctx, tx, false, r); err != nil {
		return nil, err
	}
	return r, nil
}

// streamRows opens the stream of a statement that has been prepared. owns reports that the Conn was
// checked out for the stream, and ends with it.
func (c *Conn) streamRows(ctx context.Context, tx *Tx, owns bool, r *Rows) error {
	if owns { // the connection is for this statement alone, as in an Exec of the Engine
		if err := refuseLost("stream", r.call.st); err != nil {
			return c.e.fail(ctx, "stream", &r.call, err)
		}
	}
	tx, err := c.auto(ctx, tx)
	if err != nil {
		return err
	}
	opened := false
	defer func() {
		if !opened { // an event's function may have panicked after the stream was opened
			_ = r.Close()
		}
	}()
	open := func() error { return c.openStream(ctx, tx, owns, r) }
	if c.e.events.execution {
		err = c.e.observe(ctx, "stream", &r.call, tx != nil, open)
	} else {
		err = open()
	}
	opened = err == nil
	return err
}

func (c *Conn) openStream(ctx context.Context, tx *Tx, owns bool, r *Rows) error {
	if err := c.start(tx, "stream", r.call.Statement.Source); err != nil {
		return c.e.fail(ctx, "stream", &r.call, err)
	}
	s := &rowStream{ctx: ctx, conn: c, tx: tx, owns: owns, size: firstFetch, more: true}
	killed, opened := true, false
	defer func() {
		if opened {
			return
		}
		if !killed || c.isQuiet() {
			s.unpass()
		}
		c.end(ctx, killed, turns.NoPass)
	}()
	held, err := c.enter(ctx, tx, "stream", &r.call)
	if tx == nil {
		c.held = held // goes back with the Conn, whatever happens
	}
	if err == nil {
		var used bool
		if used, err = c.use(ctx, tx, func() error { return s.open(ctx, &r.call) }); err != nil && used {
			err = c.after(ctx, tx, r.call.Statement.Writes, err, c.e.wrap(ctx, "stream", &r.call, err))
		}
	}
	killed = false
	if err != nil {
		return c.e.fail(ctx, "stream", &r.call, err)
	}
	r.stream, opened = s, true
	return nil
}

// open opens the stream on the session. The Conn is running.
func (s *rowStream) open(ctx context.Context, call *call) (err error) {
	c := s.conn
	c.c.Mark(call.st.Traits)
	from, ok := c.c.Session.(backend.Streamer)
	if !ok {
		return fail("stream", ErrUnsupported, "%s can't stream; use Query", c.e.dialect.Name())
	}
	s.cursor, err = from.Stream(call.discreet(ctx), &call.Call)
	return err
}

// refill replaces the piece that has been read by the next one. It reports whether there are more
// rows.
func (r *Rows) refill() bool {
	s := r.stream
	if s == nil || !s.more {
		return false
	}
	killed := true
	defer func() {
		if killed {
			r.stream = nil
			s.conn.lose(turns.NoPass)
		}
	}()
	var err error
	s.fetching = true
	if err = loop.ContextError(s.ctx); err == nil {
		s.more, err = s.cursor.Fetch(s.ctx, &r.call.Call, s.size)
	}
	killed, s.fetching = false, false
	if r.closed { // by another task
		_ = r.Close()
		return false
	}
	if err != nil {
		defer r.Close() // also if an event's function panics
		c := s.conn
		err = c.after(s.ctx, s.tx, r.call.Statement.Writes, err, c.e.wrap(s.ctx, "stream", &r.call, err))
		r.err = c.e.fail(s.ctx, "stream", &r.call, err)
		return false
	}
	s.size = min(4*s.size, largeFetch)
	r.next = 0
	return len(r.call.Values) > 0
}

// unpass gives back the gate's pass of a stream outside of a transaction.
func (s *rowStream) unpass() {
	if s.tx == nil {
		s.conn.unpass()
	}
}

// end closes the stream and gives back what it held.
func (s *rowStream) end() error {
	killed := true
	defer func() {
		if killed {
			s.conn.lose(turns.NoPass)
		}
	}()
	ctx, done := backend.Ending(s.ctx, s.conn.e.cleanup)
	defer done()
	err := s.cursor.Close(ctx)
	if ctx.Err() != nil {
		s.conn.noLonger()
	}
	if err != nil {
		err = late(s.ctx, ctx, err)
		err = s.conn.after(ctx, s.tx, false, err, s.conn.e.wrap(ctx, "close", nil, err))
	}
	killed = false
	s.unpass()
	s.conn.end(ctx, false, turns.NoPass)
	if s.owns {
		_ = s.conn.close(ctx) // doesn't fail, because no call runs on it
	}
	return err
}
