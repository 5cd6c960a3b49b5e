package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/backend/sqlbackend"
	"github.com/seed1239206e/repaint/sqltext"
	"modernc.org/sqlite"
)

// keptStatements is how many prepared statements a connection keeps.
const keptStatements = 128

// maxParams is SQLite's default limit on the parameters of a statement.
const maxParams = 32766

// processors returns the pool's size: SQLite runs in this process, and more readers than processors
// only get in each other's way.
func processors() int { return max(4, runtime.GOMAXPROCS(0)) }

// Connector returns a Connector for the file that the URL names, or for a new database in memory.
// It opens nothing yet. It returns an error for an unknown driver or option, and for a host or
// user.
func (Dialect) Connector(u *backend.URL) (backend.Connector, error) {
	if u.Driver != "" {
		return nil, fmt.Errorf("sqlite: there is no driver %q; write sqlite://, or give an open *sql.DB to sqlite.OpenDB", u.Driver)
	}
	if len(u.Hosts) > 0 || u.User != "" {
		return nil, errors.New("sqlite: there is no host or user; the file name begins after the third slash: sqlite:///relative.db, sqlite:////absolute.db")
	}
	o, err := readOptions(u)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	inMemory := isMemory(u)
	name := fileName(u.Database, o)
	if inMemory {
		name = memoryName()
		// A database in memory has no log that readers could read beside the writer.
		o.journalMode = ""
	}
	connector, err := sqlite.NewConnector(name)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	d := newSQLDriver(o)
	d.limits = backend.Limits{OneWriter: true, Local: true, WriterExcludesReaders: inMemory, PoolSize: processors(), MaxParams: maxParams}
	if inMemory {
		k := &keeper{connector: connector}
		return sqlbackend.New(keptDriver{d, k}, k), nil
	}
	return sqlbackend.New(d, connector), nil
}

// ConnectorDB returns a Connector for an open database of any SQLite driver. It blocks: it asks the
// database whether it is in memory, and returns an error if it can't.
func (Dialect) ConnectorDB(ctx context.Context, pool *sql.DB) (backend.Connector, error) {
	limit := pool.Stats().MaxOpenConnections
	inMemory, err := isInMemory(ctx, pool)
	if err != nil {
		return nil, err
	}
	o := defaultOptions()
	if inMemory {
		o.journalMode = ""
		limit = 1
	}
	d := newSQLDriver(o)
	d.limits = backend.Limits{OneWriter: true, Local: true, MaxConns: limit, PoolSize: processors(), MaxParams: maxParams}
	return sqlbackend.NewDB(d, pool), nil
}

// fileName returns the driver's name for a file: a URI, escaped so that the driver can't misread
// any character of the path.
func fileName(path string, o options) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	if o.mode != "" {
		u.RawQuery = "mode=" + o.mode
	}
	if o.immutable {
		u.RawQuery += "&immutable=1"
	}
	return u.String()
}

// isMemory reports whether a URL names a database in memory.
func isMemory(u *backend.URL) bool { return u.Database == "" || u.Database == ":memory:" }

// memoryName returns a name by which all connections of this process can open the same database in
// memory.
func memoryName() string { return "file:/repaint-" + rand.Text() + "?vfs=memdb" }

// keeper keeps a database in memory alive with a connection of its own: SQLite drops the database
// when its last connection is closed.
type keeper struct {
	connector driver.Connector

	mu   sync.Mutex
	kept driver.Conn
}

func (k *keeper) Driver() driver.Driver { return k.connector.Driver() }

func (k *keeper) Connect(ctx context.Context) (driver.Conn, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil {
		c, err := k.connector.Connect(ctx)
		if err != nil {
			return nil, err
		}
		k.kept = c
	}
	return k.connector.Connect(ctx)
}

func (k *keeper) release() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil {
		return nil
	}
	err := k.kept.Close()
	k.kept = nil
	return err
}

// sqlDriver is the sqlbackend.Driver of SQLite, with any Go driver.
type sqlDriver struct {
	sqlbackend.Defaults
	options
	limits backend.Limits
}

var (
	_ sqlbackend.AccessSetter = sqlDriver{}
	_ sqlbackend.TxWatcher    = sqlDriver{}

	_ sqlbackend.InterruptReader = sqlDriver{}
	_ sqlbackend.LockWaiter      = sqlDriver{}
	_ sqlbackend.Refresher       = sqlDriver{}
)

func newSQLDriver(o options) sqlDriver { return sqlDriver{options: o} }

func (d sqlDriver) Facts() sqlbackend.Facts {
	return sqlbackend.Facts{Limits: d.limits, ReadOnlyTx: true, KeepStatements: keptStatements}
}

// keptDriver is sqlDriver for a database in memory; see keeper.
type keptDriver struct {
	sqlDriver
	keeper *keeper
}

var _ sqlbackend.Closer = keptDriver{}

func (d keptDriver) Close() error { return d.keeper.release() }

// BeginText ignores the isolation level: SQLite's transactions are serializable, the strictest
// level that a caller can ask for.
func (sqlDriver) BeginText(o backend.TxOptions) []string {
	if o.ReadOnly {
		return []string{"begin"}
	}
	return []string{"begin immediate"}
}

// SetReadOnly makes a connection refuse changes to a database, or accept them again.
func (sqlDriver) SetReadOnly(ctx context.Context, c *sqlbackend.Conn, on bool) error {
	if on {
		return c.Exec(ctx, "pragma query_only=on")
	}
	return c.Exec(ctx, "pragma query_only=off")
}

// TxOpen finds out whether SQLite has rolled the transaction back, as it does after some errors (a
// full disk, an interrupted write, ON CONFLICT ROLLBACK). No driver reports that, but BEGIN fails
// in a transaction.
func (sqlDriver) TxOpen(ctx context.Context, c *sqlbackend.Conn, _ error) bool {
	if c.Exec(ctx, "begin") != nil {
		return true
	}
	_ = c.Exec(ctx, "rollback")
	return false
}

// Recover runs statements until no late interrupt hits one.
func (sqlDriver) Recover(ctx context.Context, c *sqlbackend.Conn) error {
	var err error
	for range 3 {
		if _, err = c.Value(ctx, "select 1"); err == nil {
			return nil
		}
	}
	return err
}

// WaitForLocks sets the connection's busy_timeout to 0, or back to its earlier value. In memory
// there is nothing to set: the Engine never lets a connection meet another connection's lock.
func (d sqlDriver) WaitForLocks(ctx context.Context, c *sqlbackend.Conn, on bool) error {
	if d.limits.WriterExcludesReaders {
		return nil
	}
	if on {
		return c.Exec(ctx, fmt.Sprintf("pragma busy_timeout=%v", c.Own))
	}
	was, err := c.Value(ctx, "pragma busy_timeout")
	if err == nil {
		c.Own = was
		err = c.Exec(ctx, "pragma busy_timeout=0")
	}
	return err
}

// Locked reports whether SQLite has met a lock of another connection. It returns false for
// SQLITE_BUSY_SNAPSHOT, after which the whole transaction has to begin anew.
func (sqlDriver) Locked(err error) bool {
	c := fault(err).Condition
	return c == backend.ErrLockTimeout || c == backend.ErrBusy
}

// Refresh makes SQLite compare its schema with the database's, as every statement that reads does.
// CREATE INDEX, CREATE TRIGGER and ALTER TABLE first look for some names in the schema that the
// connection remembers, which may miss what another connection has created or dropped. SQLite has
// no code for such an error. One statement that fails has no effect.
func (sqlDriver) Refresh(ctx context.Context, c *sqlbackend.Conn, text string, err error) bool {
	if !outdated.MatchString(err.Error()) {
		return false
	}
	parts := sqltext.SQLite.Split(text)
	if len(parts) != 1 {
		return false
	}
	switch verb := sqltext.SQLite.Words(text, parts[0], 1); {
	case len(verb) == 0:
		return false
	case !strings.EqualFold(verb[0], "create") && !strings.EqualFold(verb[0], "alter"):
		return false
	}
	_, err = c.Value(ctx, "select count(*) from (select 1 from sqlite_master limit 1)")
	return err == nil
}

// outdated matches the errors that an outdated schema can cause.
var outdated = regexp.MustCompile(`(index|trigger) .* already exists|no such column|duplicate column name`)

// timeLayout is a form of times in UTC that sorts by time, as text.
const timeLayout = "2006-01-02 15:04:05.999999999-07:00"

// Arg stores times in one form, whatever the driver's form is. It refuses years beyond 0 to 9999,
// whose text could neither be read nor compared.
func (sqlDriver) Arg(v driver.Value) (driver.Value, error) {
	t, ok := v.(time.Time)
	if !ok {
		return v, nil
	}
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return nil, backend.OutOfRange("the year %d is beyond what can be stored as text, 0 to 9999", y)
	}
	return t.Format(timeLayout), nil
}

// Init sets up a new connection.
func (d sqlDriver) Init(ctx context.Context, c *sqlbackend.Conn) error {
	if err := c.Exec(ctx, fmt.Sprintf("pragma busy_timeout=%d", d.busyTimeout.Milliseconds())); err != nil {
		return err
	}
	for _, p := range d.pragmas {
		if err := c.Exec(ctx, "pragma "+p); err != nil {
			return err
		}
	}
	if d.journalMode == "" {
		return nil
	}
	mode, err := d.setJournal(ctx, c)
	if err != nil {
		return err
	}
	if d.mustJournal && !strings.EqualFold(fmt.Sprint(mode), d.journalMode) {
		return fmt.Errorf("the database can't have journal_mode=%s; it has %v", d.journalMode, mode)
	}
	return nil
}

// setJournal changes the journal mode, for which SQLite briefly needs the file to itself. SQLite
// doesn't always wait for that, so setJournal tries again until busy_timeout has passed.
func (o *options) setJournal(ctx context.Context, c *sqlbackend.Conn) (any, error) {
	deadline := time.Now().Add(o.busyTimeout)
	for delay := time.Millisecond; ; delay = min(2*delay, 100*time.Millisecond) {
		mode, err := c.Value(ctx, "pragma journal_mode="+o.journalMode)
		if err == nil || !errors.Is(fault(err).Condition, backend.ErrBusy) || time.Now().After(deadline) {
			return mode, err
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// isInMemory reports whether the main database of a pool has no file.
func isInMemory(ctx context.Context, pool *sql.DB) (bool, error) {
	var file string
	err := pool.QueryRowContext(ctx, "select file from pragma_database_list where name = 'main'").Scan(&file)
	if err != nil {
		return false, fmt.Errorf("sqlite: the database can't be asked for its file; is it one of SQLite? %w", err)
	}
	return file == "", nil
}
