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

// In a loop a call that is known to be short is made on the spot: the way to another goroutine and back would
// take longer than the call. It holds the loop, so
//
//   - the call has been short several times, see [backend.Pace], and what is prepared for it is there;
//   - the connection doesn't wait for a lock that another process has. It fails at once instead, and the call is
//     made again by another goroutine, which may wait;
//   - a transaction ends on the spot only if everything in it was done on the spot, because its end takes longer
//     the more it has done.
//
// A context that ends meanwhile has no effect on such a call.

// haste is how a session's calls are made on the spot. It belongs to the caller of the running call.
type haste struct {
	hurries   bool // the running call is made on the spot
	impatient bool // the connection has been told not to wait for locks
	reads     bool // the transaction is a read-only one
	lengthy   bool // something in the transaction wasn't made on the spot
}

// paces are those of what the sessions of a connector do by themselves.
type paces struct {
	begins, commits [2]backend.Pace // of transactions that may write, and of those that only read
	rollback        backend.Pace
	control         backend.Pace // of savepoints
}

func (p *paces) begin(reads bool) *backend.Pace { return &p.begins[index(reads)] }

func index(reads bool) int {
	if reads {
		return 1
	}
	return 0
}

// calls are the figures of [backend.Calls].
type calls struct {
	inline, time, overlong, refused, offloaded atomic.Int64
}

// CallInline makes calls on the spot that take less than limit.
func (c *connector) CallInline(limit time.Duration) { c.inline = limit }

// Calls returns the figures of the sessions' calls.
func (c *connector) Calls() backend.Calls {
	return backend.Calls{
		Inline: c.calls.inline.Load(), InlineTime: time.Duration(c.calls.time.Load()), Overlong: c.calls.overlong.Load(),
		Refused: c.calls.refused.Load(), Offloaded: c.calls.offloaded.Load(),
	}
}

// hurries reports whether calls can be made on the spot here.
func (c *connector) hurries() bool {
	return c.inline > 0 && c.d.WaitForLocks != nil && c.d.DB == nil && c.cleanup == 0 && repaint.MayHold()
}

// Short reports whether a statement is known to be short. A text that isn't worth preparing once, or that runs
// code which it doesn't show, never is.
func (c *connector) Short(st *backend.Statement, begins *backend.TxOptions) bool {
	if !c.hurries() || !st.Plan || st.Obscure {
		return false
	}
	short := st.Pace.Short() // asked for first, so that both are timed
	return (begins == nil || c.paces.begin(begins.ReadOnly).Short()) && short
}

// isShort reports whether a call is to be made on the spot.
func (s *session) isShort(call *backend.Call) bool {
	st := call.Statement
	if !s.c.hurries() || !st.Plan || st.Obscure || s.needsGuard(call.ReadOnly) {
		return false
	}
	short := st.Pace.Short()
	return s.beginsSoon() && short && s.conn.statements.get(st.Text) != nil
}

// beginsSoon reports whether the begin of the transaction, if it is to come before a call, is known to be short.
func (s *session) beginsSoon() bool {
	return len(s.pending) == 0 || s.c.paces.begin(s.haste.reads).Short()
}

// EndsSoon reports whether the end of the transaction is to be made on the spot.
func (s *session) EndsSoon(commit bool) bool {
	return s.c.hurries() && s.endPace(commit).Short() && !s.haste.lengthy
}

func (s *session) endPace(commit bool) *backend.Pace {
	if !commit {
		return &s.c.paces.rollback
	}
	return &s.c.paces.commits[index(s.haste.reads)]
}

// controlsSoon reports whether what is done about a savepoint is to be made on the spot.
func (s *session) controlsSoon() bool {
	return s.c.hurries() && s.c.paces.control.Short() && s.beginsSoon()
}

// soonest calls fn with the driver's connection: on the spot if it is known to be short, or else where blocking is
// allowed. what names it.
func (s *session) soonest(ctx context.Context, short bool, what string, fn func(ctx context.Context) error) error {
	if short {
		if done, err := s.onTheSpot(ctx, what, fn); done {
			return err
		}
	}
	return s.block(ctx, fn)
}

// onTheSpot calls fn in the loop. It reports false if another goroutine has to do it.
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
			return false, nil // whatever it is, the other way meets it, too
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
	if !s.haste.hurries {
		return
	}
	s.c.calls.time.Add(int64(took))
	if took >= s.c.inline {
		s.c.calls.overlong.Add(1)
	}
}

// refused reports whether an error is that of a lock for which a call on the spot hasn't waited. Then the call
// is made again.
func (s *session) refused(err error) bool { return s.haste.hurries && s.d.Locked(err) }

// patient has the connection wait for locks again. It takes no time, so it isn't cancelled: a driver may
// take a connection whose context ends after the statement for lost.
func (s *session) patient(ctx context.Context) error {
	if !s.haste.impatient {
		return nil
	}
	err := s.d.WaitForLocks(context.WithoutCancel(ctx), &s.conn, true)
	s.haste.impatient = err != nil
	return err
}
