package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// A Reader's read goes to the fit standby that has the fewest reads under way. A read that fails
// there for a reason that isn't its own goes to another server: a conflict with the replay, a
// connection that broke, a server that isn't fit any more. A read on the primary isn't repeated:
// its errors go to the caller.

// maxMoves is the largest number of servers that a read is sent to.
const maxMoves = 4

// A roleWaiter is a read that waits for a standby.
type roleWaiter struct {
	promise *loop.Promise[struct{}]
	lsn     uint64 // the position up to which a standby must have replayed the log; 0 if any change will do
	began   int64  // on the clock of nanotime
}

// read calls one with the lanes that the read is to use. It calls it again, with other lanes, if
// the read can't be executed there.
func (ro *roles) read(ctx context.Context, target ReaderTarget, one func(executor) error) error {
	if ro == nil {
		return &callError{"choosing a server to read from", true,
			fmt.Errorf("%w: the DB doesn't know which servers are standbys: name several hosts, or set reader_target", ErrUnsupported)}
	}
	ro.start()
	token := tokenOf(ctx)
	var tried []*node
	for {
		n, err := ro.choose(ctx, target, token, tried)
		if err != nil {
			return &callError{"choosing a server to read from", true, err}
		}
		if n == nil {
			return one(ro.db.readers.executor())
		}
		n.reads.Add(1)
		n.active.Add(1)
		err = func() error {
			defer n.active.Add(-1) // even if the greenlet is being unwound
			return one(n.readers.executor())
		}()
		if err == nil || ctx.Err() != nil || len(tried)+1 >= maxMoves || !n.failed(err) {
			return err
		}
		ro.repeats.Add(1)
		tried = append(tried, n)
	}
}

// failed reports whether an error is the server's, and not the statement's, so that another server
// may execute it.
func (n *node) failed(err error) bool {
	var server *pgconn.PgError
	var lost *LostError
	var connecting *ConnectError
	has := errors.As(err, &server)
	switch {
	case has && isRecoveryConflict(server):
		n.conflicts.Add(1)
		return !errors.As(err, &lost) || lost.SafeToRetry()
	case errors.As(err, &lost):
		n.poke()
		return lost.SafeToRetry() && !errors.Is(err, ErrClosed)
	case errors.As(err, &connecting):
		n.poke()
		return !errors.Is(err, ErrClosed) && !errors.Is(err, ErrUnsupported)
	case errors.Is(err, errUnfit):
		return true
	case has && (server.Code == "57P01" || server.Code == "57P02" || server.Code == "57P03"):
		n.poke()
		return true
	}
	return false
}

// A finding says what pick has found for a read.
type finding uint8

const (
	found     finding = iota
	notLooked         // no standby fits, but not all servers have been looked at
	notThere          // there is no standby, or all were tried
	notSoFar          // no standby is known to have replayed the log up to the token
)

// choose returns the standby that a read is to use, or nil for the primary.
func (ro *roles) choose(ctx context.Context, target ReaderTarget, token Token, tried []*node) (*node, error) {
	v := ro.view.Load()
	if err := ro.survives(v, token); err != nil {
		return nil, err
	}
	if target == ReadPrimary {
		return nil, ro.coversNow(ctx, v, token)
	}
	n, what := ro.pick(v, token, tried)
	if what == found {
		return n, nil
	}
	return ro.await(ctx, target, token, tried)
}

// pick returns the fit standby with the fewest reads under way that covers the token, leaving out
// those that were tried.
func (ro *roles) pick(v *view, token Token, tried []*node) (best *node, what finding) {
	some := false
	first := int(ro.turn.Add(1))
	least := int64(0)
	for i := range v.standbys {
		s := v.standbys[(first+i)%len(v.standbys)]
		if slices.Contains(tried, s.node) {
			continue
		}
		some = true
		if token != (Token{}) && !s.covers(v, token) {
			continue
		}
		if n := s.active.Load(); best == nil || n < least {
			best, least = s.node, n
		}
	}
	switch {
	case best != nil:
		return best, found
	case some:
		return nil, notSoFar
	case !v.whole:
		return nil, notLooked
	}
	return nil, notThere
}

// covers reports whether a standby certainly has what a token stands for. If the token is of an
// older timeline, [roles.survives] has already shown that every log that continues that timeline
// contains it.
func (s *viewed) covers(v *view, token Token) bool {
	switch {
	case s.plain || s.replayed.Load() < token.LSN:
		return false
	case token.Timeline == 0, token.Timeline < v.timeline:
		return true
	}
	return s.timeline == token.Timeline
}

// survives returns nil if the present log has what a token stands for. Otherwise it returns why the
// log lacks that, or may lack it.
func (ro *roles) survives(v *view, token Token) error {
	if token.Timeline == 0 || token.Timeline >= v.timeline {
		return nil
	}
	ro.mu.Lock()
	defer ro.mu.Unlock()
	if ro.endsOf == v.timeline {
		end, continued := ro.ends[token.Timeline]
		switch {
		case continued && token.LSN <= end:
			return nil
		case continued:
			return fmt.Errorf("%w: %v is after %v, where that log ended, in a failover", ErrTokenLost, token, Token{token.Timeline, end})
		}
		return fmt.Errorf("%w: timeline %d continues no log of timeline %d", ErrTokenLost, v.timeline, token.Timeline)
	}
	if token.LSN <= ro.proven[token.Timeline] {
		return nil
	}
	return fmt.Errorf("%w, or may be: timeline %d has been continued by %d since, and %s, where it ended, can't be read by this role",
		ErrTokenLost, token.Timeline, v.timeline, fmt.Sprintf("pg_wal/%08X.history", v.timeline))
}

// coversNow returns an error if the primary is known to lack what a token stands for.
func (ro *roles) coversNow(ctx context.Context, v *view, token Token) error {
	if token.Timeline == 0 || v.primary == nil || token.Timeline <= v.timeline {
		return nil
	}
	ro.lookAgain(ctx)
	v = ro.view.Load()
	if err := ro.survives(v, token); err != nil {
		return err
	}
	if token.Timeline > v.timeline {
		return fmt.Errorf("%w: timeline %d is asked for, and the newest that a server is known to have is %d", ErrNoStandby, token.Timeline, v.timeline)
	}
	return nil
}

// await waits for a standby that fits. It returns nil if the read is to use the primary instead.
func (ro *roles) await(ctx context.Context, target ReaderTarget, token Token, tried []*node) (*node, error) {
	config := ro.db.config
	began := nanotime()
	waited := false
	defer func() {
		if waited {
			ro.tokenWaits.Add(1)
			ro.tokenWaitTime.Add(nanotime() - began)
		}
	}()
	for {
		w := ro.enlist(token, began)
		v := ro.view.Load()
		for _, s := range v.standbys { // their goroutines then find the waiter
			s.poke()
		}
		n, what := ro.pick(v, token, tried)
		if err := ro.survives(v, token); err != nil {
			ro.dismiss(w)
			return nil, err
		}
		var limit time.Duration
		switch what {
		case found:
			ro.dismiss(w)
			return n, nil
		case notLooked:
			limit = config.CancelTimeout
			if target == ReadStandby && config.Conn.ConnectTimeout > 0 {
				limit = config.Conn.ConnectTimeout
			}
		case notSoFar:
			limit, waited = config.TokenWait, config.TokenWait > 0
		case notThere:
			if target == ReadStandby {
				limit = config.Conn.ConnectTimeout
				if len(tried) > 0 { // a standby that was tried may do after all, if it is still there
					ro.dismiss(w)
					ro.lookAgain(ctx)
					tried = nil
					continue
				}
			}
		}
		left := limit - time.Duration(nanotime()-began)
		if left <= 0 {
			ro.dismiss(w)
			return nil, ro.fallBack(ctx, target, token, what, began)
		}
		timer := time.AfterFunc(left, func() { w.promise.Resolve(struct{}{}) })
		_, err := func() (struct{}, error) {
			defer ro.dismiss(w) // even if the greenlet is being unwound
			defer timer.Stop()
			return repaint.Await(ctx, w.promise.Future())
		}()
		if err != nil {
			return nil, fmt.Errorf("%w, while waiting: %s", err, ro.lacking(ro.view.Load(), token, what))
		}
	}
}

// fallBack returns nil for the node and the error if a read that has found no standby may use the
// primary, and otherwise an error.
func (ro *roles) fallBack(ctx context.Context, target ReaderTarget, token Token, what finding, began int64) error {
	v := ro.view.Load()
	if p := v.primary; p != nil && what == notSoFar && ro.db.config.TokenWait > 0 {
		s := ro.stateOf(p)
		if s.newest < token.LSN && s.began <= began {
			ro.lookAgain(ctx)
			v, s = ro.view.Load(), ro.stateOf(p)
		}
		if s.role == RolePrimary && s.began > began && s.newest < token.LSN && (token.Timeline == 0 || token.Timeline == s.timeline) && !s.plain {
			return fmt.Errorf("%w: %v is after the end of the log, which is at %v", ErrTokenLost, token, Token{s.timeline, s.newest})
		}
	}
	if target == PreferStandby {
		if err := ro.coversNow(ctx, v, token); err != nil {
			return err
		}
		ro.toPrimary.Add(1)
		return nil
	}
	return fmt.Errorf("%w: %s", ErrNoStandby, ro.lacking(v, token, what))
}

func (ro *roles) stateOf(n *node) sighting {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	return n.state
}

// lacking says why there is no standby for a read.
func (ro *roles) lacking(v *view, token Token, what finding) string {
	if what == notSoFar {
		text := fmt.Sprintf("none is known to have replayed %v within %v (token_wait)", token, ro.db.config.TokenWait)
		for _, s := range v.standbys {
			text += fmt.Sprintf("; %s has %v", s.addr, Token{s.timeline, s.replayed.Load()})
		}
		return text
	}
	if v.unfit == "" {
		return "each has failed"
	}
	return v.unfit[2:]
}

// enlist makes a waiter and adds it to the list.
func (ro *roles) enlist(token Token, began int64) *roleWaiter {
	w := &roleWaiter{promise: loop.NewPromise[struct{}](nil), lsn: token.LSN, began: began}
	w.promise.Future().SetName("a standby to read from")
	w.promise.AskedBy(repaint.CurrentLoop())
	w.promise.UnderWay(true)
	ro.mu.Lock()
	defer ro.mu.Unlock()
	ro.waiters = append(ro.waiters, w)
	return w
}

func (ro *roles) dismiss(w *roleWaiter) {
	ro.mu.Lock()
	ro.waiters = slices.DeleteFunc(ro.waiters, func(o *roleWaiter) bool { return o == w })
	ro.mu.Unlock()
	w.promise.Resolve(struct{}{}) // so that no loop counts it as under way
}

// wake resolves the waiters that have something new to look at. It needs the mutex.
func (ro *roles) wake(changed bool) {
	if len(ro.waiters) == 0 {
		return
	}
	most := uint64(0)
	for _, s := range ro.view.Load().standbys {
		most = max(most, s.replayed.Load())
	}
	ro.waiters = slices.DeleteFunc(ro.waiters, func(w *roleWaiter) bool {
		if !changed && (w.lsn == 0 || w.lsn > most) {
			return false
		}
		w.promise.Resolve(struct{}{})
		return true
	})
}
