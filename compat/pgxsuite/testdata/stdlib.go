// Package stdlib replaces pgx's package of this path while pgx's own tests run: they open repaint's
// driver.
package stdlib

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

func init() {
	sql.Register("pgx", &stdlib.Driver{})
	sql.Register("pgx/v5", &stdlib.Driver{})
}

// Conn is the Conn of repaint's driver.
type Conn = stdlib.Conn

// OptionOpenDB is an option that the tests pass. repaint's driver has none of them.
type OptionOpenDB func()

// OpenDB opens a database with the values that the tests set in pgx's configuration.
func OpenDB(config pgx.ConnConfig, _ ...OptionOpenDB) *sql.DB {
	own, err := pg.ParseConfig(config.ConnString())
	if err != nil {
		panic(err)
	}
	own.ExecMode = config.DefaultQueryExecMode
	if own.ExecMode == pgx.QueryExecModeSimpleProtocol { // here the simple protocol takes no arguments
		own.ExecMode = pgx.QueryExecModeExec
	}
	schema := fmt.Sprintf("test_%d", schemas.Add(1))
	own.Conn.RuntimeParams["search_path"] = schema
	db, err := pg.OpenConfig(own)
	if err == nil {
		_, err = db.Exec(context.Background(), "create schema "+schema)
	}
	if err != nil {
		panic(err)
	}
	return sql.OpenDB(&connector{stdlib.Connector(db), db})
}

var schemas atomic.Int64

// A connector closes its pg.DB with the sql.DB. Some tests leave connections open, so it waits for
// none.
type connector struct {
	driver.Connector
	db *pg.DB
}

func (c *connector) Close() error {
	ctx, end := context.WithCancel(context.Background())
	end()
	_ = c.db.Close(ctx) // the error only says that a statement was running
	return nil
}

// The following declarations only let the tests compile. The tests that use them are skipped.

func unsupported() OptionOpenDB { panic("repaint's driver hasn't this") }

func OptionBeforeConnect(func(context.Context, *pgx.ConnConfig) error) OptionOpenDB {
	return unsupported()
}
func OptionAfterConnect(func(context.Context, *pgx.Conn) error) OptionOpenDB { return unsupported() }
func OptionResetSession(func(context.Context, *pgx.Conn) error) OptionOpenDB { return unsupported() }
func OptionShouldPing(func(context.Context, ShouldPingParams) bool) OptionOpenDB {
	return unsupported()
}
func RandomizeHostOrderFunc(context.Context, *pgx.ConnConfig) error { panic("unsupported") }
func OpenDBFromPool(*pgxpool.Pool, ...OptionOpenDB) *sql.DB         { panic("unsupported") }
func GetDefaultDriver() driver.Driver                               { return &stdlib.Driver{} }

// ShouldPingParams is pgx's type.
type ShouldPingParams struct {
	Conn         *pgx.Conn
	IdleDuration time.Duration
}

var registered sync.Map

func RegisterConnConfig(c *pgx.ConnConfig) string {
	name := fmt.Sprintf("config%p", c)
	registered.Store(name, c)
	return name
}

func UnregisterConnConfig(name string) { registered.Delete(name) }
