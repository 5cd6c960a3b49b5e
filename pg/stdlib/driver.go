package stdlib

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed1239206e/repaint/pg"
)

// Name is the name under which the driver is registered with database/sql.
const Name = "repaint"

func init() { sql.Register(Name, &Driver{}) }

// closeLimit is how long Close waits for statements under way.
const closeLimit = 5 * time.Second

// idle is how many virtual connections a sql.DB of [OpenDB] keeps. They cost a few hundred bytes
// each.
const idle = 1024

// OpenDB returns a sql.DB that uses the connections of a pg.DB. Closing it doesn't close the pg.DB.
// It keeps up to 1024 idle virtual connections, and has no limit of open ones: the limits are those
// of the pg.DB. It may be called from any goroutine.
func OpenDB(db *pg.DB) *sql.DB {
	d := sql.OpenDB(Connector(db))
	d.SetMaxIdleConns(idle)
	return d
}

// Connector returns a connector for [sql.OpenDB], for code that wraps connectors. [OpenDB] is the
// short form. Closing a sql.DB that uses it doesn't close the pg.DB. It may be called from any
// goroutine.
func Connector(db *pg.DB) driver.Connector { return newConnector(db) }

// Driver is the database/sql driver. sql.Open makes a [pg.DB] for each sql.DB; closing the sql.DB
// closes it. Any goroutine may call its methods.
type Driver struct{}

// Open implements driver.Driver. database/sql calls OpenConnector instead.
func (d *Driver) Open(name string) (driver.Conn, error) {
	c, err := d.OpenConnector(name)
	if err != nil {
		return nil, err
	}
	conn, err := c.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	conn.(*Conn).owned = c.(*connector)
	return conn, nil
}

// OpenConnector reads a connection string for pg.ParseConfig, or a name that [RegisterConfig]
// returned. It doesn't connect: the first statement does.
func (d *Driver) OpenConnector(name string) (driver.Connector, error) {
	config := registered(name)
	if config == nil {
		var err error
		if config, err = pg.ParseConfig(name); err != nil {
			return nil, err
		}
	}
	db, err := pg.OpenConfig(config)
	if err != nil {
		return nil, err
	}
	c := newConnector(db)
	c.driver, c.owns = d, true
	return c, nil
}

func newConnector(db *pg.DB) *connector {
	return &connector{db: db, simple: db.Config().ExecMode == pgx.QueryExecModeSimpleProtocol}
}

type connector struct {
	db     *pg.DB
	simple bool // its mode is the simple protocol
	driver *Driver
	owns   bool // the DB ends with the connector
}

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	return &Conn{db: c.db, simple: c.simple}, nil
}

func (c *connector) Driver() driver.Driver {
	if c.driver == nil {
		return &Driver{}
	}
	return c.driver
}

// Close is called when the sql.DB is closed.
func (c *connector) Close() error {
	if !c.owns {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	return c.db.Close(ctx)
}

var registry struct {
	sync.Mutex
	configs map[string]*pg.Config
	next    int
}

// RegisterConfig returns a name for a configuration, for sql.Open(stdlib.Name, name). It is for
// libraries that call sql.Open themselves, and for settings that a connection string can't have,
// such as tracers and types. Elsewhere [OpenDB] is simpler. Any goroutine may call it.
func RegisterConfig(config *pg.Config) (name string) {
	registry.Lock()
	defer registry.Unlock()
	if registry.configs == nil {
		registry.configs = map[string]*pg.Config{}
	}
	registry.next++
	name = fmt.Sprintf("repaint-config-%d", registry.next)
	registry.configs[name] = config
	return name
}

// UnregisterConfig forgets a name of [RegisterConfig]. It doesn't affect databases that were opened
// with it. Any goroutine may call it.
func UnregisterConfig(name string) {
	registry.Lock()
	defer registry.Unlock()
	delete(registry.configs, name)
}

func registered(name string) *pg.Config {
	registry.Lock()
	defer registry.Unlock()
	return registry.configs[name]
}
