package bridgetest

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// A client is a connection of a driver that knows nothing about repaint, over a cooperative
// connection.
type client interface {
	// ask runs a query for one text, with one text as its parameter $1.
	ask(ctx context.Context, query, arg string) (string, error)
	close() error
}

// A database is a database that such a driver can talk to.
type database struct {
	name string
	open func(ctx context.Context, at testserver.Target) (client, error)
	at   func(t *testing.T) testserver.Target
	slow string // a query that takes long
	echo string // returns its parameter
}

var databases = []database{
	{"pgx", openPGX, func(t *testing.T) testserver.Target { return testserver.Postgres(t).Database(t) }, "select pg_sleep(100)::text || $1", "select $1::text"},
	{"go-sql-driver/mysql", openMySQL, func(t *testing.T) testserver.Target { return testserver.MariaDB(t).Database(t) }, "select concat(sleep(100), ?)", "select ?"},
}

type pgxClient struct{ conn *pgx.Conn }

func openPGX(ctx context.Context, at testserver.Target) (client, error) {
	config, err := pgx.ParseConfig(at.URL())
	if err != nil {
		return nil, err
	}
	config.DialFunc = new(repaint.Dialer).DialContext
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return pgxClient{conn}, nil
}

func (c pgxClient) ask(ctx context.Context, query, arg string) (text string, err error) {
	return text, c.conn.QueryRow(ctx, query, arg).Scan(&text)
}

func (c pgxClient) close() error { return c.conn.Close(context.Background()) }

type mysqlClient struct{ conn driver.Conn }

func openMySQL(ctx context.Context, at testserver.Target) (client, error) {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr, config.DBName = at.User, at.Password, "tcp", at.Addr(), at.DBName
	config.DialFunc = new(repaint.Dialer).DialContext
	config.MaxAllowedPacket = 0 // ask the server
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return mysqlClient{conn}, nil
}

func (c mysqlClient) ask(ctx context.Context, query, arg string) (string, error) {
	stmt, err := c.conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	if err != nil {
		return "", err
	}
	defer stmt.Close()
	rows, err := stmt.(driver.StmtQueryContext).QueryContext(ctx, []driver.NamedValue{{Ordinal: 1, Value: arg}})
	if err != nil {
		return "", err
	}
	defer rows.Close()
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil {
		return "", err
	}
	return string(row[0].([]byte)), nil
}

func (c mysqlClient) close() error { return c.conn.Close() }

// onEachDriver runs a test with the driver of each database, in a loop. The server starts before
// the leak check.
func onEachDriver(t *testing.T, test func(t *testing.T, ctx context.Context, d database, at testserver.Target)) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			at := d.at(t)
			leakcheck.Test(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
				test(t, ctx, d, at)
				return nil
			}))
		})
	}
}

func TestDriversThatKnowNothingAboutTheLoopRunInIt(t *testing.T) {
	onEachDriver(t, func(t *testing.T, ctx context.Context, d database, at testserver.Target) {
		const clients, queries = 20, 10
		group := repaint.NewGroup(ctx)
		for i := range clients {
			group.Go(func(ctx context.Context) error {
				c, err := d.open(ctx, at)
				if err != nil {
					return err
				}
				for j := range queries {
					arg := fmt.Sprintf("%d of %d", j, i)
					got, err := c.ask(ctx, d.echo, arg)
					if err != nil {
						return err
					}
					if got != arg {
						return fmt.Errorf("asked for %q, got %q", arg, got)
					}
				}
				return c.close()
			})
		}
		require.NoError(t, group.Wait())
		stats := repaint.CurrentStats()
		require.EqualValues(t, clients, stats.Offloaded, "only connecting took other goroutines")
		require.Greater(t, stats.MaxWaiting, 1, "they waited together")
	})
}

func TestLargeDataOfDriversBothWays(t *testing.T) {
	onEachDriver(t, func(t *testing.T, ctx context.Context, d database, at testserver.Target) {
		c, err := d.open(ctx, at)
		require.NoError(t, err)
		for _, n := range []int{1 << 20, 5 << 20} {
			arg := strings.Repeat("x", n)
			got, err := c.ask(ctx, d.echo, arg)
			require.NoError(t, err)
			require.True(t, got == arg)
		}
		require.NoError(t, c.close())
	})
}

func TestCancelsAndDeadlinesOfDriversInALoop(t *testing.T) {
	onEachDriver(t, func(t *testing.T, ctx context.Context, d database, at testserver.Target) {
		for name, end := range map[string]func(ctx context.Context) (context.Context, context.CancelFunc){
			"cancel": func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(20*time.Millisecond, cancel)
				return ctx, cancel
			},
			"deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 20*time.Millisecond)
			},
		} {
			c, err := d.open(ctx, at)
			require.NoError(t, err)
			slow := repaint.Spawn(ctx, func(ctx context.Context) (string, error) {
				ctx, cancel := end(ctx)
				defer cancel()
				return c.ask(ctx, d.slow, "")
			})
			turns := 0
			for !slow.Done() {
				turns++
				require.NoError(t, repaint.Sleep(ctx, time.Millisecond))
			}
			_, err = repaint.Await(ctx, slow)
			require.True(t, errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded), "%s: %v", name, err)
			require.Greater(t, turns, 1, "others went on")
			_ = c.close() // these drivers close a connection whose statement was cancelled
		}
	})
}

func TestACutConnectionOfADriverInALoop(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			at := d.at(t)
			proxy := faultproxy.New(t, at.Addr())
			at.Host, at.Port = proxy.Host(), proxy.Port()
			require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
				c, err := d.open(ctx, at)
				require.NoError(t, err)
				slow := repaint.Spawn(ctx, func(ctx context.Context) (string, error) { return c.ask(ctx, d.slow, "") })
				require.NoError(t, repaint.Sleep(ctx, 20*time.Millisecond))
				require.False(t, slow.Done())
				proxy.Cut()
				_, err = repaint.Await(ctx, slow)
				require.Error(t, err)
				var network net.Error
				require.False(t, errors.As(err, &network) && network.Timeout(), "%v", err)
				_ = c.close()
				again, err := d.open(ctx, at)
				require.NoError(t, err)
				got, err := again.ask(ctx, d.echo, "x")
				require.Equal(t, "x", got)
				require.NoError(t, err)
				return again.close()
			}))
		})
	}
}
