package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// A connection is closed in one of these ways:
//
//	quit     in order, when nothing is under way on it
//	cancel   it accepts nothing more, and asks the server to cancel each statement that was sent, when its turn comes
//	force    at once. The server may go on with what it has been sent, so cancel comes first, for a limited time
//
// An answer that comes in time counts. The other callers get a LostError with ErrClosed.

// quit closes all connections in order, when nothing is under way on them.
func (s *line) quit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing, s.forced = true, true
	for _, c := range s.conns {
		c.retire()
	}
}

// cancel makes the line accept nothing more, and asks the server to cancel what is under way. It
// doesn't wait.
func (s *line) cancel() { s.end(false) }

// force closes all connections at once.
func (s *line) force() { s.end(true) }

func (s *line) end(now bool) {
	s.mu.Lock()
	s.closing, s.forced = true, true
	told := s.failQueue(ErrClosed)
	conns := slices.Clone(s.conns)
	for _, c := range conns {
		c.unpark()
		for i := range c.sent.len() {
			c.sent.at(i).stream.stop() // its reader may be waiting for room
		}
		switch {
		case now && c.dead == nil:
			if c.failed == nil && s.places != nil {
				c.failed = ErrClosed
			}
			if c.role == nobody {
				c.giveToResident()
			}
		case !now && c.sent.len() > 0:
			c.startCancel(c.sent.first())
			c.arm()
		}
	}
	idle := s.idleNow()
	s.mu.Unlock()
	for _, c := range conns {
		if t := c.tunnel.Load(); t != nil {
			t.fail(ErrClosed) // the reader may be waiting for room in it
		}
	}
	if now {
		for _, c := range conns {
			c.hangUp() // the reader notices
		}
	}
	for _, g := range told {
		g.tell()
	}
	for _, fn := range idle {
		fn()
	}
}

// hangUp closes the socket. With TLS that can take a while, so a goroutine does it. If the
// connection has one of the places, hangUp only ends what waits for the network, and the reader
// does the rest.
func (c *conn) hangUp() {
	c.leaveLoop()
	if c.line.places.counts() {
		_ = c.w.net.SetDeadline(longAgo)
		return
	}
	if !c.line.db.spawn(func() { _ = c.w.net.Close() }) {
		_ = c.w.net.Close()
	}
}

// endAll cancels what is under way, waits until it has ended, as long as Config.CancelTimeout and
// ctx allow, and closes the connections. It returns an error if something hadn't ended.
func (db *DB) endAll(ctx context.Context, all []*line) error {
	ctx, stop := context.WithTimeoutCause(ctx, db.config.CancelTimeout, errNotCancelled(db.config.CancelTimeout))
	defer stop()
	idle := loop.NewPromise[struct{}](nil)
	idle.Future().SetName("the end of what is being cancelled")
	idle.AskedBy(repaint.CurrentLoop())
	idle.UnderWay(true)
	var left atomic.Int64
	left.Store(int64(len(all)))
	for _, s := range all {
		s.cancel()
		s.whenIdle(func() {
			if left.Add(-1) == 0 {
				idle.Resolve(struct{}{})
			}
		})
	}
	_, err := repaint.Await(ctx, idle.Future())
	for _, s := range all {
		if err != nil {
			s.force()
		} else {
			s.quit()
		}
	}
	return err
}

func errNotCancelled(limit time.Duration) error {
	return fmt.Errorf("the server didn't answer within %v (cancel_timeout)", limit)
}

// stop makes the line accept nothing more.
func (s *line) stop() {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
}

// forceTime is how long Close waits for the DB's goroutines after it has closed all connections.
const forceTime = 5 * time.Second

// Close makes the DB refuse new calls, with [ErrClosed], and waits until all statements are
// answered and all sessions released. Then it closes the connections. If the context ends first,
// Close asks the server to cancel the statements, waits up to Config.CancelTimeout for that, and
// closes the connections. Statements that didn't end by themselves fail with ErrClosed, and Close
// returns an error with the context's cause that says what was still open. When Close returns, none
// of the DB's goroutines runs any more. Further calls do nothing.
//
// Without a deadline Close waits for a transaction that is never ended, as after a panic. After 5
// seconds of that it reports once what it waits for: to the caller's loop (see [loop.ReportTo]), or
// to slog.Default.
func (db *DB) Close(ctx context.Context) error {
	for _, s := range db.allLanes() {
		s.stop()
	}
	db.places.stop()
	db.pool.stop()
	db.endAsking()
	quiet := loop.NewPromise[struct{}](nil)
	quiet.Future().SetName("the end of what the database has under way")
	quiet.AskedBy(repaint.CurrentLoop())
	idle := func() { db.pool.whenReturned(func() { quiet.Resolve(struct{}{}) }) }
	for _, s := range slices.Backward(db.allLanes()) {
		then := idle
		idle = func() { s.whenIdle(then) }
	}
	idle()
	if _, limited := ctx.Deadline(); !limited {
		defer time.AfterFunc(closePatience, db.reportClose(quiet.Future(), repaint.CurrentLoop())).Stop()
	}
	_, err := repaint.Await(ctx, quiet.Future())
	if err != nil {
		err = fmt.Errorf("pg: closing: %s: %w", db.left(), err)
		all := db.pool.list()
		for _, s := range db.allLanes() {
			all = append(all, &s.line)
		}
		_ = db.endAll(context.WithoutCancel(ctx), all) // it closes them in any case
	} else {
		for _, s := range db.allLanes() {
			s.quit()
		}
		db.pool.quit()
	}
	db.end(ErrClosed)
	gone := loop.NewPromise[struct{}](nil)
	gone.AskedBy(repaint.CurrentLoop())
	gone.UnderWay(true)
	db.jobs.Lock()
	db.over = true
	if db.running == 0 {
		db.closeEnded()
	}
	db.jobs.Unlock()
	go func() {
		timer := time.NewTimer(forceTime)
		defer timer.Stop()
		select {
		case <-db.ended:
		case <-timer.C:
		}
		gone.Resolve(struct{}{})
	}()
	_, stuck := repaint.Await(context.WithoutCancel(ctx), gone.Future())
	return errors.Join(err, stuck)
}

// closePatience is how long Close waits without a deadline before it says for what.
var closePatience = 5 * time.Second // a variable only for tests

// reportClose returns a function that reports what Close waits for, unless quiet is done. The loop
// may be nil.
func (db *DB) reportClose(quiet *loop.Future[struct{}], l *loop.Loop) func() {
	limit, report := closePatience, loop.LogReport
	if l != nil {
		report = l.Report
	}
	return func() {
		if !quiet.Done() {
			report(fmt.Errorf("pg: Close has been waiting for %v, and its context has no deadline: %s: end that, or give Close a deadline",
				limit, db.left()))
		}
	}
}

// left says what keeps Close waiting.
func (db *DB) left() string {
	var parts []string
	owned, running, first := 0, 0, ""
	count := func(s *line) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if o := s.session(); o != nil && s.owner != &o.driver {
			owned++
		}
		running += s.inFlight() + s.queuedNow
		for _, c := range s.conns {
			if g := c.sent.first(); g != nil && first == "" {
				first = shorten(g.sql)
			}
		}
		if g := s.queue.first(); g != nil && first == "" {
			first = shorten(g.sql)
		}
	}
	for _, s := range db.allLanes() {
		count(&s.line)
	}
	for _, s := range db.pool.owned() {
		count(&s.line)
	}
	if owned > 0 {
		parts = append(parts, plural(owned, "session or transaction is still open", "sessions and transactions are still open")+db.pool.held(owned))
	}
	if running > 0 {
		parts = append(parts, plural(running, "statement is under way: ", "statements are under way, among them ")+strconv.Quote(first))
	}
	if len(parts) == 0 {
		return "a connection is still being set up"
	}
	return strings.Join(parts, "; ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// closeEnded closes ended. The caller must hold jobs.
func (db *DB) closeEnded() {
	select {
	case <-db.ended:
	default:
		close(db.ended)
	}
}
