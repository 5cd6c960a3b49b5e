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

// Events are functions that an Engine calls when something happens; it skips those that are nil. They
// run in the goroutine or task of the call that causes the event, so they may wait as the caller may,
// and several may run at once. [OnEvents] registers them. SQLAlchemy's events are the model.
type Events struct {
	// Connect is called with a new connection before any caller gets it, to set it up. Its settings
	// stay. The connection is refused if Connect returns an error, or if a call, a stream or a
	// transaction is still open there when it returns. The Conn must not be used afterwards.
	Connect func(ctx context.Context, conn *Conn) error
	// Checkout is called when the pool gives out a connection, and Checkin when it comes back.
	// If statements of several tasks follow each other on a connection without a pause, that is one
	// checkout, and both may be called in a goroutine that belongs to none of the tasks.
	Checkout func(ctx context.Context, conn ConnInfo)
	Checkin  func(ctx context.Context, conn ConnInfo)

	// BeforeExecute is called before each statement. If it returns an error, the statement isn't
	// executed, and the caller gets that error.
	BeforeExecute func(ctx context.Context, x *Execution) error
	// AfterExecute is called after each statement, also after one that failed, with the Execution
	// that BeforeExecute got.
	AfterExecute func(ctx context.Context, x *Execution)

	// Begin, Savepoint, Commit and Rollback are called after a transaction, or a
	// savepoint in one, has begun or ended.
	Begin     func(ctx context.Context, x TxEvent)
	Savepoint func(ctx context.Context, x TxEvent)
	Commit    func(ctx context.Context, x TxEvent)
	Rollback  func(ctx context.Context, x TxEvent)

	// Error is called once with each error before a caller gets it. The caller gets the error that it
	// returns instead, or the original if that is nil.
	Error func(ctx context.Context, err *Error) error
}

// ConnInfo identifies the connection that an event is about.
type ConnInfo struct {
	ID int64 // counts the connections of a pool from 1
}

// Execution is one execution of a statement, for [Events]. The functions of one execution run one
// after the other, so they may use it without a lock.
type Execution struct {
	Op        string         // "exec", "query" or "stream"
	Statement string         // as the caller wrote it
	Params    []sql.NamedArg // nil with HideParameters; printing an Execution doesn't show their values
	Token     string         // of LogToken
	InTx      bool           // whether it runs in a transaction

	// Set for AfterExecute:
	Duration time.Duration // includes the wait for a connection
	Rows     int           // rows returned; 0 for a stream
	Affected int64         // rows changed
	Err      error

	// Data belongs to the functions: BeforeExecute can leave something there for AfterExecute.
	Data any

	telling telling.Level
}

// String returns the statement and its parameters, as the text of an [Error] does.
func (x Execution) String() string {
	text := x.Op + " [SQL: " + telling.Short(x.Statement, 300) + "]" + telling.Params(x.Params, x.telling)
	if x.Err != nil {
		text += ": " + x.Err.Error()
	}
	return text
}

// GoString returns String's text, so that %#v shows no values that errors don't.
func (x Execution) GoString() string { return "db.Execution(" + strconv.Quote(x.String()) + ")" }

// TxEvent is the begin or end of a transaction or savepoint, for [Events].
type TxEvent struct {
	Savepoint string // its name; "" for the transaction itself
	Options   TxOptions
	Token     string // of LogToken
	Err       error  // why a Commit or Rollback failed
}

// OnEvents registers functions for events. If it is given several times, all of them are called, in
// their order.
func OnEvents(ev Events) Option { return option(func(c *config) { c.events = append(c.events, ev) }) }

// events are the functions that are registered, by event, so that an event without any costs next to
// nothing.
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

// checkout calls the functions for a connection that is given out. If one of them panics, the
// connection isn't given out, and Checkin is called for those before it.
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

// connected calls the functions that set up a new connection. If one fails, the caller closes the
// connection.
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
		c.Dirty, c.Obscure = false, false // all connections are set up like this
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

// freeToSetUp reports whether a new connection of p is set up without waiting at the gate: because
// the caller that needs it has the pass to write, or because readers don't wait for a writer. The
// settings of a new reader count as writes, but must not wait for one.
func (e *Engine) freeToSetUp(p *turns.Pool) bool {
	return !e.turns.Gate.Exclusive() || e.turns.Reserved(p)
}

// observe calls run, and the functions for an execution before and after it.
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

// refused is fail for an error of BeforeExecute, whose text is the application's own.
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

// fail calls the functions for an error that the caller is about to get.
func (ev *events) fail(ctx context.Context, err error) error {
	own, ok := err.(*Error)
	if !ev.errors || !ok || own.seen {
		return err
	}
	// The functions may change the error, which others may hold, too.
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
