package testserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

type postgres struct {
	bin map[string]string // the programs' paths, by name
}

var postgresVersion = regexp.MustCompile(`\(PostgreSQL\) (\S+)`)

func (postgres) label() string { return "PostgreSQL" }

var (
	postgresPrograms = []string{"postgres", "initdb", "psql"} // the server's first
	installPostgres  = "make install-servers, or apt-get install postgresql"
	postgresPlaces   = []string{
		"/usr/lib/postgresql/*/bin", // Debian
		"/usr/pgsql-*/bin",          // the project's own RPMs
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
		"/usr/local/pgsql/bin",
	}
)

// PostgresEnv is the environment variable that names the directory of PostgreSQL's server, postgres
// and initdb, for tests on another version than the system's. A psql that isn't there may be of any
// version.
const PostgresEnv = "REPAINT_POSTGRES"

func (postgres) locate() (flavor, string, error) {
	bin, err := postgresBin(os.Getenv(PostgresEnv))
	if err != nil {
		return nil, "", err
	}
	v, err := version(postgresVersion, bin["postgres"], "--version")
	return postgres{bin}, v, err
}

func postgresBin(asked string) (map[string]string, error) {
	if asked == "" {
		bin, ok := lookup(postgresPrograms, postgresPlaces)
		if !ok {
			return nil, notFound("PostgreSQL", postgresPrograms, postgresPlaces, installPostgres)
		}
		return bin, nil
	}
	psql := postgresPrograms[2:]
	bin, ok := lookup(psql, append([]string{asked}, postgresPlaces...))
	if !ok {
		return nil, notFound("PostgreSQL", psql, postgresPlaces, installPostgres)
	}
	// The system's server instead of the one that was asked for would have the tests prove nothing,
	// so this is a failure, and never a skip.
	for _, program := range postgresPrograms[:2] {
		if bin[program], ok = executable(asked, program); !ok {
			return nil, fmt.Errorf("testserver: no %s in %q, which %s names: give the absolute path of a directory with %s",
				program, asked, PostgresEnv, strings.Join(postgresPrograms[:2], " and "))
		}
	}
	return bin, nil
}

func (postgres) maintenance() string { return "postgres" }

func (postgres) socket(dir string) string { return dir }

// The data needn't survive a crash of the machine, so nothing waits for the disk. A crash of the
// server alone loses no committed data.
const postgresConf = `
fsync = off
full_page_writes = off
autovacuum = off
max_connections = 300
shared_buffers = 32MB
max_wal_size = 128MB
# Shared memory of its own in the data directory: what is in /dev/shm would survive a kill.
dynamic_shared_memory_type = mmap
timezone = UTC
log_timezone = UTC
`

func (pg postgres) create(s *Server) error {
	secret, err := s.Password, error(nil)
	if s.Major() >= 14 { // initdb of 13 reads no more than 99 bytes
		if secret, err = quickSecret(s.Password); err != nil {
			return err
		}
	}
	file := s.path("tmp", "password")
	if err := s.account.writeFile(file, []byte(secret+"\n")); err != nil {
		return fmt.Errorf("testserver: writing PostgreSQL's password file: %w", err)
	}
	err = s.run(exec.Command(pg.bin["initdb"], "--pgdata", s.path("data"), "--username", s.User, "--pwfile", file,
		"--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"))
	if err != nil {
		return err
	}
	conf := []string{
		postgresConf,
		"listen_addresses = '" + s.Host + "'",
		"unix_socket_directories = '" + strings.ReplaceAll(s.Socket, "'", "''") + "'",
	}
	if s.opts.tls {
		conf = append(conf, "ssl = on",
			"ssl_cert_file = '"+s.path(certFile)+"'", "ssl_key_file = '"+s.path(keyFile)+"'", "ssl_ca_file = '"+s.path(caFile)+"'")
	}
	conf = append(conf, s.opts.config...)
	errs := []error{appendTo(s.path("data", "postgresql.conf"), conf)}
	if s.opts.hba != nil {
		hba := s.path("data", "pg_hba.conf")
		errs = append(errs, os.Truncate(hba, 0), appendTo(hba, s.opts.hba))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("testserver: configuring PostgreSQL: %w", err)
	}
	return nil
}

func appendTo(path string, lines []string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.Join(lines, "\n") + "\n")
	return errors.Join(err, f.Close())
}

func (pg postgres) command(s *Server) *exec.Cmd {
	return exec.Command(pg.bin["postgres"], "-D", s.path("data"), "-p", strconv.Itoa(s.Port))
}

// ready reads what pg_ctl reads: the first line of the pid file has the process's id, the eighth
// its state. A standby reports when it can be read.
func (postgres) ready(s *Server, pid int) bool {
	b, err := os.ReadFile(s.path("data", "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) < 8 || lines[0] != strconv.Itoa(pid) {
		return false
	}
	state := strings.TrimSpace(lines[7])
	return state == "ready" || state == "standby"
}

func (postgres) created(*Server) error { return nil }

// Fast and immediate shutdown. After a SIGKILL the children would have to notice by themselves, and
// shared memory would stay.
func (postgres) stopSignal() syscall.Signal { return syscall.SIGINT }
func (postgres) killSignal() syscall.Signal { return syscall.SIGQUIT }

// crashed removes the segment of shared memory by which a server recognises that others use its
// data.
func (postgres) crashed(s *Server) {
	b, err := os.ReadFile(s.path("data", "postmaster.pid"))
	lines := strings.Split(string(b), "\n")
	if err != nil || len(lines) < 7 {
		return
	}
	if key := strings.Fields(lines[6]); len(key) == 2 {
		_ = exec.Command("ipcrm", "-m", key[1]).Run() // without it, that stays until the machine is restarted
	}
}

// The way of versions before 15 takes half as long as the newer one, which writes all of the new
// database to the log, too.
func (postgres) createDatabase(name string, major int) string {
	if major < 15 {
		return "CREATE DATABASE " + name
	}
	return "CREATE DATABASE " + name + " STRATEGY file_copy"
}

func (postgres) dropDatabase(name string) string {
	return "DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"
}

func (postgres) scheme() string { return "postgres" }

func (pg postgres) query(ctx context.Context, at Target, sql string) (string, error) {
	cmd := exec.CommandContext(ctx, pg.bin["psql"], "--no-psqlrc", "--no-password", "--quiet", "--no-align", "--tuples-only",
		"--field-separator=\t", "--set=ON_ERROR_STOP=1", "--command="+sql, at.keywords(at.Socket))
	cmd.Env = environment("PGCLIENTENCODING=UTF8")
	return runClient(ctx, cmd)
}
