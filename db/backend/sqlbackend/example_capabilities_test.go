package sqlbackend_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log"
	"net"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/backend/sqlbackend"
	dialect "github.com/seed1239206e/repaint/db/sqlite"
	"github.com/seed1239206e/repaint/sqltext"
)

// lite is a Driver for one connection to SQLite. The drivers below embed it.
type lite struct{ sqlbackend.Defaults }

func (lite) Facts() sqlbackend.Facts {
	return sqlbackend.Facts{Limits: backend.Limits{MaxConns: 1, Local: true}, KeepStatements: 8}
}

// liteDialect is SQLite's dialect with another Driver.
type liteDialect struct {
	dialect.Dialect
	driver sqlbackend.Driver
	open   driver.Connector
}

func (liteDialect) Name() string { return "lite" }

func (d liteDialect) Connector(*backend.URL) (backend.Connector, error) {
	return sqlbackend.New(d.driver, d.open), nil
}

// Traits says which statements return rows, for an Emulator.
func (liteDialect) Traits(text string, statements []sqltext.Statement) backend.Traits {
	return backend.TraitsOf(sqltext.SQLite, text, statements)
}

// openLite opens an Engine with a Driver on a database in memory.
func openLite(ctx context.Context, d sqlbackend.Driver, opts ...db.Option) *db.Engine {
	open, err := sqlite.NewConnector(":memory:")
	if err != nil {
		log.Fatal(err)
	}
	return openWith(ctx, d, open, opts...)
}

// openWith is openLite with the given connections.
func openWith(ctx context.Context, d sqlbackend.Driver, open driver.Connector, opts ...db.Option) *db.Engine {
	backend.Register(liteDialect{driver: d, open: open})
	e, err := db.Open(ctx, "lite://", opts...)
	if err != nil {
		log.Fatal(err)
	}
	return e
}

// codeOf returns the code of SQLite in an error, or 0.
func codeOf(err error) int {
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// greeting sets up connections.
type greeting struct{ lite }

func (greeting) Init(ctx context.Context, c *sqlbackend.Conn) error {
	if err := c.Exec(ctx, "create temp table greeting as select 'hello' as text"); err != nil {
		return err
	}
	var err error
	c.Own, err = c.Value(ctx, "select text from greeting") // for other methods of the Driver
	fmt.Println(c.Own)
	return err
}

// A Conn runs statements for the methods of a Driver.
func ExampleConn() {
	ctx := context.Background()
	e := openLite(ctx, greeting{})
	defer e.Close(ctx)
	fmt.Println(db.Scalar[int](ctx, e, "select count(*) from greeting"))
	// Output:
	// hello
	// 1 <nil>
}

// tidy restores what a statement may change without showing it.
type tidy struct{ lite }

func (tidy) Keep(ctx context.Context, c *sqlbackend.Conn) (err error) {
	c.Own, err = c.Value(ctx, "pragma cache_size")
	return err
}

func (tidy) Reset(ctx context.Context, c *sqlbackend.Conn) error {
	fmt.Println("reset to", c.Own)
	return c.Exec(ctx, fmt.Sprint("pragma cache_size = ", c.Own))
}

var _ sqlbackend.Resetter = tidy{}

func ExampleResetter() {
	ctx := context.Background()
	e := openLite(ctx, tidy{})
	defer e.Close(ctx)
	conn, err := e.Connect(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(conn.Close())
	// Output:
	// reset to -2000
	// <nil>
}

// watcher finds out whether SQLite has rolled a transaction back: BEGIN fails in a transaction.
type watcher struct{ lite }

func (watcher) TxOpen(ctx context.Context, c *sqlbackend.Conn, _ error) bool {
	if c.Exec(ctx, "begin") != nil {
		return true
	}
	_ = c.Exec(ctx, "rollback") // of the transaction that the question has begun
	return false
}

var _ sqlbackend.TxWatcher = watcher{}

func ExampleTxWatcher() {
	ctx := context.Background()
	e := openLite(ctx, watcher{})
	defer e.Close(ctx)
	if _, err := e.Exec(ctx, "create table t(n not null)"); err != nil {
		log.Fatal(err)
	}
	err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "insert or rollback into t values (null)"); err == nil {
			return nil
		}
		_, err := tx.Exec(ctx, "insert into t values (1)") // would be committed by itself
		return err
	})
	fmt.Println(errors.Is(err, db.ErrTxFailed))
	// Output: true
}

// reading understands the error with which the driver ends a call whose context has ended.
type reading struct{ lite }

func (reading) Interrupted(err error) bool { return codeOf(err) == 9 }

var _ sqlbackend.InterruptReader = reading{}

// The caller gets the reason of the interrupt.
func ExampleInterruptReader() {
	ctx := context.Background()
	e := openLite(ctx, reading{})
	defer e.Close(ctx)
	short, done := context.WithTimeout(ctx, time.Millisecond)
	defer done()
	_, err := e.Exec(short, "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n")
	fmt.Println(errors.Is(err, context.DeadlineExceeded), errors.Is(err, db.ErrTimeout))
	// Output: true true
}

// local tells SQLite whether to wait for locks.
type local struct{ lite }

func (local) WaitForLocks(ctx context.Context, c *sqlbackend.Conn, on bool) error {
	if on {
		return c.Exec(ctx, "pragma busy_timeout = 5000")
	}
	return c.Exec(ctx, "pragma busy_timeout = 0")
}

func (local) Locked(err error) bool { return codeOf(err) == 5 }

var _ sqlbackend.LockWaiter = local{}

// After a few runs a statement is known to be short, and runs in the loop.
func ExampleLockWaiter() {
	ctx := context.Background()
	e := openLite(ctx, local{}, db.InlineLimit(time.Hour))
	defer e.Close(ctx)
	err := repaint.Run(ctx, func(ctx context.Context) error {
		for range 20 {
			if _, err := db.Scalar[int](ctx, e, "select 1"); err != nil {
				return err
			}
		}
		return nil
	})
	fmt.Println(e.Stats().Calls.Inline > 0, err)
	// Output: true <nil>
}

// remembering is a database whose connections refuse a new index because of one that is dropped.
type remembering struct{ lite }

func (remembering) Refresh(ctx context.Context, c *sqlbackend.Conn, text string, err error) bool {
	if strings.Contains(text, ";") || !strings.Contains(err.Error(), "index new already exists") {
		return false
	}
	_, err = c.Value(ctx, "select count(*) from sqlite_master")
	return err == nil
}

var _ sqlbackend.Refresher = remembering{}

func ExampleRefresher() {
	ctx := context.Background()
	e := openLite(ctx, remembering{})
	defer e.Close(ctx)
	for _, text := range []string{"create table t (a)", "create index new on t (a)", "create index new on t (a)"} {
		_, err := e.Exec(ctx, text)
		fmt.Println(err != nil)
	}
	// Output:
	// false
	// false
	// true
}

// cents has amounts for users of package db, and texts for those of database/sql.
type cents struct{ lite }

func (cents) SQLConvert(any) (driver.Value, error) { return nil, driver.ErrSkip }

func (cents) SQLColumn(typ string) func(driver.Value) (driver.Value, error) {
	if typ != "CENT" {
		return nil
	}
	return func(v driver.Value) (driver.Value, error) { return fmt.Sprintf("%.2f", float64(v.(int64))/100), nil }
}

var _ sqlbackend.SQLConverter = cents{}

func ExampleSQLConverter() {
	ctx := context.Background()
	e := openLite(ctx, cents{})
	defer e.Close(ctx)
	if _, err := e.Exec(ctx, "create table price(v cent); insert into price values (150)"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(db.Scalar[int](ctx, e, "select v from price"))
	var v string
	err := e.SQL().QueryRowContext(ctx, "select v from price").Scan(&v)
	fmt.Println(v, err)
	// Output:
	// 150 <nil>
	// 1.50 <nil>
}

// old is a Driver for versions of SQLite that can't return what they delete.
type old struct{ lite }

func (old) Emulate(c *sqlbackend.Conn, call *backend.Call) (func(context.Context) error, error) {
	statement, columns, found := strings.Cut(call.Statement.Text, " returning ")
	from, ok := strings.CutPrefix(statement, "delete ")
	if !found || !ok {
		return nil, nil // it runs as it is
	}
	return func(ctx context.Context) (err error) {
		fmt.Println("a SELECT, then a DELETE")
		if err = c.Select(ctx, call, "select "+columns+" "+from, true, call.DriverArgs()...); err == nil {
			call.Affected, _, err = c.Run(ctx, statement, true, call.DriverArgs()...)
		}
		return err
	}, nil
}

var _ sqlbackend.Emulator = old{}

func ExampleEmulator() {
	ctx := context.Background()
	e := openLite(ctx, old{})
	defer e.Close(ctx)
	if _, err := e.Exec(ctx, "create table t(n); insert into t values (1), (2), (3)"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(db.All[int](ctx, e, "delete from t where n > :n returning n", db.Named("n", 1)))
	fmt.Println(db.Scalar[int](ctx, e, "select count(*) from t"))
	// Output:
	// a SELECT, then a DELETE
	// [2 3] <nil>
	// 1 <nil>
}

// In a loop, a connection of a Dialer suspends the task that waits for it, and no other.
func ExampleDialer() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	err = repaint.Run(context.Background(), func(ctx context.Context) error {
		d := &sqlbackend.Dialer{} // a driver calls its DialContext
		c, err := d.DialContext(ctx, "tcp", l.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		server, err := l.Accept()
		if err != nil {
			return err
		}
		defer server.Close()
		answer := repaint.Spawn(ctx, func(context.Context) (string, error) {
			text := make([]byte, 100)
			n, err := c.Read(text) // waits for the server
			return string(text[:n]), err
		})
		if _, err := server.Write([]byte("ready")); err != nil {
			return err
		}
		text, err := repaint.Await(ctx, answer)
		fmt.Println(text)
		return err
	})
	fmt.Println(err)
	// Output:
	// ready
	// <nil>
}
