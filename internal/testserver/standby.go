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
	backup  string // pg_basebackup, or "" if the installation has none
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
	b.backup, _ = executable(filepath.Dir(b.bin["postgres"]), "pg_basebackup")
	return b, version, nil
}

// create copies the primary while it runs. The settings come with the copy; later settings win.
func (b standby) create(s *Server) error {
	var err error
	if b.backup != "" {
		err = s.run(exec.Command(b.backup, "--pgdata="+s.path("data"), "--dbname="+b.conninfo(), "--write-recovery-conf", "--checkpoint=fast", "--no-sync"))
	} else {
		err = b.copy(s)
	}
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

// copy does what pg_basebackup does, with psql, in one session. A server of another version than
// the system's may come without a pg_basebackup that knows it.
func (b standby) copy(s *Server) error {
	start, stop := "pg_backup_start(label => 'standby', fast => true)", "pg_backup_stop(false)"
	if major, _, _ := strings.Cut(b.primary.Version, "."); major == "13" || major == "14" {
		start, stop = "pg_start_backup('standby', true, false)", "pg_stop_backup(false)"
	}
	primary := "'" + strings.ReplaceAll(b.primary.path("data"), "'", `'\''`) + "'"
	script := s.path("tmp", "backup.sql")
	// Files may go while they are copied. What is missing is in the log that the standby then
	// reads.
	err := s.account.writeFile(script, []byte(strings.Join([]string{
		"select " + start + ";",
		`\! cp -a ` + primary + " data || true",
		`\! rm -f data/postmaster.pid data/postmaster.opts`,
		`\o data/backup_label`,
		"select labelfile from " + stop + ";",
		"",
	}, "\n")))
	if err != nil {
		return fmt.Errorf("testserver: copying for a standby: %w", err)
	}
	err = s.run(exec.Command(b.bin["psql"], "--no-psqlrc", "--no-password", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", "--file="+script, b.conninfo()))
	if err != nil {
		return err
	}
	if err := s.account.writeFile(s.path("data", "standby.signal"), nil); err != nil {
		return fmt.Errorf("testserver: copying for a standby: %w", err)
	}
	return appendTo(s.path("data", "postgresql.auto.conf"), []string{"primary_conninfo = '" + strings.ReplaceAll(b.conninfo(), "'", "''") + "'"})
}
