package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/statements"
	"github.com/seed1239206e/repaint/db/internal/telling"
	"github.com/seed1239206e/repaint/db/internal/turns"
	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/loop"
)

// Engine is a database: its URL, its dialect and the connections to it. Use one
// for the whole program, from any number of goroutines, loops and greenlets.
//
// Its own Exec, Query and QueryRow run one statement. They
// commit by themselves; so do those of a [Conn] outside of a transaction.
type Engine struct {
	url      *URL
	dialect  Dialect
	language statements.Language
	conf     config

	connector  backend.Connector
	converter  backend.Converter // the connector, if its calls block; see serve
	suspender  backend.Suspender // the connector, if its calls may suspend instead
	shared     backend.Shared    // the connector, if it can do without a connection; else nil
	statements statements.Cache
	cleanup    time.Duration // for what ends something; 0 is no limit
	events     events
	turns      turns.Turns
	leaks      leaks

	natives statements.NativeCache // for SQL
	door    sqlDoor
}

// Open opens a database: it makes a first connection, so that a wrong URL, an
// unreachable server or a file that can't be opened is an error here. See [URL]
// for how one is written; the dialect's package must be imported.
func Open(ctx context.Context, url string, opts ...Option) (*Engine, error) {
	u, err := ParseURL(url)
	if err != nil {
		return nil, err
	}
	return OpenURL(ctx, u, opts...)
}

// OpenURL is Open for a URL that has been read already.
func OpenURL(ctx context.Context, u *URL, opts ...Option) (*Engine, error) {
	d, err := dialectOf(u.Dialect)
	if err != nil {
		return nil, err
	}
	conf, err := configure(d, u.Options, opts)
	if err != nil {
		return nil, err
	}
	connector, err := d.Connector(u)
	if err != nil {
		return nil, fail("open", ErrMisuse, "%w", err)
	}
	return open(ctx, d, u, conf, connector)
}

// OpenDB opens an Engine on a database of database/sql, whose driver must be one
// for the dialect's database. The Engine has its own pool; it holds connections
// of db for as long as it keeps them, within db's SetMaxOpenConns, and doesn't
// close db.
func OpenDB(ctx context.Context, d SQLDialect, db *sql.DB, opts ...Option) (*Engine, error) {
	conf, err := configure(d, nil, opts)
	if err != nil {
		return nil, err
	}
	connector, err := repaint.Block(ctx, func(ctx context.Context) (backend.Connector, error) {
		return d.ConnectorDB(ctx, db)
	})
	if err != nil {
		err, _ = ofContext(ctx, err)
		return nil, err
	}
	return open(ctx, d, &URL{Dialect: d.Name(), Driver: "database/sql"}, conf, connector)
}

func open(ctx context.Context, d Dialect, u *URL, conf config, connector backend.Connector) (*Engine, error) {
	limits := connector.Limits()
	conf.conn.dialect = d
	size, max := conf.places(limits)
	e := &Engine{
		url: u, dialect: d, conf: conf, connector: connector,
		language:   statements.LanguageOf(d, limits.MaxParams),
		statements: statements.NewCache(conf.statementCache),
		natives:    statements.NewNativeCache(conf.statementCache),
	}
	if !limits.Local {
		e.cleanup = conf.cleanup
	}
	if c, ok := connector.(backend.Limited); ok {
		c.LimitEndings(e.cleanup)
	}
	e.events.add(conf.events)
	e.turns.Pool = e.newPool(size, max)
	e.turns.Writers = e.turns.Pool
	// With one connection for everything the pool itself is the gate.
	if limits.OneWriter && limits.MaxConns != 1 {
		e.turns.Gate = turns.NewGate(limits.WriterExcludesReaders, conf.poolTimeout, e.turnTimeout)
		e.turns.Writers = e.newPool(1, 1)
	}

	if s, ok := connector.(backend.Shared); ok && e.shares() {
		e.shared = s
	}
	opened := false
	defer func() {
		if !opened {
			e.giveUp()
		}
	}()
	first := e.turns.Writers
	c, err := first.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	first.Release(ctx, c)
	if c, ok := connector.(backend.Converter); ok {
		e.converter = c
	}
	e.suspender, _ = connector.(backend.Suspender)
	opened = true
	return e, nil
}

// giveUp closes an Engine that couldn't be opened. A first connection that is still being made is
// waited for apart from the caller.
func (e *Engine) giveUp() {
	why := fail("open", ErrClosed, "opening %s was given up", e.url)
	ended, end := context.WithCancel(context.Background())
	end()
	if e.shut(ended, why) == 0 {
		_ = e.connector.Close() // there is a better error
		return
	}
	go func() {
		ctx, done := context.WithTimeout(context.Background(), turns.OrphanTime)
		defer done()
		e.shut(ctx, why)
		_ = e.connector.Close()
	}()
}

// shut closes the pools, and returns how many connections are still in use when ctx ends.
func (e *Engine) shut(ctx context.Context, why error) (out int) {
	ending, done := backend.Ending(ctx, e.cleanup)
	defer done()
	return e.turns.Close(ctx, ending, why)
}

// shares tells whether statements may go where others' do, too: not if connections
// are set up by an event, because the shared ones wouldn't be.
func (e *Engine) shares() bool {
	for _, x := range e.conf.events {
		if x.Connect != nil {
			return false
		}
	}
	return e.turns.Gate == nil
}

func (e *Engine) newPool(size, max int) *turns.Pool {
	conf := turns.PoolConfig{
		Size: size, Max: max, Timeout: e.conf.poolTimeout, Lifetime: e.conf.maxLifetime, Cleanup: e.cleanup, Ping: e.conf.prePing,
		Connect: e.connector.Connect, Unreachable: e.unreachable, TimedOut: e.poolTimeout,
		Given: e.events.given, Back: e.events.back,
	}
	var p *turns.Pool
	if e.events.connects {
		conf.SetUp = func(ctx context.Context, c *turns.Conn) error {
			if err := e.events.connected(ctx, e, p, c); err != nil {
				return e.unreachable(ctx, err)
			}
			return nil
		}
	}
	p = turns.NewPool(conf)
	return p
}

// poolTimeout returns the error of a caller that has waited too long for a connection.
func (e *Engine) poolTimeout(places, waiting int) error {
	err := fail("connect", ErrPoolTimeout, "waited %v for a connection: all %d are in use, and %d more callers wait",
		e.conf.poolTimeout, places, waiting)
	err.Hint = "close every Conn, don't ask for a second one while holding the first, or raise pool_size or pool_timeout"
	return err
}

// turnTimeout returns the error of a caller that has waited too long for its turn to read or write.
func (e *Engine) turnTimeout(holder string, waiting int) error {
	err := fail("wait", ErrBusy, "waited %v for the turn to read or write: %s, and %d more wait", e.conf.poolTimeout, holder, waiting)
	err.Hint = "inside a transaction use its Tx, not the Engine; keep transactions short, or raise pool_timeout"
	return err
}

// Invalidate has every connection that exists now replaced before its next use,
// those in use when they come back: after a failover, say, or a changed password.
func (e *Engine) Invalidate() {
	e.turns.Invalidate()
}

// URL returns what the Engine was opened with. It prints without the password.
func (e *Engine) URL() *URL { return e.url }

// Dialect returns the Engine's dialect.
func (e *Engine) Dialect() Dialect { return e.dialect }

// Exec runs a statement, or a script without parameters, by itself: on a connection that it has
// for that time, or on PostgreSQL, where nothing keeps it from that, on one that carries the
// statements of others, too. A script is no transaction: what precedes a failing statement stays done.
func (e *Engine) Exec(ctx context.Context, query string, args ...any) (Result, error) {
	var call call
	if err := e.prepare(ctx, &call, &e.conf.conn, query, args); err != nil {
		return Result{}, err
	}
	if err := e.once(ctx, "exec", &call); err != nil {
		return Result{}, err
	}
	return call.result(), nil
}

// Query runs a statement by itself, see [Engine.Exec], and returns all its rows.
func (e *Engine) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	return e.queryMax(ctx, 0, query, args)
}

// QueryRow runs a statement by itself, see [Engine.Exec], for its first row.
func (e *Engine) QueryRow(ctx context.Context, query string, args ...any) *Row {
	r := &Row{}
	r.call.Rows, r.call.MaxRows = true, 1
	if r.err = e.prepare(ctx, &r.call, &e.conf.conn, query, args); r.err == nil {
		r.err = e.once(ctx, "query", &r.call)
	}
	return r
}

func (e *Engine) queryMax(ctx context.Context, max int, query string, args []any) (*Rows, error) {
	r := &Rows{}
	r.call.Rows, r.call.MaxRows = true, max
	if err := e.prepare(ctx, &r.call, &e.conf.conn, query, args); err != nil {
		return nil, err
	}
	if err := e.once(ctx, "query", &r.call); err != nil {
		return nil, err
	}
	return r, nil
}

// Begin runs fn in a transaction, on a connection of its own, and commits it. If
// fn returns an error, panics or exits its goroutine, the transaction is rolled
// back; Begin returns fn's error as it is.
func (e *Engine) Begin(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	tx, err := e.beginTx(ctx, opts)
	if err != nil {
		return err
	}
	return tx.run(ctx, fn)
}

// BeginTx begins a transaction on a connection of its own, which the caller must
// end with Commit or Rollback. [Engine.Begin] does that by itself.
//
// Nothing is waited for until the first statement, neither for a connection nor,
// where only one can write at a time, for the turn to write.
func (e *Engine) BeginTx(ctx context.Context, opts ...TxOption) (*Tx, error) {
	tx, err := e.beginTx(ctx, opts)
	if err == nil {
		tx.conn.watch(1)
	}
	return tx, err
}

func (e *Engine) beginTx(ctx context.Context, opts []TxOption) (*Tx, error) {
	o := e.conf.conn.txOptions(opts)
	p := e.turns.PoolFor(!o.ReadOnly)
	if err := p.Closed(); err != nil {
		return nil, e.fail(ctx, "begin", nil, err)
	}
	tx, err := e.newConn(p).begin(ctx, nil, o)
	if err != nil {
		return nil, err
	}
	tx.owns = true
	return tx, nil
}

// Close closes the Engine: new calls and those that wait for a connection fail
// with ErrClosed, and it waits for the connections in use to come back, until
// ctx ends or, if it has no deadline, for as long as callers wait for a
// connection. If some are still in use then, it says so; they are closed when
// they come back.
func (e *Engine) Close(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		wait := e.conf.poolTimeout
		if wait == 0 {
			wait = defaults().poolTimeout
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wait)
		defer cancel()
	}
	why := fail("use the engine", ErrClosed, "the Engine for %s is closed", e.url)
	e.door.close()
	e.turns.Gate.Close(why)
	out := e.shut(ctx, why)
	var unfinished error
	if s, ok := e.connector.(backend.Shared); ok {
		unfinished = s.Finish(ctx)
	}
	err := e.connector.Close()
	if out > 0 {
		busy := fail("close", ErrTimeout, "%d connections of %s are still in use%s", out, e.url, e.leaks.where())
		busy.Hint = "close every Conn and end every Tx before closing the Engine"
		return busy
	}
	if err == nil {
		err = unfinished
	}
	if err != nil {
		return e.wrap(ctx, "close", nil, err)
	}
	return nil
}

// prepare puts a statement and its arguments into the call.
func (e *Engine) prepare(ctx context.Context, c *call, conf *connConfig, query string, args []any) error {
	if err := e.prepareCall(c, conf, query, args); err != nil {
		return e.events.fail(ctx, err)
	}
	return nil
}

func (e *Engine) prepareCall(c *call, conf *connConfig, query string, args []any) error {
	c.conf, c.ReadOnly = conf, conf.tx.ReadOnly
	if err := e.prepareText(c, query); err != nil {
		return err
	}
	st, values, err := e.bind(c.st, c.argRoom[:], args)
	if err != nil {
		return err
	}
	c.use(st)
	c.Args = values
	return nil
}

// bind returns the statement and the values for the arguments, which may have lists. The values are
// in room if that is large enough.
func (e *Engine) bind(st *statements.Statement, room, args []any) (*statements.Statement, []any, error) {
	values, err := st.Bind(room, args)
	form := st
	if err == nil {
		form, values, err = e.language.Expand(st, values)
	}
	if err != nil {
		wrong := fail("bind", ErrParameter, "%w", err)
		wrong.Statement = st.Source
		return nil, nil, wrong
	}
	return form, values, nil
}

// prepareText puts a statement into the call.
func (e *Engine) prepareText(c *call, query string) error {
	st, known := e.statements.Get(query)
	if !known {
		var err error
		if st, err = e.language.Parse(query); err != nil {
			return e.refuse(query, fail("parse", ErrSyntax, "%w", err))
		}
		e.statements.Put(st)
	}
	c.use(st)
	switch {
	case st.TxControl:
		return e.refuse(query, misuse("prepare", "a transaction is begun with Begin and ended with its Tx, not by a statement"))
	case st.Refused != "":
		return e.refuse(query, fail("prepare", ErrUnsupported, "%s", st.Refused))
	case st.Script && c.Rows:
		return e.refuse(query, misuse("query", "a script of several statements has no single result; use Exec"))
	}
	return nil
}

// refuse completes the error for a statement that isn't sent.
func (e *Engine) refuse(query string, err *Error) error {
	err.Statement, err.Dialect = query, e.dialect.Name()
	return err
}

// once runs a statement on a connection of its own.
func (e *Engine) once(ctx context.Context, op string, call *call) error {
	if e.events.execution {
		return e.observe(ctx, op, call, false, func() error { return e.onceCall(ctx, op, call) })
	}
	return e.onceCall(ctx, op, call)
}

func (e *Engine) onceCall(ctx context.Context, op string, call *call) error {
	err := loop.ContextError(ctx)
	if err == nil {
		err = refuseLost(op, call.st)
	}
	if err == nil && e.conf.conn.tx.ReadOnly && call.Statement.Writes {
		err = fail(op, ErrReadOnly, "the Engine was opened as read-only")
	}
	for attempt := 0; err == nil; attempt++ {
		if err = e.attempt(ctx, call); err == nil {
			call.forget()
			return nil
		}
		// ErrBadConn means that the statement never reached the database.
		if attempt < 2 && errors.Is(err, driver.ErrBadConn) {
			err = nil
		}
	}
	return e.fail(ctx, op, call, err)
}

// refuseLost refuses what would do nothing on a connection that is given up after it.
func refuseLost(op string, st *statements.Statement) error {
	if st.Lost == "" {
		return nil
	}
	err := misuse(op, "%s does nothing here: what it leaves ends with its connection, which the Engine doesn't keep", st.Lost)
	err.Hint = "use a Conn, from Connect, or a transaction; or Events.Connect for all connections"
	return err
}

// attempt runs the statement: in a plain goroutine on the spot, if there is
// nothing to wait for. Otherwise, on a driver that blocks, it becomes a job.
func (e *Engine) attempt(ctx context.Context, call *call) error {
	st := call.st
	if err := turn(ctx, st.Text); err != nil {
		return err
	}
	if e.shared != nil && !st.Session {
		if err := e.turns.Pool.Closed(); err != nil {
			return err
		}
		if err := e.shared.Once(ctx, &call.Call); err != driver.ErrSkip {
			return err
		}
	}
	converted, err := false, error(nil)
	if e.converter != nil {
		if converted, err = e.converter.Convert(&call.Call); err != nil {
			return err
		}
	}
	if !converted || explores() || e.suspends() {
		p := e.turns.PoolFor(st.Writes)
		c, held, err := e.turns.CheckOut(ctx, p, st.Writes, st.Source)
		if err != nil {
			return err
		}
		return e.on(ctx, p, held, c, call)
	}
	if !repaint.InGreenlet() {
		if p, held, c := e.turns.Idle(st.Writes, st.Source); c != nil {
			return e.on(ctx, p, held, c, call)
		}
	}
	return e.serve(ctx, call)
}

// offloads reports whether what the caller asks for becomes a job, because the driver would block its loop. In a loop that
// explores schedules it doesn't: there nothing goes on meanwhile.
func (e *Engine) offloads() bool {
	return e.converter != nil && repaint.InGreenlet() && !explores() && !e.suspends()
}

// suspends reports whether a call of the driver suspends only the caller.
func (e *Engine) suspends() bool { return e.suspender != nil && e.suspender.Suspends() }

// turn waits, in a loop that explores schedules, until the schedule comes to a statement. It comes before what the statement
// needs is waited for: who has that holds others up.
func turn(ctx context.Context, text string) error {
	if e := explore.Of(repaint.CurrentLoop()); e != nil {
		return e.Turn(ctx, text)
	}
	return nil
}

// explores reports whether the caller is in a loop that explores schedules.
func explores() bool { return explore.Of(repaint.CurrentLoop()) != nil }

// on runs the statement on the connection c of p, and gives that and the pass back. If the
// caller is killed while it runs, that happens when the database is done with it.
func (e *Engine) on(ctx context.Context, p *turns.Pool, held turns.Pass, c *turns.Conn, call *call) error {
	killed := true
	defer func() { e.turns.GiveBack(ctx, p, held, c, killed && !c.IsQuiet(backend.Idle)) }()
	err := e.do(ctx, p, c, call)
	killed = false
	return err
}

// do runs the statement on a connection outside of any transaction.
func (e *Engine) do(ctx context.Context, p *turns.Pool, c *turns.Conn, call *call) error {
	err := c.Session.Do(call.discreet(ctx), &call.Call)
	c.Mark(call.st.Traits)
	if err != nil {
		e.examine(p, c, err)
	}
	return err
}

// examine marks a connection that is of no use after an error.
func (e *Engine) examine(p *turns.Pool, c *turns.Conn, err error) {
	switch c.Session.Status() {
	case Broken:
		c.Bad = true
		if e.dialect.Fault(err).Condition == ErrDisconnected {
			p.Invalidate()
		}
	case backend.InTx, FailedTx:
		// Outside of a Tx there is none: someone begun it behind our back.
		c.Bad = true
	}
}

// wrap makes an error of a driver, a pool or a context an *Error that says what
// was attempted.
func (e *Engine) wrap(ctx context.Context, op string, call *call, err error) error {
	var refused *backend.ArgumentError
	if errors.As(err, &refused) {
		err = ofArgument(refused, call.tells())
	}
	var known *backend.ConditionError
	if errors.As(err, &known) {
		err = &Error{Op: op, Fault: Fault{Condition: known.Condition}, Err: known.Err}
	}
	var own *Error
	if errors.As(err, &own) {
		if own.Statement != "" || call == nil {
			return err
		}
		err := *own // never change an error that others may hold too
		err.Dialect = e.dialect.Name()
		if err.URL == "" { // or else it failed before it came to op
			err.Op = op
		}
		e.describe(&err, call)
		return &err
	}
	why, isContext := ofContext(ctx, err)
	if errors.Is(err, ErrUnknownOutcome) {
		why = backend.UnknownOutcome(why)
	}
	result := &Error{Op: op, Dialect: e.dialect.Name(), Err: why}
	var late *backend.LateError
	switch {
	case isContext:
		if errors.Is(why, context.DeadlineExceeded) {
			result.Condition = ErrTimeout
		}
	case errors.Is(err, driver.ErrBadConn):
		result.Condition = ErrDisconnected
	case errors.As(err, &late):
		result.Condition = ErrDisconnected
	default:
		result.Fault = e.dialect.Fault(err)
		result.conceal(call)
	}
	if result.Hint == "" && errors.Is(result, ErrUnknownOutcome) {
		result.Hint = lookFirst
	}
	if call != nil {
		e.describe(result, call)
	}
	return result
}

// fail is wrap for what goes out to the caller.
func (e *Engine) fail(ctx context.Context, op string, call *call, err error) error {
	return e.events.fail(ctx, e.wrap(ctx, op, call, err))
}

// unreachable says to what the Engine couldn't connect.
func (e *Engine) unreachable(ctx context.Context, err error) error {
	wrapped := e.wrap(ctx, "connect", nil, err)
	var own *Error
	if !errors.As(wrapped, &own) || own.URL != "" {
		return wrapped
	}
	known := *own
	known.Op, known.URL = "connect", e.url.String()
	return &known
}

func (e *Engine) describe(err *Error, call *call) {
	err.Statement = call.Statement.Source
	if call.tells() != telling.Nothing {
		err.Params = call.st.Named(call.Args)
	}
	err.telling = call.tells()
}

func (c *call) result() Result {
	return Result{affected: c.Affected, lastID: c.LastID, hasID: c.HasID}
}
