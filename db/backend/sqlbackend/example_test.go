package sqlbackend_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/backend/sqlbackend"
	dialect "github.com/seed1239206e/repaint/db/sqlite"
)

// plain is a Driver with what Defaults have, and a few abilities more.
type plain struct{ sqlbackend.Defaults }

func (plain) Facts() sqlbackend.Facts { return sqlbackend.Facts{KeepStatements: 8, SendsText: true} }

// Init sets up a new connection.
func (plain) Init(ctx context.Context, c *sqlbackend.Conn) error {
	if err := c.Exec(ctx, "pragma case_sensitive_like = on"); err != nil {
		return err
	}
	version, err := c.Value(ctx, "select sqlite_version() > '3'")
	if err == nil && version != int64(1) {
		err = errors.New("this version is too old")
	}
	return err
}

// SetReadOnly makes the plain driver an AccessSetter.
func (plain) SetReadOnly(ctx context.Context, c *sqlbackend.Conn, on bool) error {
	return c.Exec(ctx, fmt.Sprintf("pragma query_only = %t", on))
}

// Column makes the plain driver a ColumnConverter.
func (plain) Column(typ string) func(driver.Value) (driver.Value, error) {
	if typ != "CENT" {
		return nil
	}
	return func(v driver.Value) (driver.Value, error) { return float64(v.(int64)) / 100, nil }
}

// Convert makes the plain driver an ArgConverter.
func (plain) Convert(v any) (driver.Value, error) {
	if e, ok := v.(euro); ok {
		return int64(e * 100), nil
	}
	return nil, driver.ErrSkip
}

// Close makes the plain driver a Closer.
func (plain) Close() error {
	fmt.Println("the driver is closed")
	return nil
}

type euro float64

var (
	_ sqlbackend.AccessSetter    = plain{}
	_ sqlbackend.ColumnConverter = plain{}
	_ sqlbackend.ArgConverter    = plain{}
	_ sqlbackend.Closer          = plain{}
)

// plainSQLite is SQLite's dialect with the plain driver.
type plainSQLite struct{ dialect.Dialect }

func (plainSQLite) Name() string { return "plain" }

func (plainSQLite) Connector(*backend.URL) (backend.Connector, error) {
	open, err := sqlite.NewConnector(":memory:")
	if err != nil {
		return nil, err
	}
	return sqlbackend.New(plain{}, open), nil
}

// openPlain opens an Engine with one connection, which has a table.
func openPlain(ctx context.Context) *db.Engine {
	backend.Register(plainSQLite{})
	e, err := db.Open(ctx, "plain://", db.PoolSize(1), db.MaxOverflow(0))
	if err == nil {
		_, err = e.Exec(ctx, "create table price(v cent)")
	}
	if err != nil {
		panic(err)
	}
	return e
}

// Init has set up the connection.
func ExampleDriver() {
	ctx := context.Background()
	e := openPlain(ctx)
	fmt.Println(db.Scalar[bool](ctx, e, "select 'A' like 'a'"))
	e.Close(ctx)
	// Output:
	// false <nil>
	// the driver is closed
}

// Arguments are converted on their way in, and values on their way out.
func ExampleArgConverter() {
	ctx := context.Background()
	e := openPlain(ctx)
	_, err := e.Exec(ctx, "insert into price values (:v)", db.Named("v", euro(1.5)))
	fmt.Println(err)
	fmt.Println(db.Scalar[float64](ctx, e, "select v from price"))
	fmt.Println(db.Scalar[int](ctx, e, "select v + 0 from price"))
	e.Close(ctx)
	// Output:
	// <nil>
	// 1.5 <nil>
	// 150 <nil>
	// the driver is closed
}

func ExampleColumnConverter() {
	convert := plain{}.Column("CENT")
	fmt.Println(convert(int64(250)))
	fmt.Println(plain{}.Column("TEXT") == nil)
	// Output:
	// 2.5 <nil>
	// true
}

// The database refuses writes of a Reader, because the driver can tell the connection.
func ExampleAccessSetter() {
	ctx := context.Background()
	e := openPlain(ctx)
	_, err := e.Reader().Exec(ctx, "delete from price")
	fmt.Println(errors.Is(err, db.ErrReadOnly))
	e.Close(ctx)
	// Output:
	// true
	// the driver is closed
}

func ExampleDefaults() {
	var d sqlbackend.Defaults
	fmt.Println(d.BeginText(backend.TxOptions{}), d.FailsTx(errors.New("no such table")))
	// Output: [begin] false
}

func ExampleFacts() {
	fmt.Println(plain{}.Facts().KeepStatements, sqlbackend.Defaults{}.Facts().KeepStatements)
	// Output: 8 0
}

func ExampleCloser() {
	ctx := context.Background()
	e := openPlain(ctx)
	fmt.Println(e.Close(ctx))
	// Output:
	// the driver is closed
	// <nil>
}
