package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/loop"
)

// roles knows the role of each of several servers. A DB has one if its configuration names several
// hosts of which the primary is wanted, or if its Readers read from standbys. Otherwise it is nil,
// and nothing here costs anything.
//
// Each server tells its own role: a goroutine per server asks it on a connection of its own, see
// [node.watch]. The view is what follows from the answers. It is replaced as a whole, so a read
// looks at it without a lock. Any hint of a change makes roles ask the servers at once: a
// connection that breaks, one that turns out to lead to another server, a setting that a server
// reports, a write that a server refuses.
//
// The mutex is never held together with one of a line or of the pool.
type roles struct {
	db    *DB
	leads bool // connections lead to the primary
	nodes []*node
	once  sync.Once // starts the goroutines
	view  atomic.Pointer[view]
	turn  atomic.Uint32

	repeats, toPrimary, tokenWaits atomic.Uint64
	tokenWaitTime                  atomic.Int64

	mu      sync.Mutex // held for moments
	changes chan struct{}
	waiters []*roleWaiter
	wanting int // connections that wait for a primary, and reads that wait for a standby
	marks   marks
	ends    map[uint32]uint64 // where older timelines ended, by the history of the timeline endsOf
	endsOf  uint32
	proven  map[uint32]uint64 // by timeline: the position that the promoted standby had replayed, so its log certainly goes on from there
}

// A node is one of the servers.
type node struct {
	of       *roles
	at       endpoint
	addr     string
	readers  lease         // lanes for reading from it as a standby
	active   atomic.Int64  // reads under way
	replayed atomic.Uint64 // the position up to which it had replayed the log at the last look
	poked    chan struct{} // has room for one

	reads, conflicts atomic.Uint64

	// Guarded by the mutex of the roles.
	state sighting
	since time.Time
	fit   bool
	first uint64 // the oldest mark that it had not reached at the last look
}

// A sighting is the result of a look at a server.
type sighting struct {
	role     Role
	timeline uint32
	lsn      uint64 // a standby: replayed up to here; a primary: on disk up to here
	newest   uint64 // a standby: received up to here; a primary: the end of the log
	stale    time.Duration
	plain    bool // the server doesn't tell its positions in the log
	lag      time.Duration
	lagBytes uint64
	err      error
	at       time.Time // when the server last answered
	began    int64     // when the last look began that has ended, on the clock of nanotime
}

// A view is what the sightings of one moment mean. It is immutable.
type view struct {
	primary  *node
	timeline uint32 // the newest known one; 0 if none is known
	standbys []*viewed
	whole    bool // every server has been looked at
	unfit    string
}

// viewed is a standby that Readers may use.
type viewed struct {
	*node
	timeline uint32
	plain    bool
}

// newRoles returns nil if the DB needs none.
func newRoles(db *DB, descs *descriptions) *roles {
	if !db.config.leads() && db.config.ReaderTarget == ReadPrimary {
		return nil
	}
	ro := &roles{db: db, leads: db.config.leads(), changes: make(chan struct{}), proven: map[uint32]uint64{}}
	for _, at := range nodesOf(db.config.Conn) {
		n := &node{of: ro, at: at, addr: address(at.host, at.port), poked: make(chan struct{}, 1)}
		n.state.role, n.since = RoleUnknown, time.Now()
		ro.nodes = append(ro.nodes, n)
	}
	for _, n := range ro.nodes {
		all := newReaders(db, descs)
		all.purpose, all.node = forStandbyReads, n
		all.most = max(1, all.most/max(1, len(ro.nodes)-1))
		all.setFew()
		n.readers.grant(&all.line)
	}
	ro.view.Store(&view{unfit: "; none has been looked at"})
	return ro
}

// start starts the goroutines that look at the servers. The first call that needs a connection
// calls it.
func (ro *roles) start() {
	ro.once.Do(func() {
		for _, n := range ro.nodes {
			ro.db.spawn(n.watch)
		}
	})
}

// poke makes the server's goroutine look at it now.
func (n *node) poke() {
	select {
	case n.poked <- struct{}{}:
	default:
	}
}

func (ro *roles) pokeAll() {
	for _, n := range ro.nodes {
		n.poke()
	}
}

// saw records the result of a look at a server, and acts on what follows from it.
func (ro *roles) saw(n *node, s sighting, ends map[uint32]uint64) {
	ro.mu.Lock()
	was := n.state
	if s.role == RoleGone {
		s.at, s.timeline, s.lsn, s.plain = was.at, was.timeline, was.lsn, was.plain
	}
	now := time.Now()
	if s.role == RolePrimary {
		ro.marks.add(now, max(s.lsn, s.newest))
	}
	if s.role == RoleStandby {
		ro.marks.add(now, max(s.lsn, s.newest))
		s.lag, s.lagBytes = ro.behind(n, s, now)
	}
	if was.role == RoleStandby && s.role == RolePrimary && was.timeline != 0 && was.timeline < s.timeline {
		ro.proven[was.timeline] = max(ro.proven[was.timeline], was.lsn)
	}
	if ends != nil && s.timeline >= ro.endsOf {
		ro.ends, ro.endsOf = ends, s.timeline
	}
	n.state = s
	if was.role != s.role {
		n.since = now
	}
	n.replayed.Store(s.lsn)
	before := ro.view.Load()
	left, joined := ro.judge()
	after := ro.view.Load()
	moved := before.primary != after.primary
	changed := moved || was.role != s.role || left != nil || joined != nil || !before.whole && after.whole
	if changed {
		close(ro.changes)
		ro.changes = make(chan struct{})
	}
	ro.wake(changed)
	ro.mu.Unlock()

	for _, m := range joined {
		m.lanes().welcome()
	}
	for _, m := range left {
		m.lanes().leave(fmt.Errorf("%w: Readers have left %s", errUnfit, m.addr), m == n && s.role == RoleGone)
	}
	switch {
	case moved && after.primary != nil:
		for _, m := range ro.nodes {
			if m != after.primary {
				ro.db.leave(m, fmt.Errorf("the primary is %s now, and not %s", after.primary.addr, m.addr), true)
			}
		}
	case was.role == RolePrimary && s.role == RoleStandby:
		ro.db.leave(n, fmt.Errorf("%s isn't the primary any more", n.addr), false)
	}
	if was.role != s.role {
		ro.tell(RoleChange{Host: n.addr, From: was.role, To: s.role, Timeline: s.timeline, Err: s.err})
	}
}

func (n *node) lanes() *lanes { return n.readers.of.(*lanes) }

// errUnfit says that Readers don't use a server at present.
var errUnfit = errors.New("pg: the server isn't fit for reading")

// tell tells the tracer of a change.
func (ro *roles) tell(change RoleChange) {
	t, ok := ro.db.config.Tracer.(RoleTracer)
	if !ok {
		return
	}
	_, err := aside(func() (struct{}, error) {
		t.TraceRoleChange(ro.db.ctx, change)
		return struct{}{}, nil
	})
	if err != nil {
		loop.LogReport(&callbackError{name: "TraceRoleChange", err: err})
	}
}

// judge makes the view from the sightings. It returns the servers that Readers must leave, and
// those that they may use from now on. It needs the mutex.
func (ro *roles) judge() (left, joined []*node) {
	c := ro.db.config
	v := &view{whole: true}
	for _, n := range ro.nodes {
		s := n.state
		v.whole = v.whole && s.role != RoleUnknown
		v.timeline = max(v.timeline, s.timeline)
		if s.role == RolePrimary && (v.primary == nil || s.timeline > v.primary.state.timeline) {
			v.primary = n
		}
	}
	for _, n := range ro.nodes {
		s := n.state
		late := c.MaxLag > 0 && s.lag > c.MaxLag || c.MaxLagBytes > 0 && s.lagBytes > c.MaxLagBytes
		fit := s.role == RoleStandby && !late
		switch {
		case fit:
			v.standbys = append(v.standbys, &viewed{n, s.timeline, s.plain})
		case s.role == RoleStandby:
			v.unfit += fmt.Sprintf("; %s is %v, or %d bytes, behind", n.addr, s.lag.Round(time.Millisecond), s.lagBytes)
		case s.role == RoleGone:
			v.unfit += fmt.Sprintf("; %s is gone: %v", n.addr, s.err)
		case s.role == RolePrimary:
			v.unfit += fmt.Sprintf("; %s is a primary", n.addr)
		default:
			v.unfit += fmt.Sprintf("; nothing is known of %s yet", n.addr)
		}
		if n.fit && !fit {
			left = append(left, n)
		}
		if !n.fit && fit {
			joined = append(joined, n)
		}
		n.fit = fit
	}
	ro.view.Store(v)
	return left, joined
}

// marks are positions of the log, each with the time since when this process has known that it
// exists. Times and positions grow.
type marks struct {
	at  []time.Time
	lsn []uint64
}

// mostMarks is the largest number of marks that are kept.
const mostMarks = 1024

func (m *marks) add(at time.Time, lsn uint64) {
	if n := len(m.lsn); n > 0 && lsn <= m.lsn[n-1] {
		return
	}
	if len(m.lsn) == mostMarks {
		m.at, m.lsn = slices.Delete(m.at, 0, mostMarks/2), slices.Delete(m.lsn, 0, mostMarks/2)
	}
	m.at, m.lsn = append(m.at, at), append(m.lsn, lsn)
}

// behind returns how far a standby is behind, in time and in bytes. It needs the mutex.
//
// The clock is the one of this process, and starts when the process first learns of a change that
// the standby hasn't replayed. Changes from before the first look have no known time. For those,
// the standby's answer counts, which is the age of its last transaction, if two looks have found
// the standby before the same change. After a single look that age says nothing: the primary may
// have been idle for an hour until a moment ago.
func (ro *roles) behind(n *node, s sighting, now time.Time) (time.Duration, uint64) {
	m := &ro.marks
	if s.plain || len(m.lsn) == 0 || s.lsn >= m.lsn[len(m.lsn)-1] {
		n.first = 0
		return 0, 0
	}
	i := slices.IndexFunc(m.lsn, func(lsn uint64) bool { return lsn > s.lsn })
	lag := now.Sub(m.at[i])
	if i == 0 && n.first == m.lsn[0] {
		lag = max(lag, s.stale)
	}
	n.first = m.lsn[i]
	return lag, m.lsn[len(m.lsn)-1] - s.lsn
}

// leave closes the lanes and sessions that lead to a server: at once, or as soon as their
// statements are answered. It is not about the lanes of Readers on standbys, see [lanes.leave].
// Sessions are always closed at once.
func (db *DB) leave(n *node, why error, atOnce bool) {
	for _, s := range []*lanes{db.lanes.of.(*lanes), db.readers.of.(*lanes)} {
		s.mu.Lock()
		for _, c := range s.conns {
			switch {
			case c.w.node != n:
			case atOnce:
				c.drop(why)
			default:
				c.retire()
			}
		}
		s.mu.Unlock()
	}
	for _, s := range db.pool.list() {
		s.mu.Lock()
		for _, c := range s.conns {
			if c.w.node == n {
				c.drop(why)
			}
		}
		s.mu.Unlock()
	}
}

// leave makes Readers stop using these lanes. Reads that wait for them fail so that they go
// elsewhere, and so do reads that were sent there and are taken back.
func (s *lanes) leave(why error, atOnce bool) {
	s.mu.Lock()
	s.unfit = why
	told := s.failQueue(&LostError{MaybeApplied: false, Err: why})
	for _, c := range s.conns {
		if atOnce {
			c.drop(why)
		} else {
			c.retire()
		}
	}
	idle := s.idleNow()
	s.mu.Unlock()
	for _, g := range told {
		g.tell()
	}
	for _, fn := range idle {
		fn()
	}
}

// welcome undoes leave.
func (s *lanes) welcome() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unfit = nil
	s.pauses.ended()
}

// connect opens a connection to the primary. If there is none, it waits until one is promoted, for
// Conn.ConnectTimeout at most, and only while one of the servers answers.
func (ro *roles) connect(ctx context.Context, what purpose) (*wire, error) {
	ro.start()
	limit := ro.db.config.Conn.ConnectTimeout
	began := time.Now()
	pause := firstBackoff
	for first := true; ; first = false {
		ro.mu.Lock()
		changes := ro.changes
		if first {
			ro.wanting++
			defer ro.wantsNoMore()
		}
		ro.mu.Unlock()
		w, waits, err := ro.tryEach(ctx, what)
		left := limit - time.Since(began)
		if err == nil || !waits || limit > 0 && left <= 0 || ctx.Err() != nil {
			return w, err
		}
		ro.pokeAll()
		timer := time.NewTimer(pause)
		select {
		case <-changes:
			pause = firstBackoff
		case <-timer.C:
			pause = min(2*pause, maxBackoff/4)
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

func (ro *roles) wantsNoMore() {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	ro.wanting--
}

// tryEach tries the servers that may be the primary. waits reports whether one of them may soon be
// promoted.
func (ro *roles) tryEach(ctx context.Context, what purpose) (w *wire, waits bool, err error) {
	var known, maybe, hung []*node
	all := &ConnectError{Host: hosts(ro.db.config.Conn), Database: ro.db.config.Conn.Database}
	var reasons []error
	ro.mu.Lock()
	primary := ro.view.Load().primary
	for _, n := range ro.nodes {
		switch s := n.state; {
		case n == primary:
			known = append(known, n)
		case s.role == RoleStandby:
			waits = true
			all.Attempts = append(all.Attempts, ConnectAttempt{n.addr, ConnectValidate, errNotPrimary})
			reasons = append(reasons, errNotPrimary)
		case s.role == RoleGone && isTimeout(s.err):
			hung = append(hung, n)
			all.Attempts = append(all.Attempts, ConnectAttempt{n.addr, ConnectDial, s.err})
		default:
			maybe = append(maybe, n)
		}
	}
	ro.mu.Unlock()
	candidates := append(known, maybe...)
	if len(candidates) == 0 && !waits {
		candidates, all.Attempts = hung, nil
	}
	for _, n := range candidates {
		w, err := ro.db.connectTo(ctx, what, n)
		if err == nil {
			return w, false, nil
		}
		n.poke()
		if failed := (*ConnectError)(nil); errors.As(err, &failed) {
			all.Attempts, all.limit = append(all.Attempts, failed.Attempts...), failed.limit
			reasons = append(reasons, failed.Err)
		} else {
			reasons = append(reasons, err)
		}
		var server *pgconn.PgError
		switch {
		case errors.As(err, &server) && refusesLogin(server.Code):
			return nil, false, joined(all, reasons)
		case isNotPrimary(err), errors.As(err, &server) && server.Code == "57P03":
			waits = true
		}
	}
	return nil, waits, joined(all, reasons)
}

func joined(all *ConnectError, reasons []error) error {
	if all.Err = errors.Join(reasons...); len(reasons) == 1 {
		all.Err = reasons[0]
	}
	if all.Err == nil {
		all.Err = errNotPrimary
	}
	return all
}

// isNotPrimary reports whether the server that was reached isn't a primary, or can't be written to.
func isNotPrimary(err error) bool {
	return errors.Is(err, errNotPrimary) || errors.Is(err, pgconn.ErrStandbyConnection) || errors.Is(err, pgconn.ErrReadOnlyConnection)
}

// refusesLogin reports whether any other server would say the same, so that trying it is pointless.
// pgconn gives up at these codes, too.
func refusesLogin(code string) bool {
	switch code {
	case "28P01", "28000", "3D000", "42501":
		return true
	}
	return false
}

// changes returns a channel that is closed when what is known of the servers changes. It is nil for
// a DB without roles.
func (n *node) changes() <-chan struct{} {
	if n == nil {
		return nil
	}
	n.of.mu.Lock()
	defer n.of.mu.Unlock()
	return n.of.changes
}

// isOutdated reports whether a server other than this node is known to be the primary.
func (n *node) isOutdated() bool {
	if n == nil {
		return false
	}
	now := n.of.view.Load().primary
	return now != nil && now != n
}
