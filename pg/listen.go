package pg

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// A Notification is a message that a session has sent with NOTIFY. If Missed is set, it says
// instead that notifications may have been lost, because the connection broke and was replaced, or
// because the listener was too slow. Then read again whatever the notifications are about.
type Notification struct {
	PID     uint32 // the process id of the backend that sent it
	Channel string
	Payload string
	Missed  bool // some may have been lost; the other fields are empty
}

// Notify sends a notification, which travels like any other statement on a lane. To notify when a
// transaction commits, call the server's pg_notify in that transaction.
func (db *DB) Notify(ctx context.Context, channel, payload string) error {
	_, err := db.Exec(ctx, "select pg_notify($1, $2)", channel, payload)
	return err
}

// A Listener listens on a connection of its own. If that breaks, the listener opens another, and
// Next returns a Notification with Missed.
//
// Several goroutines or tasks may use it at once: each notification goes to one of them. After
// Close its methods return [ErrClosed], but Next first returns the notifications that have come.
type Listener struct {
	db *DB

	ctx  context.Context // ends with the listener
	end  context.CancelCauseFunc
	node *node // the server that the connection leads to; nil for a DB without roles. It belongs to the goroutine of keep

	mu       sync.Mutex // held for moments
	channels []string   // a connection that is opened from now on listens on these; changed by making a new slice
	queue    []Notification
	lost     bool // the queue was full; what came was thrown away
	waiter   *loop.Promise[struct{}]
	conn     *lease // nil while there is none
	broken   chan struct{}
}

// listenQueue is how many notifications are kept for a listener that doesn't take them.
const listenQueue = 100_000

// heartbeat is how often a listener asks its connection for a sign of life, because a silent one
// may be dead. It is also how long the answer may take.
var heartbeat = 30 * time.Second // a variable only for tests

// listenLimit is how long a new connection may take to accept the channels.
const listenLimit = 30 * time.Second

// Listen listens on channels. When it returns, the server knows, so the listener gets everything
// that is sent from then on. The context is for that only. The caller must close the listener;
// Close of the DB does so, too. If no connection can be opened, the error has a [*ConnectError].
//
// Up to 100,000 notifications wait for a slow listener. Further ones are lost, and Missed says so.
func (db *DB) Listen(ctx context.Context, channels ...string) (*Listener, error) {
	if len(channels) == 0 {
		return nil, errors.New("pg: listening: want at least one channel")
	}
	l := &Listener{db: db, channels: slices.Clone(channels)}
	l.ctx, l.end = context.WithCancelCause(db.ctx)
	first := loop.NewPromise[struct{}](nil)
	first.Future().SetName("a connection that listens")
	first.AskedBy(repaint.CurrentLoop())
	first.UnderWay(true)
	first.OnCancel(func(cause error) { l.end(cause) })
	db.pool.mu.Lock()
	closing := db.pool.closing
	db.pool.mu.Unlock()
	if closing || !db.spawn(func() { l.keep(first) }) {
		l.end(ErrClosed)
		return nil, &callError{"listening", true, ErrClosed}
	}
	if _, err := repaint.Await(ctx, first.Future()); err != nil {
		l.end(ErrClosed)
		return nil, &callError{"listening", false, err}
	}
	db.heard(l)
	return l, nil
}

// Listen adds channels. When it returns without an error, the server knows. If the connection has
// broken, the next one listens on the new channels, too, and Next returns a Notification with
// Missed.
func (l *Listener) Listen(ctx context.Context, channels ...string) error {
	return l.change(ctx, "listening", "listen ", true, channels)
}

// Unlisten removes channels. When it returns without an error, no further notifications come from
// them; those that have come can still be taken. A listener without channels keeps its connection
// until it is closed.
func (l *Listener) Unlisten(ctx context.Context, channels ...string) error {
	return l.change(ctx, "unlistening", "unlisten ", false, channels)
}

// change tells the connection, if there is one, with a statement for each channel. A later
// connection learns the list from connect. That reads the list after it has published the
// connection, so one of the two always tells the server.
func (l *Listener) change(ctx context.Context, what, verb string, on bool, channels []string) error {
	if ctx.Err() != nil {
		return &callError{what, true, context.Cause(ctx)}
	}
	for _, name := range channels {
		conn, changed, err := l.set(name, on)
		if err != nil {
			return &callError{what, true, err}
		}
		if conn == nil {
			continue
		}
		_, err = conn.executor().exec(ctx, &query{text: verb + pgx.Identifier{name}.Sanitize()})
		var lost *LostError
		if err == nil || errors.As(err, &lost) || errors.Is(err, ErrClosed) && l.ctx.Err() == nil {
			continue // the next connection makes up for a lost one
		}
		if changed {
			l.set(name, !on)
		}
		return &callError{what, false, fmt.Errorf("channel %q: %w", name, err)}
	}
	return nil
}

// set adds a channel to the list, or removes it, and returns the connection that has to learn of
// it.
func (l *Listener) set(name string, on bool) (conn *lease, changed bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return nil, false, fmt.Errorf("%w: the listener", ErrClosed)
	}
	switch i := slices.Index(l.channels, name); {
	case i < 0 && on:
		l.channels, changed = append(slices.Clone(l.channels), name), true
	case i >= 0 && !on:
		l.channels, changed = slices.Delete(slices.Clone(l.channels), i, i+1), true
	}
	return l.conn, changed, nil
}

// Ping asks the listener's connection for a sign of life. If that has broken and another is being
// opened, Ping returns an error. The listener recovers by itself.
func (l *Listener) Ping(ctx context.Context) error {
	l.mu.Lock()
	conn, ended := l.conn, l.ctx.Err() != nil
	l.mu.Unlock()
	switch {
	case ended:
		return fmt.Errorf("%w: the listener", ErrClosed)
	case conn == nil:
		return errors.New("pg: ping: the listener's connection has broken; another one is being opened")
	}
	return conn.executor().ping(ctx)
}

// Next waits for the next notification. It returns the context's cause if the context ends first,
// and [ErrClosed] if the listener is closed and all notifications have been taken.
func (l *Listener) Next(ctx context.Context) (Notification, error) {
	for {
		l.mu.Lock()
		if len(l.queue) > 0 {
			n := l.queue[0]
			l.queue[0] = Notification{}
			if l.queue = l.queue[1:]; len(l.queue) == 0 {
				l.queue = nil
			}
			l.mu.Unlock()
			return n, nil
		}
		if l.lost {
			l.lost = false
			l.mu.Unlock()
			return Notification{Missed: true}, nil
		}
		if l.ctx.Err() != nil {
			l.mu.Unlock()
			return Notification{}, fmt.Errorf("%w: the listener", ErrClosed)
		}
		if l.waiter == nil {
			l.waiter = loop.NewPromise[struct{}](nil)
			l.waiter.Future().SetName("a notification")
		}
		w := l.waiter
		l.mu.Unlock()
		if err := watch(ctx, w); err != nil {
			return Notification{}, err
		}
	}
}

// All yields the notifications as they come, across lost connections, until the context ends or the
// listener is closed. It yields that error, as of Next, last.
func (l *Listener) All(ctx context.Context) iter.Seq2[Notification, error] {
	return func(yield func(Notification, error) bool) {
		for {
			n, err := l.Next(ctx)
			if !yield(n, err) || err != nil {
				return
			}
		}
	}
}

// Close ends the listener. It doesn't wait. Notifications that have come can still be taken.
// Further calls do nothing.
func (l *Listener) Close() {
	l.end(ErrClosed)
	l.wake()
}

// add keeps a notification until a caller takes it.
func (l *Listener) add(n Notification) {
	l.mu.Lock()
	if len(l.queue) >= listenQueue {
		l.lost = true
	} else {
		l.queue = append(l.queue, n)
	}
	l.mu.Unlock()
	l.wake()
}

func (l *Listener) wake() {
	l.mu.Lock()
	w := l.waiter
	l.waiter = nil
	l.mu.Unlock()
	if w != nil {
		w.Resolve(struct{}{})
	}
}

// keep is the goroutine that keeps a connection open. The first connection completes the promise.
func (l *Listener) keep(first *loop.Promise[struct{}]) {
	defer l.wake()
	pause := firstBackoff
	for again := false; ; again = true {
		err := l.connect()
		switch {
		case err == nil && again:
			l.add(Notification{Missed: true})
		case err == nil:
			first.Resolve(struct{}{})
		case !again:
			first.Reject(err)
			l.end(err)
			return
		}
		if err == nil {
			pause = firstBackoff
			l.beat()
		}
		l.drop()
		if !l.sleep(pause) {
			return
		}
		pause = min(2*pause, maxBackoff)
	}
}

func (l *Listener) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// connect opens a connection that listens.
func (l *Listener) connect() error {
	w, err := l.db.connect(l.ctx, forAll, nil)
	if err != nil {
		return err
	}
	l.node = w.node
	s := new(lease)
	own := newOwned(l.db, 0)
	own.onNotification = l.add
	s.grant(&own.line)
	broken := make(chan struct{})
	own.onLost = func() { close(broken) }
	l.mu.Lock()
	l.conn, l.broken = s, broken
	l.mu.Unlock()
	s.mu.Lock()
	c := s.add(w)
	s.mu.Unlock()
	if c == nil {
		close(broken)
		return ErrClosed
	}
	ctx, cancel := context.WithTimeout(l.ctx, listenLimit)
	defer cancel()
	l.mu.Lock()
	channels := l.channels
	l.mu.Unlock()
	for _, channel := range channels {
		if _, err := s.executor().exec(ctx, &query{text: "listen " + pgx.Identifier{channel}.Sanitize()}); err != nil {
			l.drop()
			return err
		}
	}
	return nil
}

// beat returns when the connection is broken, when its server isn't the primary any more, or when
// the listener ends.
func (l *Listener) beat() {
	timer := time.NewTicker(heartbeat)
	defer timer.Stop()
	for {
		changes := l.node.changes() // taken before the look, so that none is missed
		if l.node.isOutdated() {
			return
		}
		select {
		case <-l.broken:
			return
		case <-l.ctx.Done():
			return
		case <-changes:
			continue
		case <-timer.C:
		}
		ctx, cancel := context.WithTimeout(l.ctx, heartbeat)
		err := l.conn.executor().ping(ctx)
		cancel()
		if err != nil {
			return
		}
	}
}

// drop closes the connection and waits until its reader has ended.
func (l *Listener) drop() {
	l.mu.Lock()
	s, broken := l.conn, l.broken
	l.conn = nil
	l.mu.Unlock()
	if s != nil {
		s.force()
		<-broken
	}
}
