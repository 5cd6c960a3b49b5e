package pg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestOptionsInURLAndKeywords(t *testing.T) {
	for _, conn := range []string{
		"postgres://me:secret@db.example:5433/app?pool_lanes=3&pool_sessions=5&pipeline=off&pipeline_depth=9&statement_cache_capacity=7&default_query_exec_mode=cache_describe&pool_queue=11&application_name=x",
		"host=db.example port=5433 user=me password=secret dbname=app pool_lanes=3 pool_sessions=5 pipeline=off pipeline_depth=9 statement_cache_capacity=7 default_query_exec_mode=cache_describe pool_queue=11 application_name=x",
	} {
		c, err := ParseConfig(conn)
		require.NoError(t, err)
		require.Equal(t, []any{3, 5, false, 9, 7, pgx.QueryExecModeCacheDescribe, 11},
			[]any{c.Lanes, c.Sessions, c.Pipeline, c.Depth, c.StatementCache, c.ExecMode, c.QueueLimit})
		require.Equal(t, "db.example", c.Conn.Host)
		require.EqualValues(t, 5433, c.Conn.Port)
		require.Equal(t, map[string]string{"application_name": "x"}, c.Conn.RuntimeParams, "ours aren't sent to the server")
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			text := fmt.Sprintf(format, *c)
			require.NotContains(t, text, "secret", format)
			require.Contains(t, text, "me@db.example:5433/app", format)
		}
	}
}

func TestDefaults(t *testing.T) {
	c, err := ParseConfig("postgres://me@db.example/app")
	require.NoError(t, err)
	require.Equal(t, []any{defaultLanes, defaultSessions, true, 0, defaultCache, pgx.QueryExecModeCacheStatement},
		[]any{c.Lanes, c.Sessions, c.Pipeline, c.Depth, c.StatementCache, c.ExecMode})
	c, err = ParseConfig("postgres://me@db.example/app?statement_cache_capacity=0")
	require.NoError(t, err)
	require.Equal(t, pgx.QueryExecModeExec, c.ExecMode)
}

func TestWrongOptionsAreExplained(t *testing.T) {
	for option, want := range map[string]string{
		"pipeline=maybe":                "want on or off",
		"pool_lanes=0":                  "want a number from 1",
		"pool_sessions=many":            "want a number from 1",
		"pipeline_depth=-1":             "want a number from 0",
		"statement_cache_capacity=x":    "want a number from 0",
		"default_query_exec_mode=quick": "want cache_statement, cache_describe, describe_exec, exec or simple_protocol",
		"target_session_attrs=best":     "target_session_attrs",
		"statement_cache_capacity=0&default_query_exec_mode=cache_statement": "needs a statement_cache_capacity above 0",
	} {
		_, err := ParseConfig("postgres://me:secret@db.example/app?" + option)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
}

// A connection string can be wrong in many ways; in none does the error show the password.
func TestPasswordIsNeverShown(t *testing.T) {
	for _, conn := range []string{
		"postgres://me:hunter2@db:port/app",
		"postgres://me:hunter2@db:99999/app",
		"postgres://me:hun%zzter2@db/app",
		"postgres://me:hunter2@[db/app",
		"postgres://me:hunter2 with space@db/app?sslmode=nonsense",
		"postgres://me:hunter2@db/app?sslmode=nonsense",
		"postgres://me:hunter2@db/app?sslrootcert=/nowhere/hunter2",
		"postgres://me:h@hunter2@db:x/app",
		"postgres://me:hunter2/x@db:x/app",
		"postgres://db:x/app?password=hunter2",
		"host=db password=hunter2 port=x",
		"host=db password='hunter2 port=1",
		"host=db password='a hunter2' sslmode=nonsense",
		"host=db password = hunter2 = port",
		"host=db user='x password=hunter2",
		"postgresql://me:hunter2@db?connect_timeout=hunter2",
	} {
		_, err := ParseConfig(conn)
		require.Error(t, err, conn)
		for e := err; e != nil; e = errors.Unwrap(e) {
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", e, e, e), "hunter2", conn)
		}
	}
}

func TestConnectEveryWay(t *testing.T) {
	srv := testserver.Postgres(t, testserver.TLS())
	target := srv.Target
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	passfile := write("pgpass", fmt.Sprintf("%s:%d:*:%s:%s\n", target.Host, target.Port, target.User, target.Password))
	servicefile := write("services", fmt.Sprintf("[ours]\nhost=%s\nport=%d\nuser=%s\ndbname=%s\npassword=%s\nsslmode=disable\n",
		target.Host, target.Port, target.User, target.DBName, target.Password))
	dead := faultproxy.New(t, target.Addr())
	dead.Refuse()
	leakcheck.Test(t)
	for name, conn := range map[string]string{
		"URL with TLS":  target.URL(),
		"keywords":      target.DSN(),
		"socket URL":    target.SocketURL(),
		"socket DSN":    target.SocketDSN(),
		"passfile":      fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable&passfile=%s", target.User, target.Addr(), target.DBName, passfile),
		"service":       fmt.Sprintf("service=ours servicefile=%s", servicefile),
		"several hosts": fmt.Sprintf("postgres://%s:%s@%s,%s/%s?sslmode=prefer&target_session_attrs=read-write", target.User, target.Password, dead.Addr(), target.Addr(), target.DBName),
	} {
		t.Run(name, func(t *testing.T) {
			db := openAt(t, conn)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			var one int
			require.NoError(t, db.QueryRow(ctx, "select $1::int", 1).Scan(&one))
			require.Equal(t, 1, one)
			var tls bool
			require.NoError(t, db.QueryRow(ctx, "select ssl from pg_stat_ssl where pid = pg_backend_pid()").Scan(&tls))
			require.Equal(t, strings.Contains(conn, "verify-full") || strings.Contains(conn, "prefer"), tls)
		})
	}
	t.Run("environment", func(t *testing.T) {
		t.Setenv("PGHOST", target.Host)
		t.Setenv("PGPORT", fmt.Sprint(target.Port))
		t.Setenv("PGUSER", target.User)
		t.Setenv("PGPASSWORD", target.Password)
		t.Setenv("PGDATABASE", target.DBName)
		require.NoError(t, openAt(t, "").Ping(context.Background()))
	})
	t.Run("wrong password", func(t *testing.T) {
		err := openAt(t, fmt.Sprintf("postgres://%s:wrongwrong@%s/%s", target.User, target.Addr(), target.DBName)).Ping(context.Background())
		require.ErrorContains(t, err, "28P01")
		require.NotContains(t, err.Error(), "wrongwrong")
	})
}

func TestServerThatNeverAnswers(t *testing.T) {
	srv := testserver.Postgres(t)
	leakcheck.Test(t)
	target := srv.Database(t)
	proxy := faultproxy.New(t, target.Addr())
	proxy.Stall()
	target.Host, target.Port = proxy.Host(), proxy.Port()
	t.Run("the caller's deadline", func(t *testing.T) {
		db := openAt(t, target.URL())
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, db.Ping(ctx), context.DeadlineExceeded)
		_, err := db.Begin(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		tight, stop := context.WithTimeout(context.Background(), time.Millisecond)
		defer stop()
		require.NoError(t, db.Close(tight), "nothing was under way")
	})
	t.Run("connect_timeout", func(t *testing.T) {
		db := openAt(t, target.URL()+"&connect_timeout=1")
		require.ErrorContains(t, db.Ping(context.Background()), "timeout")
	})
}
