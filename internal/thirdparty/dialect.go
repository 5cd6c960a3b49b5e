// Package thirdparty is a dialect as another module would write it: outside of db, with only the
// exported names of packages backend, sqlbackend and sqltext. It is a second dialect for SQLite, in
// as few lines as pass the conformance suite. docs/dialects.md walks through it.
package thirdparty

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/backend/sqlbackend"
	"github.com/seed1239206e/repaint/sqltext"
)

func init() { backend.Register(Dialect{}) }

// Dialect is registered as "lite": lite:///file.db.
type Dialect struct{}

var (
	_ backend.ListWriter  = Dialect{}
	_ backend.StateReader = Dialect{}
	_ backend.JSONKeeper  = Dialect{}
)

// Name returns "lite".
func (Dialect) Name() string { return "lite" }

// Options returns busy_timeout, how long to wait for a lock of the file.
func (Dialect) Options() []string { return []string{"busy_timeout"} }

// Connector opens connections to a file.
func (Dialect) Connector(u *backend.URL) (backend.Connector, error) {
	if u.Driver != "" {
		return nil, fmt.Errorf("lite: there is no driver %q; write lite:///file.db", u.Driver)
	}
	if len(u.Hosts) > 0 || u.User != "" || u.Database == "" {
		return nil, errors.New("lite: a URL has a file's name and options only: lite:///file.db")
	}
	d := sqlDriver{busyTimeout: 5 * time.Second}
	if v := u.Option("busy_timeout"); v != "" {
		var err error
		if d.busyTimeout, err = backend.ParseDuration(v); err != nil {
			return nil, fmt.Errorf("lite: busy_timeout: %w", err)
		}
	}
	open, err := sqlite.NewConnector("file:" + u.Database)
	if err != nil {
		return nil, fmt.Errorf("lite: %w", err)
	}
	return sqlbackend.New(d, open), nil
}

// Rules returns how SQLite writes SQL.
func (Dialect) Rules() *sqltext.Rules { return &sqltext.SQLite.Rules }

// Placeholder returns "?".
func (Dialect) Placeholder(int) string { return "?" }

// Traits returns what package sqltext knows of SQLite's statements.
func (Dialect) Traits(text string, statements []sqltext.Statement) backend.Traits {
	return backend.TraitsOf(sqltext.SQLite, text, statements)
}

// Lost returns what package sqltext knows of SQLite's statements.
func (Dialect) Lost(text string, statements []sqltext.Statement) string {
	return backend.LostOf(sqltext.SQLite, text, statements)
}

// EmptyList returns the inside of an empty list. For single values that is no text, which SQLite
// takes.
func (Dialect) EmptyList(columns int, _ bool) string {
	if columns > 1 {
		return "select null" + strings.Repeat(", null", columns-1) + " where false"
	}
	return ""
}

// KeepsJSON returns true: SQLite keeps JSON as text, in any column.
func (Dialect) KeepsJSON(string) bool { return true }

// conditions are the conditions that SQLite's result codes stand for.
var conditions = map[int]error{
	5:    backend.ErrLockTimeout, // BUSY
	517:  backend.ErrSerialization,
	773:  backend.ErrLockTimeout,
	6:    backend.ErrLockTimeout, // LOCKED
	8:    backend.ErrReadOnly,
	1032: backend.ErrReadOnly,
	18:   backend.ErrData, // TOOBIG
	19:   backend.ErrConstraint,
	275:  backend.ErrCheck,
	787:  backend.ErrForeignKey,
	1299: backend.ErrNotNull,
	1555: backend.ErrUnique, // PRIMARY KEY
	1811: backend.ErrConstraint,
	2067: backend.ErrUnique,
	2579: backend.ErrUnique, // ROWID
	20:   backend.ErrData,   // MISMATCH
}

// raisedInTrigger is the code of RAISE in a trigger.
const raisedInTrigger = 1811

// messages distinguish the errors that have no code of their own.
var messages = []struct {
	part      string
	condition error
}{
	{"no such table", backend.ErrUndefinedTable},
	{"no such column", backend.ErrUndefinedColumn},
	{"has no column named", backend.ErrUndefinedColumn},
	{"no such ", backend.ErrUndefined},
	{"syntax error", backend.ErrSyntax},
	{"unrecognized token", backend.ErrSyntax},
	{"incomplete input", backend.ErrSyntax},
	{"row value misused", backend.ErrSyntax},
}

// Fault reads an error of the driver.
func (Dialect) Fault(err error) backend.Fault {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return backend.Fault{}
	}
	f := backend.Fault{Condition: conditions[e.Code()], Code: fmt.Sprint(e.Code()), Raised: e.Code() == raisedInTrigger}
	text, _, _ := strings.Cut(err.Error(), fmt.Sprintf(" (%d)", e.Code()))
	for _, m := range messages {
		if f.Condition == nil && strings.Contains(text, m.part) {
			f.Condition = m.condition
		}
	}
	_, place, _ := strings.Cut(text, "constraint failed: ")
	_, place, _ = strings.Cut(place, "constraint failed: ") // SQLite's own words come after those for the code
	switch f.Condition {
	case backend.ErrUnique, backend.ErrNotNull:
		f.Table, f.Column = columnsOf(place)
	case backend.ErrCheck:
		f.Constraint = place
	case backend.ErrUndefinedTable:
		_, f.Table, _ = strings.Cut(text, "no such table: ")
	}
	return f
}

// columnsOf reads "table.column, table.column".
func columnsOf(place string) (table, columns string) {
	var all []string
	for part := range strings.SplitSeq(place, ", ") {
		t, c, _ := strings.Cut(part, ".")
		table, all = t, append(all, c)
	}
	return table, strings.Join(all, ", ")
}

// sqlDriver says what is special about the driver.
type sqlDriver struct {
	sqlbackend.Defaults
	busyTimeout time.Duration
}

var (
	_ sqlbackend.AccessSetter = sqlDriver{}
	_ sqlbackend.TxWatcher    = sqlDriver{}
)

// Facts says that SQLite has one writer, and that it runs in this process.
func (sqlDriver) Facts() sqlbackend.Facts {
	return sqlbackend.Facts{
		Limits:         backend.Limits{OneWriter: true, Local: true, MaxParams: 32766},
		KeepStatements: 100,
		ReadOnlyTx:     true,
	}
}

// Init sets up a connection.
func (d sqlDriver) Init(ctx context.Context, c *sqlbackend.Conn) error {
	for _, pragma := range []string{
		fmt.Sprint("pragma busy_timeout=", d.busyTimeout.Milliseconds()), "pragma foreign_keys=on", "pragma journal_mode=wal",
	} {
		if err := c.Exec(ctx, pragma); err != nil {
			return err
		}
	}
	return nil
}

// BeginText takes the file's lock at once where a transaction may write.
func (sqlDriver) BeginText(o backend.TxOptions) []string {
	if o.ReadOnly {
		return []string{"begin"}
	}
	return []string{"begin immediate"}
}

// SetReadOnly makes SQLite refuse what writes.
func (sqlDriver) SetReadOnly(ctx context.Context, c *sqlbackend.Conn, on bool) error {
	return c.Exec(ctx, fmt.Sprintf("pragma query_only=%t", on))
}

// TxOpen finds out whether SQLite has rolled the transaction back: it tries what can't be done in a
// transaction.
func (sqlDriver) TxOpen(ctx context.Context, c *sqlbackend.Conn, _ error) bool {
	if c.Exec(ctx, "begin") != nil {
		return true
	}
	_ = c.Exec(ctx, "rollback") // it has just begun
	return false
}

// Recover runs statements until one isn't hit by an interrupt that came late.
func (sqlDriver) Recover(ctx context.Context, c *sqlbackend.Conn) (err error) {
	for range 3 {
		if _, err = c.Value(ctx, "select 1"); err == nil {
			return nil
		}
	}
	return err
}

// Arg makes text of times, which sorts by time.
func (sqlDriver) Arg(v driver.Value) (driver.Value, error) {
	t, ok := v.(time.Time)
	if !ok {
		return v, nil
	}
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return nil, backend.OutOfRange("the year %d is beyond what can be stored as text, 0 to 9999", y)
	}
	return t.Format("2006-01-02 15:04:05.999999999-07:00"), nil
}
