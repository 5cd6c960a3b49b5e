package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/sqltext"
)

// maxParams is the largest count of parameters in the protocol.
const maxParams = 65535

// Connector returns a Connector for the servers that the URL names. It opens nothing yet. It
// returns an error for options that it doesn't know or can't read.
func (d Dialect) Connector(u *backend.URL) (backend.Connector, error) {
	return d.ConnectorBefore(u, nil)
}

// ConnectorBefore is Connector, and calls before for each connection that it opens. before may
// change the login; if it fails, connecting fails with its error. A nil before does nothing.
func (d Dialect) ConnectorBefore(u *backend.URL, before func(context.Context, *backend.Login) error) (backend.Connector, error) {
	config, err := configure(d, u)
	if err != nil {
		return nil, err
	}
	if before != nil {
		config.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error {
			login := backend.Login{Host: c.Host, Port: strconv.Itoa(int(c.Port)), User: c.User, Password: c.Password, Database: c.Database}
			if err := before(ctx, &login); err != nil {
				return err
			}
			c.User, c.Password, c.Database = login.User, login.Password, login.Database
			return nil
		}
	}
	pool, err := pg.OpenConfig(config)
	if err != nil {
		return nil, err
	}
	return &connector{pool: pool, closed: make(chan struct{})}, nil
}

// connector holds a pg.DB. The Engine's single statements travel on its lanes. Its sessions are the
// connections in the Engine's pool.
type connector struct {
	pool *pg.DB

	// readerless is set after connections for a Reader can't be had. Then a call that only reads
	// goes on the ordinary lanes, each statement as a read-only transaction.
	readerless atomic.Bool

	closing sync.Once
	closed  chan struct{} // closed when the pool has closed; err is the outcome
	err     error
}

var (
	_ backend.LaneCounter = (*connector)(nil)
	_ backend.Exposer     = (*connector)(nil)
	_ backend.Renewer     = (*connector)(nil)
)

func (c *connector) Limits() backend.Limits { return backend.Limits{MaxParams: maxParams} }

func (c *connector) Connect(ctx context.Context) (backend.Session, error) {
	s, err := c.pool.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &session{own: s}, nil
}

// Once runs a statement on a lane, unless pg says that the statement would leave something behind
// there. A call that only reads goes on a lane of the Reader.
func (c *connector) Once(ctx context.Context, call *backend.Call) error {
	if call.Statement.Script || !c.pool.Config().Pipeline || explore.At(repaint.CurrentLoop) != nil {
		return driver.ErrSkip
	}
	args, err := arguments(call)
	if err != nil {
		return err
	}
	if call.ReadOnly && !c.readerless.Load() {
		err = execute(ctx, c.pool.Reader(), call, args)
		var connecting *pg.ConnectError
		if !errors.As(err, &connecting) || !errors.Is(err, pg.ErrUnsupported) {
			return skipRefused(err)
		}
		c.readerless.Store(true)
	}
	return skipRefused(execute(ctx, c.pool, call, alone(call, args)))
}

// skipRefused returns driver.ErrSkip if pg has refused a statement on a shared connection: the
// statement needs one of its own.
func skipRefused(err error) error {
	if errors.Is(err, pg.ErrRefusedOnLane) {
		return driver.ErrSkip
	}
	return err
}

// Lanes returns the figures of pg's lanes, with those of its Reader once it is in use.
func (c *connector) Lanes() backend.Lanes {
	if !c.pool.Config().Pipeline {
		return backend.Lanes{}
	}
	s := c.pool.Stats()
	all := backend.Lanes{Open: s.Lanes, Max: s.MaxLanes, Running: s.InFlight, Waiting: s.Queued}
	if r := c.pool.Reader().Stats(); r.Connects > 0 {
		all.Open, all.Max, all.Running, all.Waiting = all.Open+r.Lanes, all.Max+r.MaxLanes, all.Running+r.InFlight, all.Waiting+r.Queued
	}
	return all
}

// Renew replaces the lanes, including the Reader's.
func (c *connector) Renew() { c.pool.Reset() }

// Finish begins to close the pool, and waits for that until ctx ends. The closing then goes on
// until the last session is back: it doesn't disturb callers that use one.
func (c *connector) Finish(ctx context.Context) error {
	c.beginClose()
	_, err := repaint.Block(ctx, func(ctx context.Context) (struct{}, error) {
		select {
		case <-c.closed:
			return struct{}{}, c.err
		case <-ctx.Done():
			return struct{}{}, ctx.Err()
		}
	})
	return err
}

// Close closes the pool unless Finish has begun to. An Engine that was open has called Finish;
// Close then doesn't wait again for callers that still use a session.
func (c *connector) Close() error {
	if !c.beginClose() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return c.Finish(ctx)
}

// closeTimeout is how long Close waits for connections that the Engine has never used.
const closeTimeout = 3 * time.Second

// beginClose starts to close the pool, which takes until its last session is back. It reports
// whether this is the first call.
func (c *connector) beginClose() (first bool) {
	c.closing.Do(func() {
		first = true
		go func() {
			c.err = c.pool.Close(context.Background())
			close(c.closed)
		}()
	})
	return first
}

// alone returns the arguments of a statement outside of a transaction, with the options for pg in
// front.
func alone(call *backend.Call, args []any) []any {
	if !call.ReadOnly || call.Statement.Session && isDiscard(call.Statement.Text) {
		return args
	}
	return append([]any{pgx.ReadOnly}, args...)
}

// isDiscard reports whether a text is a DISCARD, which can't run in a transaction.
func isDiscard(text string) bool {
	parts := sqltext.PostgreSQL.Split(text)
	return len(parts) == 1 && parts[0].Verb == "discard"
}

// executor executes statements: the pool, a session or a transaction.
type executor interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// execute runs a statement and puts its outcome into the call.
func execute(ctx context.Context, on executor, call *backend.Call, args []any) error {
	st := call.Statement
	if call.Rows {
		rows, err := on.Query(ctx, st.Text, args...)
		if err != nil {
			return explain(call, err)
		}
		return fill(call, rows)
	}
	if st.Script {
		// They run one by one: together they would be a transaction.
		for _, text := range st.Parts {
			tag, err := on.Exec(ctx, text, args...)
			if err != nil {
				return explain(call, err)
			}
			note(call, tag)
		}
		return nil
	}
	tag, err := on.Exec(ctx, st.Text, args...)
	if err != nil {
		return explain(call, err)
	}
	note(call, tag)
	return nil
}

func note(call *backend.Call, tag pgconn.CommandTag) {
	if call.Statement.Changes {
		call.Affected = tag.RowsAffected()
	}
}

// fill puts the rows into the call.
func fill(call *backend.Call, rows pgx.Rows) error {
	defer rows.Close()
	r := newReader(rows)
	r.describe(call)
	n := int(rows.CommandTag().RowsAffected())
	if call.MaxRows > 0 {
		n = min(n, call.MaxRows)
	}
	call.Values = call.Room(n * len(call.Columns))
	for n := 0; (call.MaxRows == 0 || n < call.MaxRows) && rows.Next(); n++ {
		var err error
		if call.Values, err = r.row(call.Values); err != nil {
			return err
		}
	}
	note(call, rows.CommandTag())
	if err := rows.Err(); err != nil {
		return explain(call, err)
	}
	return nil
}

// explain turns pg's errors into those that package db knows, and states the statement only once.
func explain(call *backend.Call, err error) error {
	if failure := notEncoded(call, err); failure != nil {
		return failure
	}
	var st *pg.StatementError
	if errors.As(err, &st) {
		err = &brief{st, err}
	}
	var lost *pg.LostError
	if errors.As(err, &lost) && lost.SafeToRetry() { // a statement that was rolled back has been executed
		return fmt.Errorf("%w: %w", driver.ErrBadConn, err)
	}
	return uncertain(err)
}

// brief is an error of package pg without the statement, which db's error shows. It has the
// server's message unchanged: db's error removes values from that.
type brief struct {
	st  *pg.StatementError
	err error // st, or an error that wraps it
}

func (b *brief) Error() string {
	text := string(b.st.Stage)
	if b.st.Host != "" {
		text += " at " + b.st.Host
	}
	return text + ": " + strings.TrimPrefix(b.st.Err.Error(), "pg: ")
}

func (b *brief) Unwrap() error { return b.err }
