package pg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/callsite"
	"github.com/seed1239206e/repaint/internal/holding"
)

// An ExhaustedError reports that a caller's context ended while the caller waited for a session,
// because every session had an owner. Nothing was sent. errors.Is finds the context's cause in it.
// It usually comes inside a [*StatementError].
type ExhaustedError struct {
	InUse   int // sessions that have an owner
	Most    int // sessions that there may be: pool_sessions, or one less than pool_max_conns
	Waiting int // other callers that wait
	// Holders are the places that acquired the sessions, the longest-held first: all of them in
	// debug mode (REPAINT_DEBUG=1, or a loop with loop.Debug), otherwise a sample.
	Holders []Holder
	Err     error // why the wait ended: usually the context's cause

	limit string // the option to raise, with its value; empty is pool_sessions
	lanes int    // that have the rest of the connections; 0 if there is no rest
}

// A Holder says where and when a session that is in use was acquired.
type Holder struct {
	Place string    // file:line of the innermost function outside this module
	Since time.Time // in real time
}

// Error says how many sessions are in use, where they were acquired if that is known, and what to
// do.
func (e *ExhaustedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pg: %d of %d sessions are in use%s", e.InUse, e.Most, held(e.Holders, e.InUse))
	if e.Waiting > 0 {
		b.WriteString(", and " + plural(e.Waiting, "more caller waits", "more callers wait"))
	}
	if e.lanes > 0 {
		b.WriteString("; " + plural(e.lanes, "busy lane has the other connection", "busy lanes have the other connections"))
	}
	fmt.Fprintf(&b, ": %v; end every transaction, release every session, don't acquire a second one while holding the first, or raise %s", e.Err, cmp.Or(e.limit, fmt.Sprintf("pool_sessions=%d", e.Most)))
	return b.String()
}

// Unwrap returns Err.
func (e *ExhaustedError) Unwrap() error { return e.Err }

// held says where sessions were acquired, as far as that is known.
func held(holders []Holder, inUse int) string {
	told := make([]holding.One, len(holders))
	for i, h := range holders {
		told[i] = holding.One(h)
	}
	return holding.Text(told, inUse)
}

// A taking records where and when a session got its owner.
type taking struct {
	since time.Time
	pcs   [24]uintptr
	n     int
}

// note records where a session was acquired, if sampled is true, and always in debug mode.
func (p *pool) note(s *owned, sampled bool) {
	if !sampled && !p.db.debug {
		if l := repaint.CurrentLoop(); l == nil || !l.Debugging() {
			return
		}
	}
	t := &taking{since: time.Now()}
	t.n = callsite.Callers(t.pcs[:])
	s.taken.Store(t)
}

// samples reports whether to record the place that acquires an idle session: for one of a few, and
// for the one that leaves no other. The caller must hold the mutex.
func (p *pool) samples() bool {
	return p.acquires%holding.Every == 1 || len(p.idle) == 0 && (p.places() >= p.most || p.db.places.full())
}

// holders returns the known owners, the longest-held session first. The caller must hold the mutex.
func (p *pool) holders() []Holder {
	var all []*taking
	for s := range p.all {
		if t := s.taken.Load(); t != nil {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *taking) int { return a.since.Compare(b.since) })
	holders := make([]Holder, len(all))
	for i, t := range all {
		holders[i] = Holder{outside(t.pcs[:t.n]), t.since}
	}
	return holders
}

// held says where the sessions in use were acquired.
func (p *pool) held(inUse int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return held(p.holders(), inUse)
}

// thisModule is the prefix of the names of this module's functions.
const thisModule = "github.com/seed1239206e/repaint"

// outside returns file:line of the innermost function that isn't this module's own.
func outside(pcs []uintptr) string {
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		own := strings.HasPrefix(f.Function, thisModule) && !strings.HasSuffix(f.File, "_test.go")
		switch {
		case f.File != "" && !own && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		case !more:
			return "an unknown place"
		}
	}
}

// isEnd reports whether an error is the end of the caller's context, not of the time limit for
// connecting.
func isEnd(err error) bool {
	var connecting *ConnectError
	return !errors.As(err, &connecting) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

// inVain returns the error of a caller whose context ended while it waited for a session.
func (p *pool) inVain(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := &ExhaustedError{Most: p.most, Waiting: len(p.waiters) - 1, Err: err}
	there := len(p.all) - p.dialed
	if ps := p.db.places; ps != nil {
		e.limit = fmt.Sprintf("pool_max_conns=%d", ps.most)
		if there < p.most && p.connecting == 0 && ps.full() {
			e.lanes = ps.most - there
		}
	}
	if there < p.most && e.lanes == 0 {
		return p.db.connecting(err, p.pauses.why)
	}
	e.InUse, e.Holders = there-len(p.idle), p.holders()
	return e
}
