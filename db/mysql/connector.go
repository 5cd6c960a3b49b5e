package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	mysql "github.com/go-sql-driver/mysql"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/backend/sqlbackend"
)

// maxParams is the largest count of placeholders in the protocol.
const maxParams = 65535

// Connector returns a Connector for the servers that the URL names. It opens nothing yet. It
// returns an error for a driver or option that it doesn't know, and for an option that it can't
// read.
func (d Dialect) Connector(u *backend.URL) (backend.Connector, error) {
	return d.ConnectorBefore(u, nil)
}

// ConnectorBefore is Connector, and calls before for each connection that it opens. before may
// change the login; if it fails, connecting fails with its error. A nil before does nothing.
func (d Dialect) ConnectorBefore(u *backend.URL, before func(context.Context, *backend.Login) error) (backend.Connector, error) {
	if u.Driver != "" {
		return nil, fmt.Errorf("%s: there is no driver %q; write %[1]s://, or give an open *sql.DB to mysql.OpenDB", d.Name(), u.Driver)
	}
	o, hosts, err := configure(u)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Name(), err)
	}
	c := &connector{timeout: hosts[0].Timeout}
	for _, cfg := range hosts {
		cfg.DialFunc = dial
		if err := cfg.Apply(changeLogin(before)); err != nil {
			return nil, fmt.Errorf("%s: %w", d.Name(), err)
		}
		one, err := newHost(cfg)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.Name(), err)
		}
		c.hosts = append(c.hosts, one)
	}
	own := ownDriver{sqlDriver: newSQLDriver(o), killer: killer{grace: o.cancelTimeout}}
	return sqlbackend.New(own, c), nil
}

// changeLogin returns an option by which before may change each login. A nil before changes
// nothing.
func changeLogin(before func(context.Context, *backend.Login) error) mysql.Option {
	if before == nil {
		return func(*mysql.Config) error { return nil }
	}
	return mysql.BeforeConnect(func(ctx context.Context, c *mysql.Config) error {
		host, port, err := net.SplitHostPort(c.Addr)
		if err != nil { // the address is a socket's path
			host, port = c.Addr, ""
		}
		login := backend.Login{Host: host, Port: port, User: c.User, Password: c.Passwd, Database: c.DBName}
		if err := before(ctx, &login); err != nil {
			return err
		}
		c.User, c.Passwd, c.DBName = login.User, login.Password, login.Database
		return nil
	})
}

// ConnectorDB returns a Connector for an open database. It returns an error if the driver isn't
// github.com/go-sql-driver/mysql.
func (d Dialect) ConnectorDB(_ context.Context, pool *sql.DB) (backend.Connector, error) {
	if _, ok := pool.Driver().(*mysql.MySQLDriver); !ok {
		return nil, fmt.Errorf("%s: OpenDB takes a database of github.com/go-sql-driver/mysql, not of %T", d.Name(), pool.Driver())
	}
	foreign := foreignDriver{newSQLDriver(defaultOptions())}
	foreign.connections = pool.Stats().MaxOpenConnections
	return sqlbackend.NewDB(foreign, pool), nil
}

// sqlDriver has what is common to connections of the Engine's own and of an open database.
type sqlDriver struct {
	sqlbackend.Defaults
	options
	values
	connections int // the most connections; 0 means no limit
}

var (
	_ sqlbackend.AccessSetter    = sqlDriver{}
	_ sqlbackend.TxWatcher       = sqlDriver{}
	_ sqlbackend.ArgConverter    = sqlDriver{}
	_ sqlbackend.ColumnConverter = sqlDriver{}
	_ sqlbackend.SQLConverter    = sqlDriver{}
	_ sqlbackend.Emulator        = sqlDriver{}
)

func newSQLDriver(o options) sqlDriver { return sqlDriver{options: o, values: values{zone: o.zone}} }

func (d sqlDriver) Facts() sqlbackend.Facts {
	return sqlbackend.Facts{
		Limits:         backend.Limits{MaxParams: maxParams, MaxConns: d.connections},
		KeepStatements: d.kept,
		EndsUnseen:     true,
		SendsText:      true,
		OneStatement:   true,
		// MariaDB doesn't repeat the description of columns that it has sent before. The driver's
		// Exec then waits for rows that don't come.
		QueriesRows: true,
		IDsFromOne:  true,
		Suspends:    true,
	}
}

// ownDriver is for connections that the Engine opens itself. It can kill their statements.
type ownDriver struct {
	sqlDriver
	killer
}

var (
	_ sqlbackend.Interrupter = ownDriver{}
	_ sqlbackend.Aborter     = ownDriver{}
)

// foreignDriver is for the connections of an open database, which must be set up first.
type foreignDriver struct{ sqlDriver }

func (d foreignDriver) Init(ctx context.Context, c *sqlbackend.Conn) error {
	if err := c.Exec(ctx, "set time_zone = '+00:00', sql_mode = "+strict); err != nil {
		return err
	}
	return d.sqlDriver.Init(ctx, c)
}

// connector opens connections to the first of its hosts that accepts one.
type connector struct {
	hosts   []driver.Connector
	timeout time.Duration // for connecting to one host; 0 means no limit. The driver's own timeout covers only dialling
}

func (c *connector) Driver() driver.Driver { return c.hosts[0].Driver() }

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	var errs []error
	for i, host := range c.hosts {
		made, err := c.connect(ctx, host)
		if err == nil {
			return made, nil
		}
		errs = append(errs, err)
		if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
			<-ctx.Done() // the network may notice the deadline before the context does
		}
		if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
			errs = append(errs, ended)
		}
		// If a server answers, its answer counts.
		if ctx.Err() != nil || i+1 < len(c.hosts) && !unreachable(err) {
			break
		}
	}
	return nil, errors.Join(errs...)
}

func (c *connector) connect(ctx context.Context, host driver.Connector) (*conn, error) {
	if c.timeout > 0 {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, c.timeout)
		defer done()
	}
	var wire net.Conn
	made, err := host.Connect(context.WithValue(ctx, wireKey{}, &wire))
	if err != nil {
		return nil, err
	}
	return &conn{blocking: made.(blocking), wire: wire, host: host}, nil
}

// blocking has the methods of the driver's connections, except those that convert arguments.
type blocking interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
	driver.Pinger
}

// conn is a driver's connection with the means to stop it from outside.
type conn struct {
	blocking
	wire net.Conn
	host driver.Connector // connects to the same server, to kill statements
}

type wireKey struct{}

// dial opens the network connection and gives it to the connector. It finds the connector's
// variable in the context, which comes through the driver.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d sqlbackend.Dialer
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if wire, ok := ctx.Value(wireKey{}).(*net.Conn); ok {
		*wire = c
	}
	return c, nil
}

// server is what is known about a connection's server. It doesn't change after Init.
type server struct {
	id               string // the connection's number on the server
	mariadb          bool
	major, minor     int  // its version
	returning        bool // the server has RETURNING for some statements
	rollsBackTimeout bool // a lock timeout rolls back the transaction, not only the statement
	values           values
	conn             *conn
}

func (s *server) atLeast(major, minor int) bool {
	return s.major > major || s.major == major && s.minor >= minor
}

// Init finds out which kind of server it is.
func (d sqlDriver) Init(ctx context.Context, c *sqlbackend.Conn) error {
	v, err := c.Value(ctx, "select concat_ws(' ', connection_id(), @@innodb_rollback_on_timeout, version())")
	if refused := new(mysql.MySQLError); errors.As(err, &refused) {
		// A server that speaks MySQL's protocol but has no InnoDB doesn't know the variable.
		v, err = c.Value(ctx, "select concat_ws(' ', connection_id(), '0', version())")
	}
	if err != nil {
		return err
	}
	fields := strings.SplitN(fmt.Sprint(v), " ", 3)
	if len(fields) != 3 {
		return fmt.Errorf("the server says of itself %q, which can't be read", v)
	}
	if _, err := strconv.ParseUint(fields[0], 10, 64); err != nil {
		return fmt.Errorf("the connection's id: %w", err)
	}
	s := &server{id: fields[0], rollsBackTimeout: fields[1] == "1", values: d.values}
	s.mariadb, s.major, s.minor = version(fields[2])
	s.returning = s.mariadb && !d.emulate
	s.conn, _ = c.Driver().(*conn)
	c.Own = s
	return nil
}

// version reads the result of version(): 8.4.3, 8.0.36-28.1, 10.11.6-MariaDB-0+deb12u1, or
// 5.5.5-10.11.6-MariaDB through a proxy.
func version(text string) (mariadb bool, major, minor int) {
	mariadb = strings.Contains(strings.ToLower(text), "mariadb")
	if mariadb {
		text = strings.TrimPrefix(text, "5.5.5-")
	}
	parts := strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if len(parts) > 1 {
		major, _ = strconv.Atoi(parts[0]) // 0 if it can't be read
		minor, _ = strconv.Atoi(parts[1])
	}
	return mariadb, major, minor
}

var levels = map[sql.IsolationLevel]string{
	sql.LevelReadUncommitted: "read uncommitted",
	sql.LevelReadCommitted:   "read committed",
	sql.LevelRepeatableRead:  "repeatable read",
	sql.LevelSnapshot:        "repeatable read",
	sql.LevelSerializable:    "serializable",
}

func (sqlDriver) BeginText(o backend.TxOptions) []string {
	begin := "start transaction"
	if o.ReadOnly {
		begin = "start transaction read only"
	}
	if level, ok := levels[o.Isolation]; ok {
		return []string{"set transaction isolation level " + level, begin}
	}
	return []string{begin}
}

// SetReadOnly sets the default access of a connection's transactions, including single statements.
func (sqlDriver) SetReadOnly(ctx context.Context, c *sqlbackend.Conn, on bool) error {
	if on {
		return c.Exec(ctx, "set session transaction read only")
	}
	return c.Exec(ctx, "set session transaction read write")
}

// TxOpen finds out whether the server has rolled the transaction back. MariaDB reports that; for
// MySQL the error's number shows it.
func (sqlDriver) TxOpen(ctx context.Context, c *sqlbackend.Conn, err error) bool {
	s := c.Own.(*server)
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return true // the connection is lost, or the context has ended
	}
	if s.mariadb {
		v, err := c.Value(ctx, "select @@in_transaction")
		if err != nil { // a late interrupt has killed it, and won't hit the next
			v, err = c.Value(ctx, "select @@in_transaction")
		}
		return err != nil || fmt.Sprint(v) != "0"
	}
	switch e.Number {
	case 1206, 1213, 1614, 3101: // no room for locks; deadlock; another transaction asked for the rollback
		return false
	case 1205:
		return !s.rollsBackTimeout
	}
	return true
}

// Stale reports whether an error means that a statement must be prepared again.
func (sqlDriver) Stale(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && (e.Number == 1615 || e.Number == 1243)
}
