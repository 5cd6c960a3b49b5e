package postgres_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

// URLs may have lists of hosts and directories of sockets, in every spelling. db and pg read them
// alike.
func TestURLsWithHostListsAndSocketDirectories(t *testing.T) {
	target := testserver.Postgres(t).Database(t)
	who := fmt.Sprintf("postgres://%s:%s@", target.User, target.Password)
	dir, port, name := url.QueryEscape(target.Socket), target.Port, target.DBName
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		for _, text := range []string{
			fmt.Sprintf("%s127.0.0.1:1,127.0.0.1:%d/%s?sslmode=disable", who, port, name),
			fmt.Sprintf("%s127.0.0.1,127.0.0.1/%s?sslmode=disable&port=1,%d", who, name, port),
			fmt.Sprintf("%s/%s?host=127.0.0.1,127.0.0.1&port=1,%d&sslmode=disable", who, name, port),
			fmt.Sprintf("%s/%s?host=%s&port=%d", who, name, dir, port),
			fmt.Sprintf("%s%s:%d/%s", who, dir, port, name),
			fmt.Sprintf("%s/%s?host=/no/such/dir,%s&port=%d", who, name, dir, port),
			fmt.Sprintf("postgresql:///%s?host=%s&port=%d&user=%s&password=%s", name, dir, port, target.User, target.Password),
		} {
			e, err := db.Open(ctx, text)
			require.NoError(t, err, text)
			_, err = db.Scalar[int](ctx, e, "select 1")
			require.NoError(t, err, text)
			require.NoError(t, e.Close(ctx))
			p, err := pg.Open(text)
			require.NoError(t, err, text)
			require.NoError(t, p.Ping(ctx), text)
			require.NoError(t, p.Close(ctx))
		}
		for text, says := range map[string]string{
			"postgres://u@/name?host=run/postgresql":            "a host with a slash is a socket's directory, whose path begins with a slash: write host=/run/postgresql",
			"postgres://u@/name?host=/no/such/dir":              "/no/such/dir/.s.PGSQL.5432: dialing: connect: no such file or directory",
			"postgres://u@/name?host=a,b&port=1,2,3":            "could not match 3 port numbers to 2 hosts",
			"postgres://u@127.0.0.1:99999/name":                 "port",
			"postgres://u@127.0.0.1:1,127.0.0.1:1x/name":        "port",
			"postgres://u@127.0.0.1:1,127.0.0.1:2/name":         "127.0.0.1:2: dialing: connect: connection refused",
			"postgres://u:hunter2@127.0.0.1:1,127.0.0.1:2/name": "127.0.0.1:1: dialing: connect: connection refused",
		} {
			_, err := db.Open(ctx, text)
			require.ErrorContains(t, err, says, text)
			require.NotContains(t, err.Error(), "hunter2")
			p, err := pg.Open(text)
			if err == nil {
				err = p.Ping(ctx)
				require.NoError(t, p.Close(ctx))
			}
			require.ErrorContains(t, err, says, text)
			require.NotContains(t, err.Error(), "hunter2")
		}
	})
}
