package sqlbackend

import (
	"context"
	"database/sql/driver"
	"io"

	"github.com/seed1239206e/repaint/db/backend"
)

// cursor is a backend.Cursor on a blocking driver. Each Fetch is one call of block.
type cursor struct {
	s       *session
	rows    driver.Rows
	done    func() error
	convert columnConverters
	release func() // releases the driver's context
	alone   bool   // the query is outside of a transaction
	begun   bool   // Fetch has been called
	ended   bool   // all rows have been read

	lasting context.Context // the driver's context
}

// Stream begins a query. The driver keeps ctx for as long as there are rows.
func (s *session) Stream(ctx context.Context, c *backend.Call) (backend.Cursor, error) {
	if err := s.convert(ctx, c); err != nil {
		return nil, err
	}
	if s.d.emulates(c.Statement) || s.d.EndsUnseen && c.Statement.EndsItself && s.status != backend.Idle {
		return s.readFirst(ctx, c)
	}
	cursor := &cursor{s: s, release: func() {}}
	lasting := ctx // not the context of block, which may end when block returns
	if s.c.cleanup > 0 && s.d.Interrupt == nil {
		lasting, cursor.release = s.stoppable(ctx)
	}
	err := s.block(ctx, func(inner context.Context) (err error) {
		if s.d.Interrupt == nil {
			inner = lasting
		}
		cursor.lasting = inner
		s.dirty = s.dirty || c.Statement.Session
		cursor.alone = s.status == backend.Idle
		if err = s.readyFor(inner, c.ReadOnly); err == nil {
			err = s.mark(cursor.alone, func() (err error) {
				cursor.rows, cursor.done, err = s.guardedRows(inner, c)
				return err
			})
		}
		if err != nil {
			s.examine(inner, err)
			return err
		}
		s.streaming = s.d.Interrupt == nil
		cursor.convert = s.conn.describe(cursor.rows, c)
		return nil
	})
	if err != nil {
		cursor.release()
		return nil, err
	}
	return cursor, nil
}

func (k *cursor) Fetch(ctx context.Context, c *backend.Call, max int) (more bool, err error) {
	err = k.s.block(ctx, func(ctx context.Context) error {
		c.Values = nil
		err := k.s.mark(k.alone, func() error { return k.read(ctx, c, max) })
		if err != nil && !k.begun && k.s.conn.outdated(c.Statement, err) {
			err = k.again(ctx, c, max)
		}
		k.begun = true
		if err != nil {
			k.s.examine(ctx, err)
		}
		return err
	})
	return !k.ended, err
}

// again begins the query anew with a new prepared statement, because the kept one is outdated.
func (k *cursor) again(ctx context.Context, c *backend.Call, max int) (err error) {
	_ = k.done() // the caller gets a more useful error
	k.s.conn.statements.drop(c.Statement.Text)
	if k.rows, k.done, err = k.s.guardedRows(k.lasting, c); err != nil {
		k.rows, k.done = noMore{}, noMore{}.Close
		return err
	}
	k.convert = k.s.conn.describe(k.rows, c)
	return k.read(ctx, c, max)
}

// noMore is the empty result of a query that couldn't begin again.
type noMore struct{}

func (noMore) Columns() []string         { return nil }
func (noMore) Close() error              { return nil }
func (noMore) Next([]driver.Value) error { return io.EOF }

// read reads up to max rows. If c is nil, it drops them.
func (k *cursor) read(ctx context.Context, c *backend.Call, max int) error {
	n := len(k.rows.Columns())
	var dropped []driver.Value
	for range max {
		if err := ctx.Err(); err != nil {
			return err
		}
		var row []driver.Value
		if c == nil {
			if dropped == nil {
				dropped = make([]driver.Value, n)
			}
			row = dropped
		} else {
			start := len(c.Values)
			if start == 0 {
				c.Values = make([]driver.Value, 0, min(max, firstRows)*n)
			}
			for range n {
				c.Values = append(c.Values, nil)
			}
			row = c.Values[start:]
		}
		err := k.rows.Next(row)
		if err == nil && c != nil {
			err = k.convert.own(c, row)
		}
		if err != nil {
			if c != nil {
				c.Values = c.Values[:len(c.Values)-n]
			}
			if err == io.EOF {
				k.ended = true
				return nil
			}
			return err
		}
	}
	return nil
}

// firstRows is the number of rows for which read first makes room.
const firstRows = 64

// enough is how many unwanted rows Close reads before it interrupts the query.
const enough = 1000

// Close ends the query. If the driver would read all remaining rows, Close interrupts it after a
// while.
func (k *cursor) Close(ctx context.Context) error {
	defer k.release()
	return k.s.block(ctx, func(ctx context.Context) error {
		err := k.s.mark(k.alone, func() error { return k.close(ctx) })
		if err != nil {
			k.s.examine(ctx, err)
		}
		return err
	})
}

func (k *cursor) close(ctx context.Context) (err error) {
	s := k.s
	if s.d.Interrupt == nil && !s.d.Limits.Local {
		// The remaining rows are read here, where the context counts, and not by the driver's
		// Close.
		for err == nil && !k.ended {
			err = k.read(ctx, nil, enough)
		}
	}
	if err != nil || k.ended || s.d.Interrupt == nil || s.status == backend.Broken {
		err = andThen(err, k.end())
		s.afterInterrupt(k.lasting) // recover does nothing while there are rows
		return err
	}
	if err := k.read(ctx, nil, enough); k.ended || err != nil {
		return andThen(err, k.end())
	}
	i := &interruption{s: s, lasting: ctx}
	go i.run()
	returned := false
	defer func() {
		if !returned { // the driver panics, or the greenlet is unwound
			i.leave()
		}
	}()
	err = k.end()
	returned = true
	if i.end() && s.d.Recover(ctx, &s.conn) != nil {
		s.status = backend.Broken
	}
	if err != nil && s.status != backend.Broken && s.d.Interrupted(err) {
		return nil // the interrupt has done its work
	}
	return err
}

// end closes the rows.
func (k *cursor) end() error {
	err := k.done()
	k.s.streaming = false
	return err
}

// readFirst runs a statement whose rows must all be read before the caller gets the first: one that
// may be emulated, or that has to be watched.
func (s *session) readFirst(ctx context.Context, c *backend.Call) (backend.Cursor, error) {
	if err := s.Do(ctx, c); err != nil {
		return nil, err
	}
	k := &readCursor{values: c.Values}
	c.Values = nil
	return k, nil
}

// readCursor is a backend.Cursor whose rows are already in memory.
type readCursor struct{ values []driver.Value }

func (k *readCursor) Fetch(_ context.Context, c *backend.Call, max int) (more bool, err error) {
	n := min(max*len(c.Columns), len(k.values))
	c.Values, k.values = k.values[:n:n], k.values[n:]
	return len(k.values) > 0, nil
}

func (k *readCursor) Close(context.Context) error {
	k.values = nil
	return nil
}
