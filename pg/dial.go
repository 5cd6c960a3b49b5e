package pg

import (
	"context"
	"errors"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// Dial opens a connection and returns it as a session outside the pool: pool_sessions doesn't count
// it, Dial doesn't wait for other sessions, and Release closes the connection, as Close does. It is
// for a caller that has a pool of its own. Close of the DB waits for it as for any session. The
// error is a [*ConnectError]; in it errors.Is finds [ErrClosed] on a closed DB.
//
// If the context ends before the connection is open, the connection is closed when it comes.
func (db *DB) Dial(ctx context.Context) (*Session, error) {
	if err := loop.ContextError(ctx); err != nil {
		return nil, db.connecting(err, nil)
	}
	opened := loop.NewPromise[*owned](nil)
	opened.Future().SetName("a connection to the database")
	if explorer() == nil { // or else it is waited for on the spot
		opened.AskedBy(repaint.CurrentLoop())
		opened.UnderWay(true)
		opened.Certain(true)
	}
	if !db.spawn(func() { db.pool.dial(opened) }) {
		return nil, db.connecting(ErrClosed, nil)
	}
	taken := false
	defer func() { // also if its greenlet is being unwound
		if taken {
			return
		}
		if opened.Future().Cancel(context.Canceled); opened.Future().Err() == nil { // it had come all the same
			s, _ := opened.Future().Result()
			db.pool.back(s, false)
		}
	}()
	waitWhile(func() bool { return !opened.Future().Done() && ctx.Err() == nil })
	s, err := repaint.Await(ctx, opened.Future())
	switch {
	case err != nil && isEnd(err):
		return nil, db.connecting(err, nil)
	case err != nil:
		return nil, err
	}
	taken = true
	session := &Session{db: db}
	if !session.s.take(s) {
		return nil, db.connecting(s.lostBy(), nil)
	}
	db.pool.note(s, true)
	return session, nil
}

// dial opens a connection that the pool doesn't count.
func (p *pool) dial(opened *loop.Promise[*owned]) {
	w, err := p.db.connect(p.db.ctx, forAll, nil)
	s := newOwned(p.db, p.db.config.StatementCache)
	s.dialed, s.private = true, true
	p.mu.Lock()
	if err == nil && p.closing {
		err = errors.Join(ErrClosed, w.net.Close())
	}
	if err == nil {
		p.all[s] = struct{}{}
		p.dialed++
		p.opens++
	}
	p.mu.Unlock()
	if err != nil {
		opened.Reject(err)
		return
	}
	p.setUp(s, w, func(alive bool) {
		switch {
		case !alive:
			opened.Reject(p.db.connecting(ErrClosed, nil))
		case !opened.Resolve(s):
			p.back(s, false)
		}
	})
}
