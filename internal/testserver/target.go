package testserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A Target says how to reach one database of a server. It is a plain value: a test that puts a
// proxy in between changes Host and Port of its copy.
type Target struct {
	Host     string // 127.0.0.1
	Port     int
	Socket   string // PostgreSQL: the directory of the Unix socket; MariaDB: the socket
	User     string // a superuser
	Password string
	DBName   string
	CAFile   string // only with the TLS option

	// Only with the TLS option: a certificate for the superuser, and its key, which PostgreSQL
	// accepts where pg_hba.conf says "cert".
	CertFile, KeyFile string

	client client
}

// A client runs SQL with the server's own command-line client.
type client interface {
	scheme() string
	query(ctx context.Context, at Target, sql string) (string, error)
}

// Addr returns Host and Port as one string, as a proxy takes it.
func (d Target) Addr() string { return net.JoinHostPort(d.Host, strconv.Itoa(d.Port)) }

// URL returns the URL of the database over TCP:
// postgres://user:password@127.0.0.1:port/name?sslmode=disable, or mysql://… .
func (d Target) URL() string {
	u := url.URL{
		Scheme: d.client.scheme(),
		User:   url.UserPassword(d.User, d.Password),
		Host:   d.Addr(),
		Path:   "/" + d.DBName,
	}
	if d.isPostgres() {
		u.RawQuery = d.sslParameters().Encode()
	}
	return u.String()
}

// SocketURL returns the URL of the database over the Unix socket. PostgreSQL's drivers take the
// directory as the host parameter. A URL for MariaDB has no common form; this one is
// mysql://user:password@/name?socket=… .
func (d Target) SocketURL() string {
	q := url.Values{}
	if d.isPostgres() {
		q.Set("host", d.Socket)
		q.Set("port", strconv.Itoa(d.Port))
	} else {
		q.Set("socket", d.Socket)
	}
	u := url.URL{
		Scheme:   d.client.scheme(),
		User:     url.UserPassword(d.User, d.Password),
		Path:     "/" + d.DBName,
		RawQuery: q.Encode(),
	}
	return u.String()
}

// DSN returns the database over TCP in the older notation: libpq's keywords, or the form that
// github.com/go-sql-driver/mysql takes.
func (d Target) DSN() string {
	if !d.isPostgres() {
		return fmt.Sprintf("%s:%s@tcp(%s)/%s", d.User, d.Password, d.Addr(), d.DBName)
	}
	dsn := d.keywords(d.Host)
	for key, values := range d.sslParameters() {
		dsn += " " + key + "='" + keywordValue.Replace(values[0]) + "'"
	}
	return dsn
}

// SocketDSN is DSN over the Unix socket.
func (d Target) SocketDSN() string {
	if !d.isPostgres() {
		return fmt.Sprintf("%s:%s@unix(%s)/%s", d.User, d.Password, d.Socket, d.DBName)
	}
	return d.keywords(d.Socket)
}

func (d Target) keywords(host string) string {
	q := func(value string) string { return "'" + keywordValue.Replace(value) + "'" }
	return fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s", q(host), d.Port, q(d.User), q(d.Password), q(d.DBName))
}

// keywordValue escapes text for single quotes.
var keywordValue = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

func (d Target) isPostgres() bool { return d.client.scheme() == "postgres" }

func (d Target) sslParameters() url.Values {
	if d.CAFile == "" {
		return url.Values{"sslmode": {"disable"}}
	}
	return url.Values{"sslmode": {"verify-full"}, "sslrootcert": {d.CAFile}}
}

// Query runs SQL with psql or mariadb over the socket, without the code under test. Rows are lines,
// tabs separate columns, and there is no header. It may be called from any goroutine.
func (d Target) Query(ctx context.Context, sql string) (string, error) {
	return d.client.query(ctx, d, sql)
}

// MustQuery is Query for the goroutine of the test.
func (d Target) MustQuery(t testing.TB, sql string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	out, err := d.Query(ctx, sql)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return out
}

// runClient runs a command-line client and returns its output.
func runClient(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("testserver: running SQL with %s: %w: %s",
			filepath.Base(cmd.Path), errors.Join(err, ctx.Err()), strings.TrimSpace(errs.String()))
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

// environment keeps the PGHOST, MYSQL_HOST, locales and the like of the user away from servers and
// clients.
func environment(more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}, more...)
}
