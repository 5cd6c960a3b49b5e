package pg

import (
	"context"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/loop"
)

// do submits a segment and waits until it is finished, in a way that fits the caller. An error
// means that the segment wasn't submitted, or that the caller gave it up because the context ended.
// Then the segment may still be in use, and the caller must not touch it.
func (s *lease) do(ctx context.Context, g *segment) error {
	if ctx.Err() != nil {
		return loop.ContextError(ctx)
	}
	g.lease = s
	l := repaint.CurrentLoop()
	if e := explore.Of(l); e != nil {
		return s.doStep(ctx, e, g)
	}
	if l != nil && g.stream == nil && g.copyIn == nil {
		return s.doInLoop(ctx, l, g)
	}
	return s.doPlainly(ctx, g)
}

// doPlainly is do for a plain goroutine, and for code that finds out by itself where it runs.
func (s *lease) doPlainly(ctx context.Context, g *segment) error {
	switch {
	case g.stream != nil:
		return s.doStream(ctx, g)
	case g.copyIn != nil:
		return s.doCopy(ctx, g)
	}
	return s.doBlocking(ctx, g)
}

// doBlocking is do for a goroutine that may block.
func (s *lease) doBlocking(ctx context.Context, g *segment) error {
	read, to, buf, err := s.submit(g)
	if err != nil {
		return err
	}
	if buf != nil {
		to.write(buf)
	}
	if read != nil {
		read.leaveLoop()
		// The shortest way: there is no other reader, so this goroutine reads its answer itself.
		read.readFor(ctx, g)
		s.mu.Lock()
		finished := g.state == stateFinished
		if !finished {
			g.awaitReady()
		}
		s.mu.Unlock()
		if finished && g.ready == nil {
			return nil
		}
	}
	select {
	case <-g.ready:
		return nil
	case <-ctx.Done():
		if s.abandon(g) {
			<-g.ready
			return nil
		}
		return loop.ContextError(ctx)
	}
}

// doInLoop is do for a loop's task or main function. The end of the tick sends everything that the
// loop's callers have submitted.
func (s *lease) doInLoop(ctx context.Context, l *loop.Loop, g *segment) error {
	g.promise = &taskPromise{loop: l}
	g.promise.Bind(nil, (*awaited)(g))
	g.promise.AskedBy(l)
	g.promise.UnderWay(true)
	future := g.promise.Future()
	k := s.db.collect(l, g)
	killed := true
	defer func() {
		k.leave()
		if killed { // its greenlet is being unwound
			s.abandon(g)
		}
	}()
	_, err := repaint.Await(ctx, future)
	killed = false
	if err == nil {
		return nil
	}
	if s.abandon(g) {
		return nil
	}
	return err
}

// awaited is a segment as the owner of the promise that a task waits for.
type awaited segment

// CancelFuture implements loop.Canceler. It does nothing: the task that waits in doInLoop cancels.
func (a *awaited) CancelFuture(error) {}

func (a *awaited) String() string { return "the answer to " + shorten(a.sql) }

type toWrite struct {
	conn *conn
	buf  []byte
}

// submitAll is submit for several segments, whose waiters are tasks of the loop.
func (s *line) submitAll(l *loop.Loop, list []*segment) {
	var told []*segment
	var room [16]toWrite
	writes := room[:0]
	now := nanotime()
	s.mu.Lock()
	for _, g := range list {
		if g.state != stateCollected {
			continue // given up
		}
		if err := s.place(l, g, now); err != nil {
			g.err, g.state = err, stateFinished
			told = append(told, g)
		}
	}
	for _, c := range s.conns {
		if buf := c.startWrite(); buf != nil {
			writes = append(writes, toWrite{c, buf})
		}
	}
	s.mu.Unlock()
	for _, w := range writes {
		w.conn.write(w.buf)
	}
	for _, g := range told {
		g.tell()
	}
}

// fire submits a statement without waiting, and calls then at its end, not on the caller's stack.
func (s *lease) fire(g *segment, then func(error)) {
	s.ask(g, func(_ string, err error) { then(err) })
}

// ask is fire for a text whose first statement returns a value.
func (s *lease) ask(g *segment, then func(value string, err error)) {
	g.simple, g.noRepeat, g.soon, g.lease = g.sql, true, true, s
	g.steps = append(g.oneStep[:0], step{})
	g.then = func() {
		value, err := "", g.err
		if err == nil && g.failure != nil {
			err = g.failure
		}
		rows := g.steps[0].rows.cursor()
		if row, ok := rows.next(); ok && row.count > 0 {
			value = string(row.value())
		}
		then(value, err)
	}
	now := nanotime()
	s.mu.Lock()
	c, err := s.accept(g, now)
	if c != nil {
		c.ensureReader()
	}
	s.finishUp(c)
	if err != nil {
		then("", err)
	}
}
