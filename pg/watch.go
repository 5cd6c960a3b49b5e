package pg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// lookSQL asks a server for its role, its positions in the log, its timeline, and a standby for the
// age of its last transaction in seconds. A value that makes no sense for the role is NULL. A
// standby has its timeline in three places. Some database roles may not read all of them, and the
// first two are out of date for a while after a failover.
const lookSQL = `select pg_is_in_recovery(),
 case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end - '0/0',
 case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_insert_lsn() end - '0/0',
 case when pg_is_in_recovery() then greatest((select timeline_id from pg_control_checkpoint()),
   (select min_recovery_end_timeline from pg_control_recovery()), (select received_tli from pg_stat_wal_receiver))
   else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end,
 case when pg_is_in_recovery() then extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end`

// plainLookSQL is for servers that don't know what lookSQL asks for, or don't tell this database
// role.
const plainLookSQL = `select pg_is_in_recovery(), null, null, null, null`

const (
	eagerLook  = 2 * time.Millisecond   // the shortest time between two looks
	calmLook   = 50 * time.Millisecond  // while something waits
	promptLook = 100 * time.Millisecond // the first pause at a server that is gone; it grows
)

// watch looks at a server until the DB is closed. It is the body of the server's goroutine.
func (n *node) watch() {
	ro := n.of
	l := &lookout{node: n}
	defer l.close()
	failures := 0
	for {
		began := nanotime()
		s, ends, err := l.look(ro.db.ctx)
		if ro.db.ctx.Err() != nil {
			return
		}
		if err != nil {
			failures++
			s = sighting{role: RoleGone, err: err}
		} else {
			failures = 0
			s.at = time.Now()
		}
		s.began = began
		ro.saw(n, s, ends)
		if !n.rest(began, failures) {
			return
		}
	}
}

// rest waits until the next look at the server is due. It returns false if the DB is closed.
func (n *node) rest(began int64, failures int) bool {
	ro := n.of
	timer := time.NewTimer(n.pause(failures))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ro.db.ctx.Done():
		return false
	case <-n.poked:
	}
	least := eagerLook
	if failures > 1 {
		least = promptLook / 2
	}
	if left := least - time.Duration(nanotime()-began); left > 0 {
		timer.Reset(left)
		select {
		case <-timer.C:
		case <-ro.db.ctx.Done():
			return false
		}
	}
	return true
}

// pause returns how long the next look can wait if nothing asks for one earlier.
func (n *node) pause(failures int) time.Duration {
	ro := n.of
	ro.mu.Lock()
	defer ro.mu.Unlock()
	period := ro.db.config.HostCheckPeriod
	if failures > 0 {
		backoff := promptLook << min(failures-1, 6)
		if ro.wanting == 0 {
			return min(backoff, max(period, maxBackoff))
		}
		return min(backoff, 2*promptLook)
	}
	pause := period
	if ro.wanting > 0 && ro.view.Load().primary == nil {
		pause = min(pause, calmLook)
	}
	if len(ro.waiters) > 0 {
		pause = min(pause, calmLook)
	}
	if n.state.role == RoleStandby {
		now := nanotime()
		for _, w := range ro.waiters { // the longer a read has waited, the less often
			pause = min(pause, max(eagerLook, time.Duration(now-w.began)/4))
		}
	}
	return pause
}

// A lookout asks one server. Only one goroutine may use it.
type lookout struct {
	node   *node
	conn   *pgconn.PgConn // nil if there is none
	plain  bool           // the server doesn't answer lookSQL
	endsOf uint32         // the timeline whose history was asked for last
}

func (l *lookout) close() {
	if l.conn == nil {
		return
	}
	_ = l.conn.Conn().Close() // the server has nothing to clean up
	if l.conn.IsClosed() {    // by pgconn after an error, which then cleans up in a goroutine
		limit := time.NewTimer(time.Second)
		defer limit.Stop()
		select {
		case <-l.conn.CleanupDone():
		case <-limit.C:
		}
	}
	l.conn = nil
}

// look asks the server, on a new connection if the old one has broken.
func (l *lookout) look(ctx context.Context) (sighting, map[uint32]uint64, error) {
	old := l.conn != nil
	s, ends, err := l.ask(ctx)
	if err != nil && old && !isTimeout(err) && ctx.Err() == nil {
		s, ends, err = l.ask(ctx) // the server may have ended an idle connection, or was restarted
	}
	return s, ends, err
}

func (l *lookout) ask(ctx context.Context) (s sighting, ends map[uint32]uint64, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	config := l.node.of.db.config
	if l.conn == nil {
		if l.conn, err = l.connect(ctx); err != nil {
			return s, nil, err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, config.CancelTimeout, errNoAnswer(config.CancelTimeout))
	defer cancel()
	row, err := l.row(ctx)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = errors.Join(err, cause)
		}
		return s, nil, err
	}
	s.role, s.plain = RolePrimary, l.plain
	if string(row[0]) == "t" {
		s.role = RoleStandby
	}
	s.lsn, s.newest = number(row[1]), number(row[2])
	s.timeline = uint32(number(row[3]))
	seconds, _ := strconv.ParseFloat(string(row[4]), 64)
	s.stale = time.Duration(seconds * float64(time.Second))
	if s.role == RolePrimary && s.timeline > 1 && l.endsOf != s.timeline {
		l.endsOf = s.timeline
		ends = l.history(ctx, s.timeline)
	}
	return s, ends, nil
}

func errNoAnswer(limit time.Duration) error {
	return fmt.Errorf("it has not answered within %v (cancel_timeout)", limit)
}

// number reads a value that may be NULL.
func number(text []byte) uint64 {
	n, _ := strconv.ParseUint(string(text), 10, 64)
	return n
}

// row returns the server's answer to lookSQL, or to plainLookSQL if it can't answer that.
func (l *lookout) row(ctx context.Context) ([][]byte, error) {
	for {
		text := lookSQL
		if l.plain {
			text = plainLookSQL
		}
		results, err := l.conn.Exec(ctx, text).ReadAll()
		var server *pgconn.PgError
		switch {
		case err == nil && len(results) == 1 && len(results[0].Rows) == 1 && len(results[0].Rows[0]) == 5:
			return results[0].Rows[0], nil
		case err == nil:
			return nil, fmt.Errorf("%w: no answer to what it is", ErrProtocol)
		case errors.As(err, &server) && !isFatal(server) && !l.plain && lacks(server.Code):
			l.plain = true
		default:
			return nil, err
		}
	}
}

// lacks reports whether an error's code says that the server lacks a function, or denies it to this
// database role.
func lacks(code string) bool {
	switch code {
	case "42883", "42P01", "42703", "42501", "0A000", "42601":
		return true
	}
	return false
}

// history returns the position at which each older timeline ended that the given one continues. It
// returns nil if the database role may not read that.
func (l *lookout) history(ctx context.Context, timeline uint32) map[uint32]uint64 {
	results, err := l.conn.Exec(ctx, fmt.Sprintf("select pg_read_file('pg_wal/%08X.history')", timeline)).ReadAll()
	if err != nil || len(results) != 1 || len(results[0].Rows) != 1 {
		return nil
	}
	ends := map[uint32]uint64{}
	for line := range strings.Lines(string(results[0].Rows[0][0])) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if t, err := ParseToken(fields[0] + ":" + fields[1]); err == nil {
			ends[t.Timeline] = t.LSN
		}
	}
	return ends
}

// connect opens a connection for looks. It doesn't call the hooks for statements on new
// connections.
func (l *lookout) connect(ctx context.Context) (*pgconn.PgConn, error) {
	db := l.node.of.db
	return aside(func() (*pgconn.PgConn, error) {
		at := &attempts{config: db.config.Conn, purpose: forLooks, db: db, node: l.node}
		if err := at.before(ctx, db.config); err != nil {
			return nil, err
		}
		dial := at.config.DialFunc
		at.config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if !at.own(ctx) {
				return nil, errNotNeeded // pgconn dials again to cancel a statement that it gives up
			}
			return dial(ctx, network, addr)
		}
		return pgconn.ConnectConfig(at.within(ctx), at.config)
	})
}

// lookAgain waits until every server has been looked at since the call, for Config.CancelTimeout at
// most. It doesn't wait for servers that are gone.
func (ro *roles) lookAgain(ctx context.Context) {
	began := nanotime()
	ro.start()
	limit := time.After(ro.db.config.CancelTimeout)
	done := loop.NewPromise[struct{}](nil)
	done.Future().SetName("a look at the servers")
	done.AskedBy(repaint.CurrentLoop())
	done.UnderWay(true)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ok := ro.db.spawn(func() {
		defer done.Resolve(struct{}{})
		tick := time.NewTicker(eagerLook)
		defer tick.Stop()
		for ro.unseenSince(began) {
			select {
			case <-tick.C:
			case <-limit:
				return
			case <-ctx.Done():
				return
			case <-ro.db.ctx.Done():
				return
			}
		}
	})
	if ok {
		_, _ = repaint.Await(ctx, done.Future()) // the sightings show whether it was in time
	}
}

// unseenSince reports whether a server hasn't been looked at since a time, and pokes each such
// server. A server that is gone doesn't count.
func (ro *roles) unseenSince(began int64) (some bool) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	for _, n := range ro.nodes {
		if n.state.began <= began && !(n.state.role == RoleGone && n.state.err != nil) {
			some = true
			n.poke()
		}
	}
	return some
}
