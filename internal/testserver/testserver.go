// Package testserver starts private PostgreSQL and MariaDB servers, and PgBouncers, for tests. It
// uses the system's binaries and a temporary directory. The servers listen on 127.0.0.1 and on a
// Unix socket. The package needs no configuration and no privileges.
//
//	srv := testserver.Postgres(t) // one server for the whole test binary
//	db := srv.Database(t)         // a fresh database, dropped with the test
//	conn, err := pgx.Connect(ctx, db.URL())
//
// With an option ([Private], [Config], [HBA], [TLS]) the server is the test's own: it can be
// stopped, killed and started again, and it ends with the test. A stopped server keeps its address.
//
// # Without binaries
//
// A test that asks for a server that isn't installed is skipped, and the message says how to
// install it. With REPAINT_REQUIRE_SERVERS=1 in the environment the test fails instead, so that a
// test run can't be green by skipping.
//
// # Other versions
//
// REPAINT_POSTGRES names the directory of another PostgreSQL's programs, by its absolute path. The
// user that the server runs as must be able to read it. make test-versions uses that.
//
// # Cleaning up
//
// Nothing stays behind. Each server has a watchdog, a shell that reads from a pipe whose other end
// only the test binary holds. When the test binary is gone, for whatever reason, the watchdog ends
// the server and removes its directory. So a shared server needs no TestMain; [Main] is for
// packages that want it gone before their process ends. On Linux the kernel also ends the server
// with its parent, in case the watchdog is killed too.
//
// A running server costs the test binary one goroutine, which waits for the process. A leak check
// should begin to count goroutines after the test has asked for its server.
package testserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Every wait of this package ends with one of these.
const (
	startTimeout = 90 * time.Second // includes creating the data directory, on a busy machine
	stopTimeout  = 30 * time.Second
	queryTimeout = 90 * time.Second
)

// A Server is a server of a test. Its Target is the maintenance database, which tests should leave
// alone: Database gives them their own.
type Server struct {
	Target

	// Version is the version that the binaries report, such as "15.18" or "10.11.19".
	Version string

	flavor    flavor
	opts      options
	shared    bool
	databases atomic.Int64

	// The server's directory holds data/, s/ (sockets; a short name, because their paths are
	// limited to about 100 bytes), tmp/ and server.log, to which tools write too.
	dir     string
	account *account // the user that the server runs as; nil: the user of the tests
	guard   *watchdog

	mu   sync.Mutex // held during start and stop
	proc *process   // nil: stopped

	suspended bool // by Suspend
}

// Postgres returns the PostgreSQL server that the tests of this binary share. It starts the server
// when the first test asks. With options it starts a server for this test alone.
func Postgres(t testing.TB, opts ...Option) *Server {
	t.Helper()
	return get(t, &sharedPostgres, postgres{}, opts)
}

// MariaDB is Postgres for MariaDB.
func MariaDB(t testing.TB, opts ...Option) *Server {
	t.Helper()
	return get(t, &sharedMariaDB, mariadb{}, opts)
}

// An Option makes a server the test's own.
type Option func(*options)

type options struct {
	config []string
	hba    []string
	tls    bool
}

// Private asks for a server of the test's own, with the default settings.
func Private() Option { return func(*options) {} }

// Config adds settings of the form "name=value": lines of postgresql.conf, or options of mariadbd
// without the dashes.
func Config(settings ...string) Option {
	return func(o *options) { o.config = append(o.config, settings...) }
}

// HBA replaces PostgreSQL's pg_hba.conf. The default trusts the socket and asks for a SCRAM
// password over TCP. Keep a line that trusts the socket ("local all all trust"): Database and Query
// use it.
func HBA(lines ...string) Option {
	return func(o *options) { o.hba = append(o.hba, lines...) }
}

// TLS gives the server a certificate for 127.0.0.1 and localhost. Target.CAFile has the authority
// that signed it. The server still accepts connections without TLS.
func TLS() Option { return func(o *options) { o.tls = true } }

// shared is the server of a whole test binary. It remembers a failed start, so that later tests
// fail at once instead of waiting for the same deadline again.
type shared struct {
	once sync.Once
	srv  *Server
	err  error
}

var sharedPostgres, sharedMariaDB shared

func (s *shared) start(f flavor) {
	if s.srv, s.err = launch(f, options{}); s.err == nil {
		s.srv.shared = true
	}
}

func get(t testing.TB, s *shared, f flavor, opts []Option) *Server {
	t.Helper()
	if len(opts) == 0 {
		s.once.Do(func() { s.start(f) })
		if s.err != nil {
			unavailable(t, s.err)
		}
		return s.srv
	}
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	srv, err := launch(f, o)
	if err != nil {
		unavailable(t, err)
	}
	t.Cleanup(func() {
		if err := srv.remove(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return srv
}

// unavailable ends the test. A missing server skips it, unless the run requires servers. A server
// that is installed but fails is always a failure.
func unavailable(t testing.TB, err error) {
	t.Helper()
	var missing *MissingError
	if errors.As(err, &missing) && os.Getenv(RequireEnv) != "1" {
		t.Skipf("%v", err)
	}
	if missing != nil {
		t.Fatalf("%v (%s=1 makes this a failure)", err, RequireEnv)
	}
	t.Fatalf("%v", err)
}

// Main runs the tests, ends the shared servers and exits: func TestMain(m *testing.M) {
// testserver.Main(m) }.
func Main(m *testing.M) {
	code := m.Run()
	if err := Shutdown(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Shutdown ends the shared servers, for a TestMain that does more than Main. No test may use them
// afterwards.
func Shutdown() error {
	var errs []error
	for _, s := range []*shared{&sharedPostgres, &sharedMariaDB} {
		s.once.Do(func() { s.err = errors.New("testserver: no shared server is available after Shutdown") })
		if s.srv != nil {
			errs = append(errs, s.srv.remove())
		}
	}
	return errors.Join(errs...)
}

// Stop shuts the server down in order, as an administrator would. PostgreSQL ends its sessions with
// 57P01.
func (s *Server) Stop() error {
	return s.private("Stop", func() error { return s.end(s.flavor.stopSignal()) })
}

// Kill ends the server like a crash. Committed data are there again after the next Start.
func (s *Server) Kill() error {
	return s.private("Kill", func() error { return s.end(s.flavor.killSignal()) })
}

// Start starts a stopped server at the same address and with the same data.
func (s *Server) Start() error { return s.private("Start", s.start) }

// Restart stops the server and starts it again.
func (s *Server) Restart() error {
	if err := s.Stop(); err != nil {
		return err
	}
	return s.Start()
}

func (s *Server) private(verb string, do func() error) error {
	if s.shared {
		return fmt.Errorf("testserver: %s of the shared %s server, which other tests use: ask for one with testserver.Private()",
			verb, s.flavor.label())
	}
	return do()
}

// Logs returns the contents of the server's log so far.
func (s *Server) Logs() string { return s.log() }

// Database creates a database for this test and drops it when the test ends, with the connections
// that are still open.
func (s *Server) Database(t testing.TB) Target {
	t.Helper()
	target := s.Target
	target.DBName = databaseName(s.databases.Add(1), t.Name())
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	if _, err := s.Query(ctx, s.flavor.createDatabase(target.DBName, s.Major())); err != nil {
		t.Fatalf("testserver: creating a database for the test: %v", err)
	}
	t.Cleanup(func() {
		if !s.running() {
			return // a private server that the test has stopped is removed as a whole
		}
		ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
		defer cancel()
		if _, err := s.Query(ctx, s.flavor.dropDatabase(target.DBName)); err != nil && s.running() {
			t.Errorf("testserver: dropping the test's database: %v", err)
		}
	})
	return target
}

var notIdentifier = regexp.MustCompile(`[^a-z0-9]+`)

// databaseName returns a name that is unique by its number. The test's name is for readers of the
// server's log. The name needs no quotes, and stays below the 63 bytes of PostgreSQL.
func databaseName(n int64, test string) string {
	name := notIdentifier.ReplaceAllString(strings.ToLower(test), "_")
	return fmt.Sprintf("t%d_%.40s", n, name)
}
