package testserver

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

type mariadb struct {
	bin map[string]string // the programs' paths, by name
}

var mariadbVersion = regexp.MustCompile(`Ver ([\d.]+)\S*MariaDB`)

func (mariadb) label() string { return "MariaDB" }

var (
	mariadbPrograms = []string{"mariadbd", "mariadb-install-db", "mariadb"}
	mariadbPlaces   = []string{
		"/usr/sbin", // Debian, where only root has it in PATH
		"/usr/libexec",
		"/usr/local/sbin",
		"/usr/local/libexec",
		"/usr/bin",
		"/usr/local/bin",
		"/opt/homebrew/bin",
	}
)

func (mariadb) locate() (flavor, string, error) {
	bin, ok := lookup(mariadbPrograms, mariadbPlaces)
	if !ok {
		return nil, "", notFound("MariaDB", mariadbPrograms, mariadbPlaces,
			"make install-servers, or apt-get install mariadb-server-core mariadb-client-core")
	}
	v, err := version(mariadbVersion, bin["mariadbd"], "--no-defaults", "--version")
	return mariadb{bin}, v, err
}

func (mariadb) maintenance() string { return "mysql" }

func (mariadb) socket(dir string) string { return filepath.Join(dir, "mariadbd.sock") }

func (m mariadb) create(s *Server) error {
	// Normal authentication: root has no password, and its socket is in a directory that no other
	// user can enter.
	return s.run(exec.Command(m.bin["mariadb-install-db"], "--no-defaults", "--datadir="+s.path("data"), "--tmpdir="+s.path("tmp"),
		"--auth-root-authentication-method=normal", "--skip-name-resolve", "--skip-test-db"))
}

func (m mariadb) command(s *Server) *exec.Cmd {
	args := []string{
		"--no-defaults", // first, or it is refused
		"--datadir=" + s.path("data"), "--tmpdir=" + s.path("tmp"),
		"--socket=" + s.Socket, "--pid-file=" + s.path("tmp", "mariadbd.pid"),
		"--bind-address=" + s.Host, "--port=" + strconv.Itoa(s.Port), "--skip-name-resolve",
		// Committed data survive a crash of the server, but nothing waits for the disk.
		"--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0", "--sync-frm=0",
		"--innodb-buffer-pool-size=32M", "--innodb-use-native-aio=0", "--performance-schema=0",
		"--max-connections=300", "--max-connect-errors=1000000",
		"--character-set-server=utf8mb4", "--default-time-zone=+00:00",
	}
	if s.opts.tls {
		args = append(args, "--ssl-cert="+s.path(certFile), "--ssl-key="+s.path(keyFile), "--ssl-ca="+s.path(caFile))
	}
	for _, setting := range s.opts.config {
		args = append(args, "--"+setting)
	}
	return exec.Command(m.bin["mariadbd"], args...)
}

// ready waits for the greeting, a packet whose first byte is the protocol's version. The socket
// appears earlier.
func (mariadb) ready(s *Server, _ int) bool {
	conn, err := net.DialTimeout("unix", s.Socket, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	greeting := make([]byte, 5)
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	_, err = io.ReadFull(conn, greeting)
	return err == nil && greeting[4] == 10
}

func (m mariadb) created(s *Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	root := s.Target
	root.User, root.Password = "root", ""
	_, err := root.Query(ctx, fmt.Sprintf("CREATE USER '%[1]s'@'%%' IDENTIFIED BY '%[2]s'; GRANT ALL ON *.* TO '%[1]s'@'%%' WITH GRANT OPTION",
		s.User, s.Password))
	return err
}

func (mariadb) stopSignal() syscall.Signal { return syscall.SIGTERM }
func (mariadb) killSignal() syscall.Signal { return syscall.SIGKILL }

func (mariadb) crashed(*Server) {}

func (mariadb) createDatabase(name string, _ int) string { return "CREATE DATABASE " + name }

func (mariadb) dropDatabase(name string) string { return "DROP DATABASE IF EXISTS " + name }

func (mariadb) scheme() string { return "mysql" }

func (m mariadb) query(ctx context.Context, at Target, sql string) (string, error) {
	cmd := exec.CommandContext(ctx, m.bin["mariadb"], "--no-defaults", "--socket="+at.Socket, "--user="+at.User,
		"--default-character-set=utf8mb4", "--batch", "--skip-column-names", "--execute="+sql, at.DBName)
	cmd.Env = environment("MYSQL_PWD=" + at.Password)
	return runClient(ctx, cmd)
}
