package dbconform_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/dbconform"
)

// A Subject says what the suite can use. Lacks gives the reason for each part that is missing, and
// Run refuses a Subject that leaves one out silently.
func ExampleSubject() {
	s := dbconform.Subject{
		Open: func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error) {
			return db.Open(ctx, "sqlite://", opts...)
		},
		URL:          "sqlite://",
		Lacks:        map[string]string{"Network": "there is no server", "Reader": "there are no users"},
		Types:        sqliteTypes,
		Capabilities: sqliteCan,
	}
	fmt.Println(s.Network == nil, s.Lacks["Network"])
	fmt.Println(s.Key, s.Returning) // fields of Types and Capabilities
	// Output:
	// true there is no server
	// integer primary key true
}

// sqliteTypes names types of SQLite.
var sqliteTypes = dbconform.Types{
	Key: "integer primary key", Small: "integer", Integer: "integer", Float: "real", Decimal: "text", Text: "text", Bytes: "blob",
	Bool: "boolean", Moment: "timestamp", Local: "datetime", Date: "date", Duration: "integer", UUID: "text", JSON: "text",
}

// Each of the Types stands in a CREATE TABLE as it is.
func ExampleTypes() {
	ctx := context.Background()
	e, err := db.Open(ctx, "sqlite://")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close(ctx)
	_, err = e.Exec(ctx, "create table t(id "+sqliteTypes.Key+", at "+sqliteTypes.Moment+", size "+sqliteTypes.Decimal+")")
	fmt.Println(err)
	// Output: <nil>
}

// sqliteCan says what SQLite can do.
var sqliteCan = dbconform.Capabilities{
	Returning: true, UpdateReturning: true, LastInsertID: true, Stream: true, ZeroByte: true, DDLInTx: true, Serialization: true,
	SlowQuery:       "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
	CancelKeepsConn: true,
	Precision:       time.Nanosecond,
	Settings:        "pragma cache_size = 123",
	ShowSettings:    "pragma cache_size",
}

// A Conn shows what the suite does with Settings: the setting must not reach the next user of the
// connection.
func ExampleCapabilities() {
	ctx := context.Background()
	e, err := db.Open(ctx, "sqlite://")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close(ctx)
	show := func(q db.Querier) {
		fmt.Println(db.Scalar[sql.NullInt64](ctx, q, sqliteCan.ShowSettings))
	}
	conn, err := e.Connect(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := conn.Exec(ctx, sqliteCan.Settings); err != nil {
		fmt.Println(err)
	}
	show(conn)
	conn.Close()
	show(e)
	// Output:
	// {123 true} <nil>
	// {-2000 true} <nil>
}

// proxy is a Network: a proxy between an Engine and a server. This one only takes notes;
// a real one holds back, drops or breaks what passes through it.
type proxy struct{ log []string }

func (p *proxy) Deafen()  { p.log = append(p.log, "the server's answers wait") }
func (p *proxy) Swallow() { p.log = append(p.log, "open connections are silent for good") }
func (p *proxy) Cut()     { p.log = append(p.log, "open connections break") }

// The suite breaks the Network that Subject.Network returns together with an Engine.
func ExampleNetwork() {
	p := &proxy{}
	s := dbconform.Subject{
		Network: func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, dbconform.Network, error) {
			e, err := db.Open(ctx, "sqlite://", opts...) // a real one has the proxy's address
			return e, p, err
		},
	}
	ctx := context.Background()
	e, network, err := s.Network(nil, ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close(ctx)
	network.Deafen()
	network.Cut()
	fmt.Println(p.log)
	// Output: [the server's answers wait open connections break]
}
