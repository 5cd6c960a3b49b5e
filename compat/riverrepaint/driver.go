// Package riverrepaint is a River driver for package pg. River is a queue of jobs in PostgreSQL.
//
//	client, err := river.NewClient(riverrepaint.New(db), &river.Config{…})
//
// Statements travel on the pg.DB's connections, through River's own driver for database/sql and
// package pg/stdlib. So InsertTx and the like take an *sql.Tx of [Driver.SQL]. River learns of new
// jobs by LISTEN, which its driver for database/sql lacks. Here a listener of package pg provides
// it, with one connection for each client.
package riverrepaint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"

	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

// Driver is a riverdriver.Driver for transactions of type *sql.Tx.
type Driver struct {
	*riverdatabasesql.Driver
	pg  *pg.DB
	sql *sql.DB
}

var _ riverdriver.Driver[*sql.Tx] = (*Driver)(nil)

// New returns a driver that uses the connections of a pg.DB. The caller must close it, before the
// DB.
func New(db *pg.DB) *Driver {
	pool := stdlib.OpenDB(db)
	return &Driver{riverdatabasesql.New(pool), db, pool}
}

// SQL returns an *sql.DB on the pg.DB, for transactions that insert jobs. It is always the same
// one.
func (d *Driver) SQL() *sql.DB { return d.sql }

// Close closes the *sql.DB of [Driver.SQL], and returns its error. The pg.DB stays open. River's
// clients must have stopped.
func (d *Driver) Close() error { return d.sql.Close() }

// SupportsListener implements riverdriver.Driver.
func (d *Driver) SupportsListener() bool { return d.SupportsListenNotify() }

// GetListener implements riverdriver.Driver.
func (d *Driver) GetListener(params *riverdriver.GetListenenerParams) riverdriver.Listener {
	return &listener{db: d.pg, schema: params.Schema}
}

// listener is a pg.Listener with River's interface. A pg.Listener connects again by itself after a
// loss. But River must know of the loss, to fetch the jobs whose notifications it may have missed.
// So a loss is an error here. River then closes the listener and connects it again.
type listener struct {
	db         *pg.DB
	afterwards string // the SQL of SetAfterConnectExec

	mu        sync.Mutex
	schema    string
	prefix    string          // the prefix of channels' names
	connected context.Context // ends with Close; nil when there is no connection
	end       context.CancelFunc
	on        *pg.Listener  // nil until there is a topic
	started   chan struct{} // closed with the first topic
}

var errNotConnected = errors.New("riverrepaint: the listener isn't connected")

// Connect finds out the schema. The first topic opens the connection.
func (l *listener) Connect(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.connected != nil {
		return errors.New("riverrepaint: the listener is connected already")
	}
	s, err := l.db.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("riverrepaint: connecting a listener: %w", err)
	}
	defer s.Release()
	if l.afterwards != "" {
		if _, err := s.Exec(ctx, l.afterwards); err != nil {
			return fmt.Errorf("riverrepaint: connecting a listener: %w", err)
		}
	}
	schema := l.schema
	if schema == "" {
		if err := s.QueryRow(ctx, "select coalesce(current_schema(), '')").Scan(&schema); err != nil {
			return fmt.Errorf("riverrepaint: connecting a listener: %w", err)
		}
	}
	l.schema, l.prefix = schema, ""
	if schema != "" {
		l.prefix = schema + "."
	}
	l.connected, l.end = context.WithCancel(context.Background())
	l.started = make(chan struct{})
	return nil
}

// Close ends the calls that wait.
func (l *listener) Close(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.connected == nil {
		return nil
	}
	l.end()
	if l.on != nil {
		l.on.Close()
	}
	l.connected, l.end, l.on = nil, nil, nil
	return nil
}

func (l *listener) Listen(ctx context.Context, topic string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.connected == nil {
		return errNotConnected
	}
	if l.on != nil {
		return l.on.Listen(ctx, l.prefix+topic)
	}
	on, err := l.db.Listen(ctx, l.prefix+topic)
	if err != nil {
		return err
	}
	l.on = on
	close(l.started)
	return nil
}

func (l *listener) Unlisten(ctx context.Context, topic string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.connected == nil:
		return errNotConnected
	case l.on == nil:
		return nil
	}
	return l.on.Unlisten(ctx, l.prefix+topic)
}

func (l *listener) Ping(ctx context.Context) error {
	l.mu.Lock()
	connected, on := l.connected, l.on
	l.mu.Unlock()
	switch {
	case connected == nil:
		return errNotConnected
	case on == nil:
		return l.db.Ping(ctx)
	}
	return on.Ping(ctx)
}

func (l *listener) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	l.mu.Lock()
	connected, started, prefix := l.connected, l.started, l.prefix
	l.mu.Unlock()
	if connected == nil {
		return nil, errNotConnected
	}
	select {
	case <-started:
	case <-connected.Done():
		return nil, errNotConnected
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l.mu.Lock()
	on := l.on
	l.mu.Unlock()
	if on == nil {
		return nil, errNotConnected
	}
	n, err := on.Next(ctx)
	switch {
	case err != nil:
		return nil, err
	case n.Missed:
		return nil, errors.New("riverrepaint: the listener's connection has broken; notifications may be lost")
	}
	return &riverdriver.Notification{Topic: strings.TrimPrefix(n.Channel, prefix), Payload: n.Payload}, nil
}

func (l *listener) Schema() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.schema
}

// SetAfterConnectExec is for River's tests, which set a search_path.
func (l *listener) SetAfterConnectExec(sql string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.afterwards = sql
}
