package db

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/statements"
	"github.com/seed1239206e/repaint/db/internal/turns"
	"github.com/seed1239206e/repaint/internal/holding"
	"github.com/seed1239206e/repaint/loop"
)

// Open opens a database. It makes a first connection, so that a wrong URL, an unreachable server or
// a file that can't be opened is an error here. [URL] says how to write one. The program must
// import the dialect's package, or else Open returns [ErrUnknownDialect]; an option that the
// dialect doesn't have is [ErrUnknownOption].
func Open(ctx context.Context, url string, opts ...Option) (*Engine, error) {
	u, err := ParseURL(url)
	if err != nil {
		return nil, err
	}
	return OpenURL(ctx, u, opts...)
}

// OpenURL is [Open] for a URL that has been parsed already.
func OpenURL(ctx context.Context, u *URL, opts ...Option) (*Engine, error) {
	d, err := dialectOf(u.Dialect)
	if err != nil {
		return nil, err
	}
	conf, err := configure(d, u.Options, opts)
	if err != nil {
		return nil, err
	}
	connector, err := conf.connectorOf(d, u)
	if err != nil {
		return nil, err
	}
	return open(ctx, d, u, conf, connector)
}

// OpenDB opens an Engine on a *sql.DB, whose driver must be one for the dialect's database. The
// Engine has a pool of its own, whose connections it takes from db, so db's SetMaxOpenConns limits
// them. Closing the Engine doesn't close db.
func OpenDB(ctx context.Context, d SQLDialect, db *sql.DB, opts ...Option) (*Engine, error) {
	conf, err := configure(d, nil, opts)
	if err != nil {
		return nil, err
	}
	if conf.pool.before != nil {
		return nil, misuse("open", "BeforeConnect has no effect on connections that a *sql.DB opens; give its driver.Connector such a hook")
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
		debug: loop.New().Debugging(),
		url:   u, dialect: d, conf: conf, connector: connector,
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
	if e.hasty, _ = connector.(backend.Hasty); e.hasty != nil {
		e.hasty.CallInline(conf.inline)
	}
	e.events.add(conf.events)
	e.turns.Pool = e.newPool(size, max)
	e.turns.Writers = e.turns.Pool
	// If there is one connection for everything, the pool is the gate.
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
	e.turns.StartUpkeep()
	opened = true
	return e, nil
}

// giveUp closes an Engine that couldn't be opened. The caller doesn't wait for a first connection
// that is still being made.
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

// shares reports whether statements may share a connection with those of other callers. They may not
// if Events.Connect sets up connections, because it isn't called for the shared ones.
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
		Jitter: e.conf.pool.jitter, IdleTime: e.conf.pool.idleTime, Health: e.conf.pool.health, Dial: e.conf.pool.dial,
		Connect: e.connector.Connect, Unreachable: e.unreachable,
		TimedOut: func(x turns.Exhausted) error { return e.poolTimeout(size, x) },
		GaveUp:   func(x turns.Exhausted, why error) error { return e.poolGivenUp(size, x, why) },
		Given:    e.events.given, Back: e.events.back,
	}
	conf.Min, conf.MinIdle = e.conf.minimums(size)
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
func (e *Engine) poolTimeout(size int, x turns.Exhausted) error {
	err := fail("connect", ErrPoolTimeout, "waited %v for a connection: all %s", e.conf.poolTimeout, e.inUse(size, x))
	err.Hint = "close every Conn, don't ask for a second one while you hold the first, or raise pool_size or pool_timeout"
	return err
}

// poolGivenUp returns the error of a caller whose context has ended while it waited for a connection.
func (e *Engine) poolGivenUp(size int, x turns.Exhausted, why error) error {
	return fmt.Errorf("waiting for a connection: all %s; close every Conn, or raise pool_size: %w", e.inUse(size, x), why)
}

// inUse says how many connections are in use, of how many, and where they were taken.
func (e *Engine) inUse(size int, x turns.Exhausted) string {
	var holders []holding.One
	for _, t := range x.Taken {
		holders = append(holders, holding.One{Place: outside(t.PCs[:t.N]), Since: t.Since})
	}
	return fmt.Sprintf("%d are in use, %[1]d of %d (%s)%s, and %d more callers wait",
		x.InUse, x.Max, poolLimits(size, x.Max), holding.Text(holders, x.InUse), x.Waiting)
}

// turnTimeout returns the error of a caller that has waited too long for its turn to read or write.
func (e *Engine) turnTimeout(holder string, waiting int) error {
	err := fail("wait", ErrBusy, "waited %v for the turn to read or write: %s, and %d more wait", e.conf.poolTimeout, holder, waiting)
	err.Hint = "inside a transaction use its Tx, not the Engine; keep transactions short, or raise pool_timeout"
	return err
}
