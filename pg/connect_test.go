package pg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/internal/testserver/freeport"
)

// databaseURL returns the URL of a database of the test's own.
func databaseURL(t testing.TB) string { return testserver.Postgres(t).Database(t).URL() }

// closedPort returns an address that refuses connections until the test ends.
func closedPort(t testing.TB) string {
	addr, release, err := freeport.Refusing()
	require.NoError(t, err)
	t.Cleanup(release)
	return addr
}

func TestConnectErrors(t *testing.T) {
	boom := errors.New("boom")
	refused := closedPort(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it accepts connections, and sends nothing
	require.NoError(t, err)
	defer silent.Close()
	for _, one := range []struct {
		name  string
		url   string // empty for the test's server
		set   func(*pgconn.Config)
		stage ConnectStage
		text  string
		is    error
	}{
		{name: "refused", url: "postgres://me@" + refused + "/app?sslmode=prefer", stage: ConnectDial,
			text: "pg: connecting to " + refused + "/app: dialing: connect: connection refused"},
		{name: "several hosts", url: "postgres://me@" + refused + "," + refused + "/app?sslmode=disable", stage: ConnectDial,
			text: "pg: connecting to " + refused + "/app: dialing: connect: connection refused"},
		{name: "unknown host", url: "postgres://me@no.such.host.invalid:5432/app?sslmode=disable", stage: ConnectLookup,
			set: func(c *pgconn.Config) {
				c.LookupFunc = func(context.Context, string) ([]string, error) { return nil, boom }
			},
			text: "pg: connecting to no.such.host.invalid:5432/app: no.such.host.invalid: looking up the host: boom", is: boom},
		{name: "no answer", url: fmt.Sprintf("postgres://me@%s/app?sslmode=disable&connect_timeout=1", silent.Addr()), stage: ConnectStart,
			text: "(connect_timeout is 1s)", is: context.DeadlineExceeded},
		{name: "no answer about TLS", url: fmt.Sprintf("postgres://me@%s/app?sslmode=require&connect_timeout=1", silent.Addr()), stage: ConnectTLS,
			text: "negotiating TLS: ", is: context.DeadlineExceeded},
		{name: "no such database", set: func(c *pgconn.Config) { c.Database = "nowhere" }, stage: ConnectStart,
			text: `/nowhere: starting: FATAL: database "nowhere" does not exist`},
		{name: "ValidateConnect", stage: ConnectValidate, is: boom, text: ": validating: ",
			set: func(c *pgconn.Config) {
				c.ValidateConnect = func(context.Context, *pgconn.PgConn) error { return boom }
			}},
		{name: "AfterNetConnect", stage: ConnectTLS, is: boom, text: ": boom",
			set: func(c *pgconn.Config) {
				c.AfterNetConnect = func(_ context.Context, _ *pgconn.Config, s net.Conn) (net.Conn, error) { return s, boom }
			}},
		{name: "AfterConnect", stage: ConnectSetUp, is: boom, text: ": running AfterConnect: boom",
			set: func(c *pgconn.Config) {
				c.AfterConnect = func(context.Context, *pgconn.PgConn) error { return boom }
			}},
		{name: "an open transaction", stage: ConnectTakeOver, text: ": taking over: AfterConnect left a transaction open",
			set: func(c *pgconn.Config) {
				c.AfterConnect = func(ctx context.Context, pc *pgconn.PgConn) error { return pc.Exec(ctx, "begin").Close() }
			}},
	} {
		t.Run(one.name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				url := one.url
				if url == "" {
					url = databaseURL(t)
				}
				config, err := ParseConfig(url)
				require.NoError(t, err)
				if one.set != nil {
					one.set(config.Conn)
				}
				db, err := OpenConfig(config)
				require.NoError(t, err)
				calls := []struct {
					what string
					do   func(ctx context.Context) error
				}{
					{`waiting for a connection for "select 1"`, func(ctx context.Context) error { _, err := db.Exec(ctx, "select 1"); return err }},
					{`waiting for a connection for "begin"`, func(ctx context.Context) error { _, err := db.Begin(ctx); return err }},
					{"waiting for a session", func(ctx context.Context) error { _, err := db.Acquire(ctx); return err }},
					{"listening", func(ctx context.Context) error { _, err := db.Listen(ctx, "news"); return err }},
				}
				errs := c.together(ctx, len(calls), func(ctx context.Context, i int) error { return calls[i].do(ctx) })
				for i, err := range errs {
					var e *ConnectError
					require.ErrorAs(t, err, &e)
					require.Equal(t, one.stage, e.Attempts[len(e.Attempts)-1].Stage)
					require.ErrorContains(t, e, one.text)
					require.ErrorContains(t, err, "pg: "+calls[i].what+": connecting to ")
					require.True(t, pgconn.SafeToRetry(err), "nothing was sent")
					require.Equal(t, one.is == context.DeadlineExceeded, pgconn.Timeout(err))
					if one.is != nil {
						require.ErrorIs(t, err, one.is)
					}
				}
				require.NoError(t, db.Close(ctx))
			})
		})
	}
}

// The error names each address that was tried, with its reason.
func TestConnectErrorNamesEachAddress(t *testing.T) {
	a, b := closedPort(t), closedPort(t)
	db := openAt(t, "postgres://me@"+a+","+b+"/app?sslmode=disable")
	err := db.Ping(context.Background())
	require.ErrorContains(t, err, "connecting to "+a+","+b+"/app: "+a+": dialing: connect: connection refused; "+b+": dialing: ")
}

// The error of a caller that gives up before there is a connection says what it has waited for.
func TestGivingUpWhileConnecting(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		config, err := ParseConfig("postgres://me@127.0.0.1:1/app?sslmode=disable")
		require.NoError(t, err)
		config.Conn.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
		db, err := OpenConfig(config)
		require.NoError(t, err)
		for _, call := range []func(ctx context.Context) error{
			func(ctx context.Context) error { _, err := db.Exec(ctx, "select 1"); return err },
			func(ctx context.Context) error { _, err := db.Begin(ctx); return err },
		} {
			short, cancel := soon(ctx)
			err := call(short)
			cancel()
			require.ErrorContains(t, err, "connecting to 127.0.0.1:1/app: context deadline exceeded")
			require.True(t, pgconn.Timeout(err))
			require.True(t, pgconn.SafeToRetry(err))
		}
		ended, end := context.WithCancel(ctx)
		end()
		_ = db.Close(ended)
	})
}
