package db

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/telling"
	"github.com/seed1239206e/repaint/db/internal/turns"
)

// Events are functions that an Engine calls when something happens; those that
// are nil it doesn't. They run where the caller is, so that in a greenlet they may
// wait as their caller may. [OnEvents] registers them.
type Events struct {
	// Connect is called with a new connection before any caller has it, to set
	// it up: what it sets stays. An error refuses the connection; so does a call, a
	// stream or a transaction that is still going on there when it returns. After
	// that the Conn is of no use.
	Connect func(ctx context.Context, conn *Conn) error
	// Checkout is called when a connection of the pool is given out, and Checkin
	// when it comes back. Statements of tasks that follow each other on a
	// connection without a pause are one checkout; it may then happen in another
	// goroutine than theirs.
	Checkout func(ctx context.Context, conn ConnInfo)
	Checkin  func(ctx context.Context, conn ConnInfo)

	// BeforeExecute is called before each statement. An error keeps it from being
	// executed, and is what the caller gets.
	BeforeExecute func(ctx context.Context, x *Execution) error
	// AfterExecute is called after it, also if it failed. The Execution is the same.
	AfterExecute func(ctx context.Context, x *Execution)

	// Begin, Savepoint, Commit and Rollback are called after a transaction, or a
	// savepoint in one, was begun or ended.
	Begin     func(ctx context.Context, x TxEvent)
	Savepoint func(ctx context.Context, x TxEvent)
	Commit    func(ctx context.Context, x TxEvent)
	Rollback  func(ctx context.Context, x TxEvent)

	// Error is called with each error that goes out to a caller, once. What it
	// returns goes out instead, unless that is nil.
	Error func(ctx context.Context, err *Error) error
}

// ConnInfo tells which connection an event is about.
type ConnInfo struct {
	ID int64 // connections of a pool count from 1
}

// Execution is a statement that is executed, for [Events].
type Execution struct {
	Op        string         // "exec", "query" or "stream"
	Statement string         // as the caller wrote it
	Params    []sql.NamedArg // nil with HideParameters; printing an Execution doesn't show their values
	Token     string         // LogToken
	InTx      bool           // in a transaction

	// Known afterwards:
	Duration time.Duration // waiting for a connection included
	Rows     int           // returned; of a stream none yet
	Affected int64         // changed
	Err      error

	// Data is for the functions themselves.
	Data any

	telling telling.Level
}

// String tells the statement, and its parameters as errors do.
func (x Execution) String() string {
	text := x.Op + " [SQL: " + telling.Short(x.Statement, 300) + "]" + telling.Params(x.Params, x.telling)
	if x.Err != nil {
		text += ": " + x.Err.Error()
	}
	return text
}

// GoString is String: neither shows values that errors don't.
func (x Execution) GoString() string { return "db.Execution(" + strconv.Quote(x.String()) + ")" }

// TxEvent is a step in the life of a transaction, for [Events].
type TxEvent struct {
	Savepoint string // its name; "" for the transaction itself
	Options   TxOptions
	Token     string // LogToken
	Err       error  // of Commit and Rollback
}

// OnEvents registers functions for events. It may be given several times: all of
// them are called, in their order.
func OnEvents(ev Events) Option { return option(func(c *config) { c.events = append(c.events, ev) }) }

// events has what is registered, so that what isn't costs next to nothing.
type events struct {
	all         []Events
	connects    bool
	execution   bool
	tx          bool
	errors      bool
	given, back func(ctx context.Context, c *turns.Conn)
}

func (ev *events) add(all []Events) {
	ev.all = all
	for _, x := range all {
		ev.connects = ev.connects || x.Connect != nil
		ev.execution = ev.execution || x.BeforeExecute != nil || x.AfterExecute != nil
		ev.tx = ev.tx || x.Begin != nil || x.Savepoint != nil || x.Commit != nil || x.Rollback != nil
		ev.errors = ev.errors || x.Error != nil
		if x.Checkout != nil {
			ev.given = ev.checkout
		}
		if x.Checkin != nil {
			ev.back = func(ctx context.Context, c *turns.Conn) { checkin(ctx, ev.all, c) }
		}
	}
}

// checkout tells that a connection is given out. If a function panics it isn't, and those that were
// told of it before are told that it is back.
func (ev *events) checkout(ctx context.Context, c *turns.Conn) {
	told := 0
	defer func() {
		if told < len(ev.all) {
			checkin(ctx, ev.all[:told], c)
		}
	}()
	for ; told < len(ev.all); told++ {
		if fn := ev.all[told].Checkout; fn != nil {
			fn(ctx, ConnInfo{c.ID})
		}
	}
}

func checkin(ctx context.Context, told []Events, c *turns.Conn) {
	for i := range told {
		if fn := told[i].Checkin; fn != nil {
			fn(ctx, ConnInfo{c.ID})
		}
	}
}

// connected has a new connection set up. If that fails, the caller closes it.
func (ev *events) connected(ctx context.Context, e *Engine, p *turns.Pool, c *turns.Conn) (err error) {
	for _, x := range ev.all {
		if x.Connect == nil {
			continue
		}
		conn := &Conn{e: e, p: p, conf: e.conf.conn, free: e.freeToSetUp(p), setsUp: true, checkout: &checkout{c: c}, state: connOpen}
		conn.conf.tx.ReadOnly = false
		err = x.Connect(ctx, conn)
		if left := conn.takeBack(); err == nil {
			err = left
		}
		c.Dirty, c.Obscure = false, false // it is how all are set up
		if s, ok := c.Session.(backend.Resetter); ok && err == nil && !c.Bad {
			err = s.Keep(ctx)
		}
		if err == nil && c.Bad {
			err = fail("connect", ErrDisconnected, "the connection was lost while it was set up")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// freeToSetUp tells whether a new connection of p is set up without waiting at the gate: because
// who it is for has the pass to write, or because reading goes on beside a writer, which a new
// reader's settings, though they count as writes, must not wait for.
func (e *Engine) freeToSetUp(p *turns.Pool) bool {
	return !e.turns.Gate.Exclusive() || e.turns.Reserved(p)
}

// observe calls the functions for an execution around it.
func (e *Engine) observe(ctx context.Context, op string, call *call, inTx bool, run func() error) error {
	x := &Execution{Op: op, Statement: call.Statement.Source, Token: call.conf.token, InTx: inTx}
	if x.telling = call.tells(); x.telling != telling.Nothing {
		x.Params = call.st.Named(call.Args)
	}
	start := time.Now()
	for i := range e.events.all {
		if before := e.events.all[i].BeforeExecute; before != nil {
			if x.Err = before(ctx, x); x.Err != nil {
				break
			}
		}
	}
	if x.Err == nil {
		x.Err = run()
	} else {
		x.Err = e.refused(ctx, op, call, x.Err)
	}
	x.Duration, x.Rows, x.Affected = time.Since(start), call.Count(), call.Affected
	for i := range e.events.all {
		if after := e.events.all[i].AfterExecute; after != nil {
			after(ctx, x)
		}
	}
	return x.Err
}

// refused is fail for an error of BeforeExecute, whose text is the application's.
func (e *Engine) refused(ctx context.Context, op string, call *call, err error) error {
	wrapped := e.wrap(ctx, op, call, err)
	if own, ok := wrapped.(*Error); ok {
		if c, ok := own.Err.(*concealed); ok {
			known := *own
			known.Err = c.err
			wrapped = &known
		}
	}
	return e.events.fail(ctx, wrapped)
}

func (ev *events) begin(ctx context.Context, tx *Tx) {
	if !ev.tx {
		return
	}
	for i := range ev.all {
		fn := ev.all[i].Begin
		if tx.parent != nil {
			fn = ev.all[i].Savepoint
		}
		if fn != nil {
			fn(ctx, tx.event(nil))
		}
	}
}

func (ev *events) end(ctx context.Context, tx *Tx, committed bool, err error) {
	if !ev.tx {
		return
	}
	for i := range ev.all {
		fn := ev.all[i].Rollback
		if committed {
			fn = ev.all[i].Commit
		}
		if fn != nil {
			fn(ctx, tx.event(err))
		}
	}
}

func (tx *Tx) event(err error) TxEvent {
	return TxEvent{Savepoint: tx.savepoint, Options: tx.opts, Token: tx.conn.conf.token, Err: err}
}

// fail calls the functions for an error that goes out to the caller.
func (ev *events) fail(ctx context.Context, err error) error {
	own, ok := err.(*Error)
	if !ev.errors || !ok || own.seen {
		return err
	}
	// Those who look at it may change it, and others may hold it too.
	known := *own
	known.seen = true
	err = &known
	for i := range ev.all {
		fn := ev.all[i].Error
		if fn == nil {
			continue
		}
		if own, ok := err.(*Error); ok {
			if other := fn(ctx, own); other != nil {
				err = other
			}
		}
	}
	return err
}
