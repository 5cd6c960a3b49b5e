//go:build unix

package testserver

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	if helper := os.Getenv(helperEnv); helper != "" {
		helperMain(helper)
		return
	}
	Main(m)
}

// servers has both flavors. Each test here is for both.
var servers = map[string]func(testing.TB, ...Option) *Server{
	"postgres": Postgres,
	"mariadb":  MariaDB,
}

func forBoth(t *testing.T, test func(t *testing.T, start func(testing.TB, ...Option) *Server)) {
	t.Helper()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) { test(t, start) })
	}
}

func TestServerIsSharedWithoutOptionsAndPrivateWithOne(t *testing.T) {
	forBoth(t, func(t *testing.T, start func(testing.TB, ...Option) *Server) {
		first, second := start(t), start(t)
		require.Same(t, first, second)
		require.NotSame(t, first, start(t, Private()))
		require.Regexp(t, `^\d+\.\d+`, first.Version)
	})
}

func TestSharedServerCanNotBeStopped(t *testing.T) {
	forBoth(t, func(t *testing.T, start func(testing.TB, ...Option) *Server) {
		srv := start(t)
		for _, do := range []func() error{srv.Stop, srv.Start, srv.Kill, srv.Restart} {
			require.ErrorContains(t, do(), "testserver.Private()")
		}
		require.Equal(t, "1", srv.MustQuery(t, "SELECT 1"))
	})
}

func TestDatabasesAreIsolatedAndEndWithTheirTest(t *testing.T) {
	forBoth(t, func(t *testing.T, start func(testing.TB, ...Option) *Server) {
		srv := start(t)
		var names []string
		t.Run("a test", func(t *testing.T) {
			a, b := srv.Database(t), srv.Database(t)
			names = []string{a.DBName, b.DBName}
			require.NotEqual(t, a.DBName, b.DBName)
			a.MustQuery(t, "CREATE TABLE t (n int)")
			a.MustQuery(t, "INSERT INTO t VALUES (1), (2)")
			require.Equal(t, "2\t3", a.MustQuery(t, "SELECT count(*), sum(n) FROM t"))
			_, err := b.Query(t.Context(), "SELECT count(*) FROM t")
			require.ErrorContains(t, err, "t")
		})
		for _, name := range names {
			gone := srv.Target
			gone.DBName = name
			_, err := gone.Query(t.Context(), "SELECT 1")
			require.Error(t, err)
		}
	})
}

func TestDatabaseGoesAlthoughConnectionsAreOpen(t *testing.T) {
	forBoth(t, func(t *testing.T, start func(testing.TB, ...Option) *Server) {
		srv := start(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		passed := t.Run("a test", func(t *testing.T) {
			db := srv.Database(t)
			sleep, asleep := "SELECT sleep(60)", "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT sleep%'"
			if db.isPostgres() {
				sleep, asleep = "SELECT pg_sleep(60)", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
			}
			go func() {
				defer close(ended)
				_, _ = db.Query(ctx, sleep)
			}()
			require.Eventually(t, func() bool { return srv.MustQuery(t, asleep) != "0" }, 20*time.Second, 20*time.Millisecond)
		})
		cancel()
		require.True(t, passed)
		<-ended
	})
}

func TestServerListensOnTCPWithPassword(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		db := Postgres(t).Database(t)
		for _, address := range []string{db.URL(), db.DSN(), db.SocketURL(), db.SocketDSN()} {
			require.Equal(t, db.DBName, psql(t, address, "SELECT current_database()"))
		}
		require.Equal(t, "127.0.0.1", psql(t, db.URL(), "SELECT host(inet_server_addr())"))
		require.Empty(t, psql(t, db.SocketURL(), "SELECT inet_server_addr()"))
		wrong := db
		wrong.Password = "wrong"
		_, err := runPsql(t, wrong.URL(), "SELECT 1")
		require.ErrorContains(t, err, "password authentication failed")
		rounds := 1
		if Postgres(t).Major() < 14 {
			rounds = 4096
		}
		stored := db.MustQuery(t, "SELECT rolpassword FROM pg_authid WHERE rolname = current_user")
		require.Regexp(t, fmt.Sprintf(`^SCRAM-SHA-256\$%d:`, rounds), stored)
	})
	t.Run("mariadb", func(t *testing.T) {
		db := MariaDB(t).Database(t)
		require.Equal(t, db.DBName, overTCP(t, db, "SELECT database()"))
		require.Contains(t, db.DSN(), "@tcp("+db.Addr()+")/"+db.DBName)
		require.Contains(t, db.SocketDSN(), "@unix("+db.Socket+")/"+db.DBName)
		require.Equal(t, "mysql://repaint:repaint@"+db.Addr()+"/"+db.DBName, db.URL())
		require.FileExists(t, db.Socket)
	})
}

func psql(t *testing.T, address, sql string) string {
	t.Helper()
	out, err := runPsql(t, address, sql)
	require.NoError(t, err)
	return out
}

func runPsql(t *testing.T, address, sql string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Postgres(t).flavor.(postgres).bin["psql"], "-XwqAt", "-c", sql, address)
	cmd.Env = environment()
	return runClient(t.Context(), cmd)
}

func overTCP(t *testing.T, db Target, sql string, more ...string) string {
	t.Helper()
	args := append([]string{"--no-defaults", "--protocol=tcp", "--host=" + db.Host, "--port=" + strconv.Itoa(db.Port),
		"--user=" + db.User, "--password=" + db.Password, "-BNe", sql, db.DBName}, more...)
	cmd := exec.CommandContext(t.Context(), db.client.(mariadb).bin["mariadb"], args...)
	cmd.Env = environment()
	out, err := runClient(t.Context(), cmd)
	require.NoError(t, err)
	return out
}

func TestRestartKeepsAddressAndData(t *testing.T) {
	forBoth(t, func(t *testing.T, start func(testing.TB, ...Option) *Server) {
		srv := start(t, Private())
		before := srv.Target
		db := srv.Database(t)
		db.MustQuery(t, "CREATE TABLE t (n int)")
		for i, again := range []func() error{
			srv.Restart,
			func() error { return join(srv.Stop(), srv.Start()) },
			func() error { return join(srv.Kill(), srv.Start()) },
		} {
			db.MustQuery(t, "INSERT INTO t VALUES (1)")
			require.NoError(t, again())
			require.Equal(t, strconv.Itoa(i+1), db.MustQuery(t, "SELECT count(*) FROM t"))
			require.Equal(t, before, srv.Target)
		}
		require.ErrorContains(t, srv.Start(), "running already")
		require.NotEmpty(t, srv.Logs())
	})
}

func join(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestStoppedServerRefusesConnections(t *testing.T) {
	forBoth(t, func(t *testing.T, start func(testing.TB, ...Option) *Server) {
		srv := start(t, Private())
		srv.Database(t) // its cleanup finds the server stopped
		for range 2 {
			require.NoError(t, srv.Stop())
			conn, err := net.Dial("tcp", srv.Addr())
			if err == nil {
				conn.Close()
			}
			require.ErrorContains(t, err, "refused")
		}
		t.Run("and finds its port taken", func(t *testing.T) {
			l, err := net.Listen("tcp4", srv.Addr())
			require.NoError(t, err)
			defer l.Close()
			// These words make a first start try another port.
			require.ErrorContains(t, srv.Start(), "already in use")
		})
	})
}

func TestPrivateServerEndsWithItsTestAndLeavesNothing(t *testing.T) {
	forBoth(t, func(t *testing.T, start func(testing.TB, ...Option) *Server) {
		start(t) // skips if there is none
		var srv *Server
		var proc *process
		t.Run("a test", func(t *testing.T) {
			srv = start(t, Private())
			proc = srv.proc
		})
		require.True(t, proc.ended())
		require.NoDirExists(t, srv.dir)
	})
}

func TestConfig(t *testing.T) {
	require.Equal(t, "17", Postgres(t, Config("max_connections=17")).MustQuery(t, "SHOW max_connections"))
	require.Equal(t, "17", MariaDB(t, Config("max-connections=17")).MustQuery(t, "SELECT @@max_connections"))
}

func TestHBA(t *testing.T) {
	srv := Postgres(t, HBA("local all all trust", "host all all 127.0.0.1/32 reject"))
	require.Equal(t, "1", srv.MustQuery(t, "SELECT 1"))
	_, err := runPsql(t, srv.URL(), "SELECT 1")
	require.ErrorContains(t, err, "rejects connection")
}

func TestTLS(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		srv := Postgres(t, TLS())
		require.Contains(t, srv.URL(), "sslmode=verify-full")
		for _, address := range []string{srv.URL(), srv.DSN()} {
			require.Equal(t, "t", psql(t, address, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
		}
	})
	t.Run("client certificate", func(t *testing.T) {
		srv := Postgres(t, TLS(), HBA("local all all trust", "hostssl all all 127.0.0.1/32 cert"))
		nobody := srv.Target
		nobody.Password = ""
		require.Equal(t, srv.User, psql(t, nobody.DSN()+" sslcert="+srv.CertFile+" sslkey="+srv.KeyFile, "SELECT current_user"))
	})
	t.Run("mariadb", func(t *testing.T) {
		srv := MariaDB(t, TLS())
		out := overTCP(t, srv.Target, "SHOW STATUS LIKE 'Ssl_cipher'", "--ssl-ca="+srv.CAFile, "--ssl-verify-server-cert")
		require.Regexp(t, `^Ssl_cipher\s+\S+`, out)
	})
}

// To the kernel the thread that started a process is its parent.
func TestServerSurvivesTheThreadThatStartedIt(t *testing.T) {
	forBoth(t, func(t *testing.T, start func(testing.TB, ...Option) *Server) {
		start(t) // skips if there is none
		started := make(chan *Server)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			started <- start(t, Private())
		}()
		srv := <-started
		for range 20 {
			require.Equal(t, "1", srv.MustQuery(t, "SELECT 1"))
		}
	})
}

func TestFailedStartShowsTheLog(t *testing.T) {
	for name, f := range map[string]flavor{"postgres": postgres{}, "mariadb": mariadb{}} {
		t.Run(name, func(t *testing.T) {
			servers[name](t) // skips if there is none
			srv, err := launch(f, options{config: []string{"no_such_setting=1"}})
			require.Nil(t, srv)
			require.ErrorContains(t, err, "ended while it was starting")
			require.ErrorContains(t, err, "no_such_setting")
		})
	}
}

func TestClosedOrLongTemporaryDirectoriesArePassedOver(t *testing.T) {
	closed := t.TempDir()
	require.NoError(t, os.Chmod(closed, 0o700))
	long := filepath.Join(t.TempDir(), "a-directory-with-a-name-that-is-too-long-for-a-socket-in-it-"+
		"although-a-file-system-does-not-mind")
	require.NoError(t, os.Mkdir(long, 0o755))
	for name, dir := range map[string]string{"closed": closed, "long": long} {
		t.Run(name, func(t *testing.T) {
			if name == "closed" && os.Geteuid() != 0 {
				t.Skip("only root has directories that the server's user can't enter")
			}
			t.Setenv("TMPDIR", dir)
			got, who, err := place()
			require.NoError(t, err)
			defer os.Remove(got)
			require.NotEqual(t, dir, filepath.Dir(got))
			require.NoError(t, who.accept(got))
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

func TestDatabaseNameNeedsNoQuotes(t *testing.T) {
	require.Equal(t, "t7_testx_sub_test_1", databaseName(7, "TestX/Sub-test#1"))
	require.Less(t, len(databaseName(1<<60, string(make([]rune, 200)))), 64)
}
