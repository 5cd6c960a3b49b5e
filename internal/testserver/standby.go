package testserver

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Standby starts a streaming standby of a PostgreSQL server, for this test alone: a readable copy
// that follows the primary. The primary must be private and outlive the standby. It accepts the
// standby's name in its setting synchronous_standby_names. "select pg_promote()" makes the standby
// a primary.
func Standby(t testing.TB, primary *Server, name string) *Server {
	t.Helper()
	if primary.shared {
		t.Fatalf("testserver: a standby of the shared PostgreSQL server, which other tests use: ask for one with testserver.Private()")
	}
	return get(t, nil, standby{primary: primary, name: name}, []Option{Private()})
}

// A standby is a PostgreSQL whose data directory is a copy of another one's.
type standby struct {
	postgres
	backup  string // the program that copies
	primary *Server
	name    string
}

func (standby) label() string { return "PostgreSQL standby" }

func (b standby) locate() (flavor, string, error) {
	f, version, err := b.postgres.locate()
	if err != nil {
		return nil, "", err
	}
	b.postgres = f.(postgres)
	dir := filepath.Dir(b.bin["postgres"])
	var ok bool
	if b.backup, ok = executable(dir, "pg_basebackup"); !ok {
		return nil, "", notFound("PostgreSQL standby", []string{"pg_basebackup"}, []string{dir}, "apt-get install postgresql-client")
	}
	return b, version, nil
}

// create copies the primary while it runs. The settings come with the copy; later settings win.
func (b standby) create(s *Server) error {
	err := s.run(exec.Command(b.backup, "--pgdata="+s.path("data"), "--dbname="+b.conninfo(), "--write-recovery-conf", "--checkpoint=fast", "--no-sync"))
	if err != nil {
		return err
	}
	// Its socket is in another directory. After a promotion it must not wait for itself.
	err = appendTo(s.path("data", "postgresql.auto.conf"), []string{
		"unix_socket_directories = '" + strings.ReplaceAll(s.Socket, "'", "''") + "'",
		"synchronous_standby_names = ''",
	})
	if err != nil {
		return fmt.Errorf("testserver: configuring a standby: %w", err)
	}
	return nil
}

// conninfo is how the standby connects to its primary.
func (b standby) conninfo() string {
	return fmt.Sprintf("%s application_name=%s", b.primary.keywords(b.primary.Socket), b.name)
}
