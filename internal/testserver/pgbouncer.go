package testserver

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// PgBouncer starts a PgBouncer in front of a PostgreSQL server, for this test alone. The mode is
// its pool_mode: session, transaction or statement. Settings have the form "name=value" and are
// added to its configuration.
//
// Clients reach the returned server like PostgreSQL itself, with the same user, password and
// database, but not over a Unix socket. It can be stopped, killed and started again independently
// of PostgreSQL, which must outlive it. Its console is the database "pgbouncer".
func PgBouncer(t testing.TB, behind Target, mode string, settings ...string) *Server {
	t.Helper()
	return get(t, nil, &pgbouncer{behind: behind, mode: mode}, []Option{Config(settings...)})
}

type pgbouncer struct {
	bin    map[string]string // the programs' paths, by name
	behind Target
	mode   string
	starts atomic.Int64
}

var pgbouncerVersion = regexp.MustCompile(`PgBouncer (\S+)`)

func (*pgbouncer) label() string { return "PgBouncer" }

var (
	pgbouncerPrograms = []string{"pgbouncer", "psql"}
	pgbouncerPlaces   = []string{
		"/usr/sbin", // Debian, where only root has it in PATH
		"/usr/local/sbin",
		"/usr/bin",
		"/usr/local/bin",
		"/opt/homebrew/bin",
	}
)

func (b *pgbouncer) locate() (flavor, string, error) {
	bin, ok := lookup(pgbouncerPrograms, pgbouncerPlaces)
	if !ok {
		return nil, "", notFound("PgBouncer", pgbouncerPrograms, pgbouncerPlaces,
			"make install-servers, or apt-get install pgbouncer postgresql-client")
	}
	b.bin = bin
	v, err := version(pgbouncerVersion, bin["pgbouncer"], "--version")
	return b, v, err
}

func (b *pgbouncer) maintenance() string { return b.behind.DBName }

// socket returns none. Without a socket PgBouncer ends if its port is taken, instead of listening
// on the socket alone.
func (*pgbouncer) socket(string) string { return "" }

// The retry is short because tests stop the server behind it and start it again.
const pgbouncerConf = `
listen_addr = %s
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
admin_users = %s
pool_mode = %s
max_client_conn = 500
default_pool_size = 20
server_login_retry = 0.2
`

func (b *pgbouncer) create(s *Server) error {
	s.User, s.Password = b.behind.User, b.behind.Password
	if err := s.account.writeFile(s.path("tmp", "users"), fmt.Appendf(nil, "%q %q\n", s.User, s.Password)); err != nil {
		return fmt.Errorf("testserver: writing PgBouncer's list of users: %w", err)
	}
	return nil
}

// command also writes the configuration, because it contains the port, which is chosen after
// create.
func (b *pgbouncer) command(s *Server) *exec.Cmd {
	b.starts.Add(1)
	conf := append([]string{
		"[databases]",
		fmt.Sprintf("* = host=%s port=%d", b.behind.Host, b.behind.Port),
		"[pgbouncer]",
		fmt.Sprintf(pgbouncerConf, s.Host, s.Port, s.path("tmp", "users"), s.User, b.mode),
	}, s.opts.config...)
	cmd := exec.Command(b.bin["pgbouncer"], s.path("pgbouncer.ini"))
	if err := s.account.writeFile(s.path("pgbouncer.ini"), []byte(strings.Join(conf, "\n")+"\n")); err != nil {
		cmd.Err = err
	}
	return cmd
}

// ready reads the log, in which PgBouncer reports that it has opened its port.
func (b *pgbouncer) ready(s *Server, _ int) bool {
	return int64(strings.Count(s.log(), " process up: ")) >= b.starts.Load()
}

func (*pgbouncer) created(*Server) error { return nil }

func (*pgbouncer) stopSignal() syscall.Signal { return syscall.SIGTERM }
func (*pgbouncer) killSignal() syscall.Signal { return syscall.SIGKILL }

func (*pgbouncer) crashed(*Server) {}

func (*pgbouncer) createDatabase(name string, _ int) string { return "CREATE DATABASE " + name }

func (*pgbouncer) dropDatabase(name string) string { return postgres{}.dropDatabase(name) }

func (*pgbouncer) scheme() string { return "postgres" }

func (b *pgbouncer) query(ctx context.Context, at Target, sql string) (string, error) {
	at.Socket = at.Host
	return postgres{b.bin}.query(ctx, at, sql)
}
