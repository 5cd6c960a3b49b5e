package pg

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// Pgx lends the session's connection as a *pgx.Conn while fn runs. It is for code that needs one,
// such as pgxlisten, large objects, and logical replication. In a task the conn's calls suspend
// only that task. Meanwhile every other call on the session fails with [ErrInUse].
//
// The conn knows the types of Config.RegisterTypes and LoadTypes. A session lends the same conn
// each time, so the types that fn registers in its TypeMap stay known to it. [DB.RegisterTypes]
// makes such types known to the whole DB. Notifications that come while fn runs go to the conn. A
// context that ends while the conn waits closes it, as always with pgx.
//
// After fn, Pgx checks the connection. If fn left a transaction open, Pgx rolls it back and returns
// an error. If fn closed the conn, or left something under way or unread, Pgx closes the session's
// connection and returns an error, and the session's next calls fail with [ErrClosed]. Pgx joins
// these errors with fn's own. Settings, LISTENs and other state that fn leaves behind belong to the
// session, and are undone when it is released. After fn has returned, the conn's calls fail.
//
// While the session has an open transaction, Pgx returns ErrInUse. fn may begin one of its own.
func (s *Session) Pgx(ctx context.Context, fn func(ctx context.Context, conn *pgx.Conn) error) error {
	conn, back, err := s.LendPgx(ctx)
	if err != nil {
		return err
	}
	returned := false
	defer func() {
		if !returned { // by a panic, or its greenlet is being unwound
			s.s.session().takeAway(errUnwound)
		}
	}()
	failed := fn(ctx, conn)
	returned = true
	return errors.Join(failed, back(ctx))
}

// Pgx is [Session.Pgx] with a session of its own, which it releases after fn.
func (db *DB) Pgx(ctx context.Context, fn func(ctx context.Context, conn *pgx.Conn) error) error {
	s, err := db.Acquire(ctx)
	if err != nil {
		return err
	}
	defer s.Release()
	return s.Pgx(ctx, fn)
}

// LendPgx is [Session.Pgx] in two steps, for drivers that can't use a function: the conn is lent
// until the caller calls back, which checks the connection. Further calls of back do nothing. If
// the session is released or closed first, its connection is closed.
func (s *Session) LendPgx(ctx context.Context) (conn *pgx.Conn, back func(context.Context) error, err error) {
	fail := func(err error) (*pgx.Conn, func(context.Context) error, error) {
		return nil, nil, &callError{"lending a pgx.Conn", false, err}
	}
	if err := loop.ContextError(ctx); err != nil {
		return fail(err)
	}
	if tx := s.tx.Load(); tx != nil && tx.isOpen() {
		return fail(errOneTx)
	}
	s.s.flush()
	o := s.s.session()
	if o.backend() == 0 {
		if err := s.Ping(ctx); err != nil { // this replaces a connection that was lost before its first use
			return fail(err)
		}
	}
	l := &lending{session: o}
	if err := l.occupy(&s.s); err != nil {
		return fail(err)
	}
	kept := false
	defer func() {
		if !kept {
			l.leave()
		}
	}()
	if err := l.await(ctx); err != nil {
		return fail(err)
	}
	again, err := l.attach()
	if err != nil {
		return fail(err)
	}
	if o.pgx.conn == nil {
		if err := l.connect(ctx, again); err != nil {
			o.takeAway(err)
			return fail(err)
		}
	}
	kept = true
	return o.pgx.conn, l.back, nil
}

// A lending occupies a session while its connection is lent as a pgx.Conn.
type lending struct {
	session *owned
	over    bool // belongs to the borrower
}

// lentConn is the pgx.Conn of a session, and the tunnel that it uses as its socket.
type lentConn struct {
	conn   *pgx.Conn
	tunnel *tunnel
}

// evict ends the lending because the session ends. The driver can't know what is under way, so it
// closes the connection.
func (l *lending) evict() { l.session.takeAway(errReleased) }

// takeAway closes the lent connection.
func (s *owned) takeAway(why error) {
	s.mu.Lock()
	lent := s.pgx
	s.mu.Unlock()
	if lent.tunnel != nil {
		lent.tunnel.fail(why)
	}
	s.force()
}

func (l *lending) occupy(own *lease) error {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case own.ended():
		return own.late()
	case s.occupant != nil:
		return errOccupied
	case len(s.conns) == 0:
		return &LostError{MaybeApplied: false, Err: s.lost}
	}
	s.occupant = l
	return nil
}

// leave ends the occupation.
func (l *lending) leave() {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.occupant == l {
		s.occupant = nil
	}
	for _, c := range s.conns {
		if c.tunnel.Swap(nil) != nil && c.dead == nil && c.sent.len() == 0 {
			c.watching = false
		}
	}
}

// await waits until nothing is under way on the session.
func (l *lending) await(ctx context.Context) error {
	idle := loop.NewPromise[struct{}](nil)
	idle.Future().SetName("the end of what is under way on a session")
	idle.AskedBy(repaint.CurrentLoop())
	idle.UnderWay(true)
	l.session.whenIdle(func() { idle.Resolve(struct{}{}) })
	_, err := repaint.Await(ctx, idle.Future())
	return err
}

// attach routes pgx's reads and writes through the connection. It reports whether the session has
// lent another pgx.Conn before.
func (l *lending) attach() (again bool, err error) {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.conns) == 0 || s.conns[0].dead != nil || s.forced:
		return false, &LostError{MaybeApplied: false, Err: s.lost}
	case s.conns[0].status != 'I':
		return false, fmt.Errorf("%w: it has an open transaction, which a statement's text began: end it first", ErrInUse)
	}
	c := s.conns[0]
	again = s.pgx.conn != nil
	if !again || s.pgx.conn.IsClosed() {
		s.pgx = lentConn{tunnel: newTunnel(c)}
	}
	s.pgx.tunnel.lend(true)
	s.tainted, s.unused = true, false // whatever it does
	c.tunnel.Store(s.pgx.tunnel)
	c.watching = true
	c.joinedBy(nil)
	if c.role == nobody {
		c.giveToResident()
	}
	return again, nil
}

// connect makes the pgx.Conn.
func (l *lending) connect(ctx context.Context, again bool) error {
	s := l.session
	t := s.pgx.tunnel
	config, err := s.db.lentConfig(t)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	s.db.registerIn(conn.TypeMap())
	s.mu.Lock()
	s.pgx.conn = conn
	s.mu.Unlock()
	if again {
		return conn.DeallocateAll(ctx) // those of the pgx.Conn before
	}
	return nil
}

// lentConfig returns the configuration with which pgx connects through a tunnel.
func (db *DB) lentConfig(t *tunnel) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig("host=lent user=lent dbname=lent sslmode=disable") // pgx accepts only a configuration that it has made
	if err != nil {
		return nil, err
	}
	config.Config = *db.config.Conn.Copy()
	config.TLSConfig, config.Fallbacks = nil, nil
	config.RequireAuth, config.ChannelBinding, config.SSLCertMode = "", "", ""
	config.MinProtocolVersion, config.MaxProtocolVersion = "", ""
	config.ValidateConnect, config.AfterConnect, config.AfterNetConnect = nil, nil, nil
	config.OnNotification = nil // pgx's own, for WaitForNotification
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	dialed := false
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if dialed {
			return &cancelConn{t, ctx}, nil
		}
		dialed = true
		return t, nil
	}
	config.Tracer = db.config.Tracer
	config.DefaultQueryExecMode = db.config.ExecMode
	config.StatementCacheCapacity, config.DescriptionCacheCapacity = db.config.StatementCache, db.config.StatementCache
	return config, nil
}

// back ends the lending, and checks the connection.
func (l *lending) back(ctx context.Context) error {
	if l.over {
		return nil
	}
	l.over = true
	s := l.session
	s.mu.Lock()
	lent, ours := s.pgx, s.occupant == l
	s.mu.Unlock()
	if !ours || lent.conn == nil {
		return nil // the session has ended, and has closed the connection
	}
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), s.db.config.CancelTimeout)
	defer end()
	var left error
	status, rests := lent.tunnel.atRest()
	if rests && status != 'I' && !lent.conn.IsClosed() && !lent.conn.PgConn().IsBusy() {
		left = errors.New("pg: lending a pgx.Conn: the borrower left a transaction open, which was rolled back")
		if _, err := lent.conn.Exec(ctx, "rollback"); err != nil {
			left = errors.Join(left, err)
		}
		status, rests = lent.tunnel.atRest()
	}
	if !rests || status != 'I' || lent.conn.IsClosed() || lent.conn.PgConn().IsBusy() {
		awaitCleanup(ctx, lent.conn) // pgx may be cancelling what runs
		s.takeAway(errNotAtRest)
		l.leave()
		return errors.Join(left, errNotAtRest)
	}
	lent.tunnel.lend(false)
	s.mu.Lock()
	for _, c := range s.conns {
		s.meaningsChanged(c)
	}
	s.mu.Unlock()
	l.leave()
	return left
}

var errNotAtRest = errors.New("pg: lending a pgx.Conn: the borrower closed it, or left something under way or unread: the session's connection has been closed")

// awaitCleanup waits until the goroutines of a closed pgx.Conn have ended.
func awaitCleanup(ctx context.Context, conn *pgx.Conn) {
	if !conn.IsClosed() {
		return
	}
	gone := loop.NewPromise[struct{}](nil)
	gone.AskedBy(repaint.CurrentLoop())
	gone.UnderWay(true)
	go func() {
		select {
		case <-conn.PgConn().CleanupDone():
		case <-ctx.Done():
		}
		gone.Resolve(struct{}{})
	}()
	_, _ = repaint.Await(context.WithoutCancel(ctx), gone.Future())
}

// RegisterTypes calls code that registers types in a pgx.Conn, such as pgvector's, and makes these
// types known to the DB:
//
//	err := db.RegisterTypes(ctx, pgxvec.RegisterTypes)
//
// register gets a lent conn, as with [DB.Pgx]. The codecs that it registers for types of the
// database apply everywhere from then on, as after LoadTypes. The codecs of base types must be safe
// for several goroutines; arrays, composites and the like are made anew for each user.
// RegisterTypes doesn't carry over a default PostgreSQL type for a Go type: use
// Config.RegisterTypes for that. An error of register is returned with what was attempted.
func (db *DB) RegisterTypes(ctx context.Context, register func(ctx context.Context, conn *pgx.Conn) error) error {
	err := db.Pgx(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		if err := register(ctx, conn); err != nil {
			return err
		}
		return db.learnTypes(ctx, conn, nil)
	})
	if err != nil {
		return &callError{"registering types", false, err}
	}
	return nil
}
