package mysql_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/internal/testserver/freeport"
)

func TestURLsThatCantBeRight(t *testing.T) {
	for _, c := range []struct{ url, says string }{
		{"mysql://u:secret@h/d?nope=1", "charset, collation, compress, connect_timeout"},
		{"mysql+odbc://u:secret@h/d", `no driver "odbc"`},
		{"mysql://u:secret@h/d?tls=maybe", "off, preferred, required, verify"},
		{"mysql://u:secret@h/d?tls_ca=/no/such/file", "no such file"},
		{"mysql://u:secret@h/d?tls_cert=a", "belong together"},
		{"mysql://u:secret@h/d?charset=gbk", "utf8mb4, utf8mb3, utf8"},
		{"mysql://u:secret@h/d?collation=a%20b", "small letters"},
		{"mysql://u:secret@h/d?time_zone=Europe/Berlin", "fixed offset"},
		{"mysql://u:secret@h/d?sql_mode=ANSI_QUOTES", "where literals end"},
		{"mysql://u:secret@h/d?sql_mode='", "words with commas"},
		{"mysql://u:secret@h/d?connect_timeout=soon", "connect_timeout"},
		{"mysql://u:secret@h/d?prepared_statements=-1", "whole number"},
		{"mysql://u:secret@h/d?compress=perhaps", "neither on nor off"},
		{"mysql://u:secret@h/d?socket=/x", "leave one of them out"},
	} {
		_, err := db.Open(context.Background(), c.url)
		require.ErrorContains(t, err, c.says, c.url)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestWaysToTheServer(t *testing.T) {
	server := testserver.MariaDB(t)
	secure := testserver.MariaDB(t, testserver.TLS())
	nobody, err := freeport.Listen()
	require.NoError(t, err)
	closed := nobody.Addr().(*net.TCPAddr).Port
	require.NoError(t, nobody.Close())
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		at := server.Database(t)
		over := secure.Database(t)
		encrypted := strings.Replace(over.URL(), "127.0.0.1", "localhost", 1)
		for _, c := range []struct {
			name, url string
			tls       bool
		}{
			{"tcp", at.URL(), false},
			{"the other name", strings.Replace(at.URL(), "mysql:", "mariadb:", 1), false},
			{"socket", at.SocketURL(), false},
			{"the second host", strings.Replace(at.URL(), "@", fmt.Sprintf("@127.0.0.1:%d,", closed), 1), false},
			{"no encryption", over.URL() + "?tls=off", false},
			{"encryption where there is some", over.URL(), true},
			{"encryption to anybody", over.URL() + "?tls=required", true},
			{"encryption to whom we know", encrypted + "?tls_ca=" + over.CAFile, true},
			{"a name that isn't the host's", over.URL() + "?tls=verify&tls_server_name=localhost&tls_ca=" + over.CAFile, true},
			{"compressed", at.URL() + "?compress=on&collation=utf8mb4_bin", false},
			{"statements that aren't kept", at.URL() + "?prepared_statements=0", false},
		} {
			e := dbtest.Open(t, ctx, c.url)
			for range 2 {
				var name, cipher string
				require.NoError(t, e.QueryRow(ctx, "show status like 'Ssl_cipher'").Scan(&name, &cipher), c.name)
				require.Equal(t, c.tls, cipher != "", c.name)
				require.NoError(t, e.QueryRow(ctx, "select :x", db.Named("x", "ü")).Scan(&name), c.name)
				require.Equal(t, "ü", name, c.name)
			}
		}
		wrong := at
		wrong.Password = "secret"
		for url, condition := range map[string]error{
			wrong.URL(): db.ErrPermission,
			strings.Replace(at.URL(), "/"+at.DBName, "/nope", 1):            db.ErrUndefined,
			fmt.Sprintf("mysql://u:secret@127.0.0.1:%d/d", closed):          db.ErrDisconnected,
			over.URL() + "?tls=verify&tls_server_name=elsewhere":            nil,
			at.URL() + "?tls=required":                                      nil,
			"mysql://u:secret@/d?socket=" + filepath.Join(t.TempDir(), "x"): db.ErrDisconnected,
		} {
			_, err := db.Open(ctx, url)
			require.Error(t, err, url)
			if condition != nil {
				require.ErrorIs(t, err, condition)
			}
			require.NotContains(t, err.Error(), "secret")
			require.ErrorContains(t, err, "connect to mysql://")
		}
	})
}

func TestOptionsReachEveryConnection(t *testing.T) {
	server := testserver.MariaDB(t)
	leakcheck.Test(t)
	ctx := context.Background()
	url := server.Database(t).URL()
	e := dbtest.Open(t, ctx, url, db.PoolSize(2))
	var mode, zone, charset string
	for range 2 {
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.QueryRow(ctx, "select @@sql_mode, @@time_zone, @@character_set_client").Scan(&mode, &zone, &charset))
		require.Contains(t, mode, "STRICT_ALL_TABLES")
		require.Equal(t, "+00:00 utf8mb4", zone+" "+charset)
	}
	e = dbtest.Open(t, ctx, url+"?sql_mode=traditional&time_zone=-03:00&charset=utf8mb3")
	require.NoError(t, e.QueryRow(ctx, "select @@sql_mode, @@time_zone, @@character_set_client").Scan(&mode, &zone, &charset))
	require.Contains(t, mode, "TRADITIONAL")
	require.Equal(t, "-03:00 utf8mb3", zone+" "+charset)
}

// Whatever the server's own SQL modes are, the Engine knows where a literal ends.
func TestModesOfTheServerDontChangeLiterals(t *testing.T) {
	at := testserver.MariaDB(t).Database(t)
	before := at.MustQuery(t, "select @@global.sql_mode")
	defer func() { at.MustQuery(t, "set global sql_mode = '"+before+"'") }()
	for _, mode := range []string{"ANSI", "ANSI_QUOTES,NO_ZERO_DATE", "ANSI,NO_BACKSLASH_ESCAPES,TRADITIONAL", "ORACLE", "POSTGRESQL", "NO_BACKSLASH_ESCAPES,MSSQL,DB2,MAXDB", "NO_ZERO_DATE", ""} {
		at.MustQuery(t, "set global sql_mode = '"+mode+"'")
		dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
			for _, e := range []*db.Engine{dbtest.Open(t, ctx, at.URL()), openDB(t, ctx, at.DSN())} {
				got, err := db.Scalar[string](ctx, e, `select concat("a\":v", '\':v', :v)`, db.Named("v", "x"))
				require.NoError(t, err, mode)
				require.Equal(t, `a":v':vx`, got, mode)
				now, err := db.Scalar[string](ctx, e, "select @@sql_mode")
				require.NoError(t, err)
				require.Contains(t, now, "STRICT_ALL_TABLES")
				require.Equal(t, strings.Contains(mode, "NO_ZERO_DATE") || strings.Contains(mode, "TRADITIONAL"), strings.Contains(now, "NO_ZERO_DATE"), "%s: other modes stay", mode)
			}
		})
	}
}
