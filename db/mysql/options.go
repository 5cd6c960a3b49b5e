package mysql

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"github.com/seed1239206e/repaint/db/backend"
)

// options are the URL options that don't belong to the driver.
type options struct {
	zone          *time.Location
	cancelTimeout time.Duration
	kept          int
	emulate       bool // emulate RETURNING even if the server has it
}

func defaultOptions() options {
	return options{zone: time.UTC, cancelTimeout: 3 * time.Second, kept: 128}
}

// Options returns the names of the URL's options.
func (Dialect) Options() []string {
	return []string{"socket", "tls", "tls_ca", "tls_cert", "tls_key", "tls_server_name", "allow_cleartext_passwords", "charset", "collation", "time_zone", "sql_mode",
		"connect_timeout", "read_timeout", "write_timeout", "cancel_timeout", "max_allowed_packet", "prepared_statements", "compress", "returning"}
}

// charsets are the character sets in which every byte of ASCII is that character and nothing else,
// and in which Go's strings are. So statements can be read byte by byte.
var charsets = []string{"utf8mb4", "utf8mb3", "utf8"}

// literalModes are the SQL modes that change where literals end, and the modes that include one of
// those.
var literalModes = []string{"ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL"}

// strict is an expression for sql_mode. It makes the server refuse values that don't fit, and
// removes the modes that change where literals end.
var strict = func() string {
	modes := "concat(',', @@sql_mode, ',')"
	for _, m := range literalModes {
		modes = "replace(" + modes + ", '," + m + ",', ',')"
	}
	return "concat_ws(',', nullif(trim(both ',' from " + modes + "), ''), 'STRICT_ALL_TABLES')"
}()

// configure reads a URL. It returns one configuration for each host, in the order in which to try
// them.
func configure(u *backend.URL) (o options, hosts []*driver.Config, err error) {
	o = defaultOptions()
	r := reader{u: u}
	c := driver.NewConfig()
	c.User, c.Passwd, c.DBName = u.User, u.Password, u.Database
	c.ClientFoundRows = true
	c.Logger = &driver.NopLogger{}
	c.Timeout = r.duration("connect_timeout", 10*time.Second)
	c.ReadTimeout = r.duration("read_timeout", 0)
	c.WriteTimeout = r.duration("write_timeout", 0)
	o.cancelTimeout = r.duration("cancel_timeout", o.cancelTimeout)
	c.MaxAllowedPacket = r.number("max_allowed_packet", c.MaxAllowedPacket)
	o.kept = r.number("prepared_statements", o.kept)

	o.emulate = r.oneOf("returning", "native", "emulated") == "emulated"
	charset := r.oneOf("charset", charsets...)
	collation := u.Option("collation")
	if strings.Trim(collation, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		r.fail("collation", "the name of a collation has small letters, digits and _")
	}
	if collation != "" && charset == "" {
		charset = charsets[0]
	}
	if charset != "" {
		r.check("charset", c.Apply(driver.Charset(charset, collation)))
	}
	if u.Options.Has("compress") {
		on, err := backend.ParseBool(u.Option("compress"))
		r.check("compress", err)
		r.check("compress", c.Apply(driver.EnableCompression(on)))
	}
	zone := "+00:00"
	if u.Options.Has("time_zone") {
		zone = u.Option("time_zone")
		t, err := time.Parse("-07:00", zone)
		if err != nil {
			r.fail("time_zone", "it is a fixed offset such as +02:00; summer time would make times ambiguous")
		}
		if _, offset := t.Zone(); offset != 0 {
			o.zone = time.FixedZone(zone, offset)
		}
	}
	mode := strict
	if u.Options.Has("sql_mode") {
		given := strings.ToUpper(u.Option("sql_mode"))
		if strings.Trim(given, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_,0123456789") != "" {
			r.fail("sql_mode", "modes are words with commas between them")
		}
		for m := range strings.SplitSeq(given, ",") {
			if slices.Contains(literalModes, m) {
				r.fail("sql_mode", m+" would change where literals end, which this package has to know")
			}
		}
		mode = "'" + given + "'"
	}
	c.Params = map[string]string{"time_zone": "'" + zone + "'", "sql_mode": mode}
	tlsMode := r.tls(c)
	r.cleartext(c, tlsMode)
	if r.err != nil {
		return o, nil, r.err
	}
	hosts, err = addresses(u, c, tlsMode)
	return o, hosts, err
}

// addresses returns a configuration for each of the URL's hosts, or for its socket.
func addresses(u *backend.URL, c *driver.Config, tlsMode string) ([]*driver.Config, error) {
	if socket := u.Option("socket"); socket != "" {
		if len(u.Hosts) > 0 {
			return nil, errors.New("there is a host and the option socket; leave one of them out, as in mysql://user@/database?socket=/run/mysqld/mysqld.sock")
		}
		c.Net, c.Addr = "unix", socket
		if tlsMode == "preferred" {
			c.TLS, c.AllowFallbackToPlaintext = nil, false // a socket on this machine needs no encryption
		}
		return []*driver.Config{c}, nil
	}
	all := u.Hosts
	if len(all) == 0 {
		all = []backend.Host{{Name: "127.0.0.1"}}
	}
	var hosts []*driver.Config
	for _, h := range all {
		one := c.Clone()
		port := h.Port
		if port == "" {
			port = "3306"
		}
		one.Net, one.Addr = "tcp", net.JoinHostPort(h.Name, port)
		if one.TLS != nil && one.TLS.ServerName == "" {
			one.TLS.ServerName = h.Name
		}
		hosts = append(hosts, one)
	}
	return hosts, nil
}

// reader reads options and keeps the first error.
type reader struct {
	u   *backend.URL
	err error
}

func (r *reader) fail(name, why string) {
	if r.err == nil {
		r.err = fmt.Errorf("the option %s=%s: %s", name, r.u.Option(name), why)
	}
}

func (r *reader) check(name string, err error) {
	if err != nil {
		r.fail(name, err.Error())
	}
}

func (r *reader) duration(name string, otherwise time.Duration) time.Duration {
	if !r.u.Options.Has(name) {
		return otherwise
	}
	d, err := backend.ParseDuration(r.u.Option(name))
	r.check(name, err)
	return d
}

func (r *reader) number(name string, otherwise int) int {
	if !r.u.Options.Has(name) {
		return otherwise
	}
	n, err := strconv.Atoi(r.u.Option(name))
	if err != nil || n < 0 {
		r.fail(name, "not a whole number")
	}
	return n
}

func (r *reader) oneOf(name string, values ...string) string {
	if !r.u.Options.Has(name) {
		return ""
	}
	value := strings.ToLower(r.u.Option(name))
	if !slices.Contains(values, value) {
		r.fail(name, "it is one of "+strings.Join(values, ", "))
	}
	return value
}

// cleartext lets the server ask for the plain password, if the connection is encrypted.
func (r *reader) cleartext(c *driver.Config, tlsMode string) {
	const name = "allow_cleartext_passwords"
	if !r.u.Options.Has(name) {
		return
	}
	on, err := backend.ParseBool(r.u.Option(name))
	r.check(name, err)
	if on && tlsMode != "required" && tlsMode != "verify" {
		r.fail(name, "the password may only be sent encrypted: write tls=verify, with tls_ca if the system doesn't know the authority; or tls=required, which trusts any server")
	}
	c.AllowCleartextPasswords = on
}

// tls sets up encryption and returns the mode.
func (r *reader) tls(c *driver.Config) string {
	mode := r.oneOf("tls", "off", "preferred", "required", "verify")
	file := func(name string) bool { return r.u.Option(name) != "" }
	if mode == "" {
		mode = "preferred"
		if file("tls_ca") || file("tls_cert") || file("tls_server_name") {
			mode = "verify"
		}
	}
	if file("tls_cert") != file("tls_key") {
		r.fail("tls_cert", "tls_cert and tls_key belong together")
	}
	if mode == "off" || r.err != nil {
		return mode
	}
	t := &tls.Config{InsecureSkipVerify: mode != "verify", ServerName: r.u.Option("tls_server_name")}
	if file("tls_ca") {
		pem, err := os.ReadFile(r.u.Option("tls_ca"))
		r.check("tls_ca", err)
		t.RootCAs = x509.NewCertPool()
		if err == nil && !t.RootCAs.AppendCertsFromPEM(pem) {
			r.fail("tls_ca", "there is no certificate in the file")
		}
	}
	if file("tls_cert") {
		pair, err := tls.LoadX509KeyPair(r.u.Option("tls_cert"), r.u.Option("tls_key"))
		r.check("tls_cert", err)
		t.Certificates = []tls.Certificate{pair}
	}
	c.TLS, c.AllowFallbackToPlaintext = t, mode == "preferred"
	return mode
}
