package sqlbackend

import (
	"context"
	"database/sql/driver"
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/loop"
)

// In a loop, a session runs a call inline if the call is known to be short: the way to another
// goroutine and back would take longer than the call. An inline call holds the loop. So there are
// conditions:
//
//   - The call has been short several times, see [backend.Pace], and its statement is prepared.
//   - The connection doesn't wait for a lock that another process holds. The call fails at once
//     instead, and another goroutine, which may wait, repeats it.
//   - A transaction ends inline only if each call in it was short, inline or not, because its end
//     takes longer the more it has done.
//
// A context that ends meanwhile has no effect on such a call.

// haste is the state of a session's inline calls. It belongs to the caller of the running call.
type haste struct {
	hurries   bool // the running call is inline
	impatient bool // the connection has been told not to wait for locks
	reads     bool // the transaction is a read-only one
	late      bool // a part of the running call wasn't short, or wasn't timed
	lengthy   bool // not every call in the transaction was short
}

// paces are the paces of the statements that the sessions of a connector send by themselves.
type paces struct {
	begins, commits [2]backend.Pace // first for transactions that may write, then for read-only ones
	rollback        backend.Pace
	control         backend.Pace // for statements about savepoints
}

func (p *paces) begin(reads bool) *backend.Pace { return &p.begins[index(reads)] }

func index(reads bool) int {
	if reads {
		return 1
	}
	return 0
}

// calls holds the figures of [backend.Calls].
type calls struct {
	inline, time, overlong, refused, offloaded atomic.Int64
}

// CallInline makes calls that take less than limit run inline.
func (c *connector) CallInline(limit time.Duration) { c.inline = limit }

// Calls returns the figures of the sessions' calls.
func (c *connector) Calls() backend.Calls {
	return backend.Calls{
		Inline: c.calls.inline.Load(), InlineTime: time.Duration(c.calls.time.Load()), Overlong: c.calls.overlong.Load(),
		Refused: c.calls.refused.Load(), Offloaded: c.calls.offloaded.Load(),
	}
}

// hurries reports whether calls can run inline here.
func (c *connector) hurries() bool {
	return c.inline > 0 && c.d.WaitForLocks != nil && c.d.DB == nil && c.cleanup == 0 && repaint.MayHold()
}

// Short reports whether a statement is known to be short. A text that isn't worth preparing, or
// that runs code that it doesn't show, never is.
func (c *connector) Short(st *backend.Statement, begins *backend.TxOptions) bool {
	if !c.hurries() || !st.Plan || st.Obscure {
		return false
	}
	short := st.Pace.Short() // called first, so that both paces are timed
	return (begins == nil || c.paces.begin(begins.ReadOnly).Short()) && short
}

// isShort reports whether a call should run inline.
func (s *session) isShort(call *backend.Call) bool {
	st := call.Statement
	if !s.c.hurries() || !st.Plan || st.Obscure || s.needsGuard(call.ReadOnly) {
		return false
	}
	short := st.Pace.Short()
	return s.beginsSoon() && short && s.conn.statements.get(st.Text) != nil
}

// beginsSoon reports whether no transaction has to begin before a call, or its begin is known to be
// short.
func (s *session) beginsSoon() bool {
	return len(s.pending) == 0 || s.c.paces.begin(s.haste.reads).Short()
}

// EndsSoon reports whether the end of the transaction should run inline.
func (s *session) EndsSoon(commit bool) bool {
	return s.c.hurries() && s.endPace(commit).Short() && !s.haste.lengthy
}

func (s *session) endPace(commit bool) *backend.Pace {
	if !commit {
		return &s.c.paces.rollback
	}
	return &s.c.paces.commits[index(s.haste.reads)]
}

// controlsSoon reports whether a statement about a savepoint should run inline.
func (s *session) controlsSoon() bool {
	return s.c.hurries() && s.c.paces.control.Short() && s.beginsSoon()
}

// soonest calls fn with the driver's connection: inline if it is known to be short, or else where
// blocking is allowed. what names the call.
func (s *session) soonest(ctx context.Context, short bool, what string, fn func(ctx context.Context) error) error {
	lengthy := s.haste.lengthy
	s.haste.late = false
	if short {
		if done, err := s.onTheSpot(ctx, what, fn); done {
			s.haste.lengthy = lengthy || s.haste.late
			return err
		}
	}
	err := s.block(ctx, fn)
	s.haste.lengthy = lengthy || s.haste.late
	return err
}

// onTheSpot calls fn in the loop. It returns false if another goroutine has to call fn.
func (s *session) onTheSpot(ctx context.Context, what string, fn func(ctx context.Context) error) (done bool, err error) {
	if err := loop.ContextError(ctx); err != nil {
		return true, err
	}
	if !s.turn.TryLock() {
		return false, nil
	}
	defer s.turn.Unlock()
	if s.closed {
		return true, driver.ErrBadConn
	}
	s.calling = true
	ctx = context.WithoutCancel(ctx)
	if !s.haste.impatient {
		if err := s.d.WaitForLocks(ctx, &s.conn, false); err != nil {
			return false, nil // the call in another goroutine meets the same error
		}
		s.haste.impatient = true
	}
	b := repaint.CurrentLoop().Bridge()
	b.Doing(what)
	s.haste.hurries = true
	err = fn(ctx)
	s.haste.hurries = false
	b.Doing("")
	s.calling = false
	k := &s.c.calls
	k.inline.Add(1)
	if err != nil && s.d.Locked(err) {
		k.refused.Add(1)
		return false, nil
	}
	return true, err
}

// timed notes the end of a part of a call that began at the given time.
func (s *session) timed(p *backend.Pace, began time.Time) {
	took := p.End(began, s.c.inline)
	s.haste.late = s.haste.late || took == 0 || took >= s.c.inline
	if !s.haste.hurries {
		return
	}
	s.c.calls.time.Add(int64(took))
	if took >= s.c.inline {
		s.c.calls.overlong.Add(1)
	}
}

// refused reports whether an inline call failed because it doesn't wait for locks. Another
// goroutine then repeats the call.
func (s *session) refused(err error) bool { return s.haste.hurries && s.d.Locked(err) }

// patient makes the connection wait for locks again. That takes no time, so it isn't cancelled: a
// driver may give up a connection whose context ends after the statement.
func (s *session) patient(ctx context.Context) error {
	if !s.haste.impatient {
		return nil
	}
	err := s.d.WaitForLocks(context.WithoutCancel(ctx), &s.conn, true)
	s.haste.impatient = err != nil
	return err
}
