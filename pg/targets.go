package pg

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A ReaderTarget says which servers a [Reader] reads from.
type ReaderTarget uint8

// The targets of Readers.
const (
	// ReadPrimary reads from the server that everything else uses, too.
	ReadPrimary ReaderTarget = iota
	// ReadStandby reads from any standby that is fit. If there is none for Conn.ConnectTimeout,
	// reads fail with ErrNoStandby.
	ReadStandby
	// PreferStandby reads from any standby that is fit, and from the primary if there is none.
	PreferStandby
)

var targetNames = []string{"primary", "standby", "prefer-standby"}

// String returns the target's name, as the option reader_target has it.
func (t ReaderTarget) String() string {
	if int(t) < len(targetNames) {
		return targetNames[t]
	}
	return "ReaderTarget(" + strconv.Itoa(int(t)) + ")"
}

// ErrNoStandby says that a Reader that reads only from standbys has found none that is fit: one
// that can be reached, is a standby, is within Config.MaxLag, and in time comes as far as the token
// of [WaitFor]. Nothing was executed.
var ErrNoStandby = errors.New("pg: no standby is fit for reading")

// errNotPrimary says that the server that was reached isn't the one for writing.
var errNotPrimary = errors.New("it is a standby, and not the primary")

// errNotStandby says that the server that was reached isn't one of those for reading.
var errNotStandby = errors.New("it isn't a standby any more")

// A Role is what a server is, as far as the DB knows.
type Role string

// The roles of servers.
const (
	RoleUnknown Role = "unknown" // the DB hasn't looked at it yet
	RolePrimary Role = "primary"
	RoleStandby Role = "standby"
	RoleGone    Role = "gone" // it can't be reached, or doesn't answer
)

// A RoleChange is what a [RoleTracer] gets.
type RoleChange struct {
	Host     string // host:port, as configured
	From, To Role
	Timeline uint32 // of the server's log; 0 if it isn't known
	Err      error  // why the server is gone; nil if it isn't
}

// A RoleTracer is a Config.Tracer that also gets the changes of servers' roles. A goroutine of the
// DB calls it, and waits until it returns. Several such goroutines may call it at the same time. It
// must not use the DB. LogTracer is a RoleTracer.
type RoleTracer interface {
	TraceRoleChange(ctx context.Context, change RoleChange)
}

// A HostState is what a DB knows of one of its hosts, see [DB.Hosts].
type HostState struct {
	Host     string    // host:port, as configured
	Role     Role      // at the last look
	Since    time.Time // when the role was first seen
	Checked  time.Time // when the server last answered; the zero time if it never has
	Err      error     // why it can't be reached or doesn't answer; nil if it answers
	Timeline uint32    // of the server's log; 0 if it isn't known
	LSN      uint64    // a standby: up to which position it has replayed the log. A primary: up to which its log is on disk
	// Lag is for how long there have been changes that the standby hasn't replayed: at least so
	// long, and at most one HostCheckPeriod longer. LagBytes is how many bytes of log these changes
	// are.
	Lag      time.Duration
	LagBytes uint64
	Fit      bool // whether Readers use it, as a standby

	Lanes     int    // open lanes that lead there, those of Readers included
	Sessions  int    // open sessions that lead there, with or without an owner
	Reads     uint64 // counter: statements and batches of Readers that used it as a standby
	Conflicts uint64 // counter: of these, those that it cancelled because they were in the way of its replay
}

// roleOptions reads the options about hosts.
func (o *options) roles(conn string, c *Config) {
	target := o.choice("reader_target", targetNames...)
	for i, name := range targetNames {
		if name == target {
			c.ReaderTarget = ReaderTarget(i)
		}
	}
	o.orNever("max_lag", &c.MaxLag)
	var most int
	if o.number("max_lag_bytes", 0, math.MaxInt, &most) {
		c.MaxLagBytes = uint64(most)
	}
	o.orNever("token_wait", &c.TokenWait)
	o.duration("host_check_period", &c.HostCheckPeriod)
	c.anyHost = c.Conn.ValidateConnect == nil && writesAttribute(conn)
}

func (c *Config) checkRoles() error {
	switch {
	case int(c.ReaderTarget) >= len(targetNames):
		return fmt.Errorf("ReaderTarget is %d: there is no such target", c.ReaderTarget)
	case c.MaxLag < 0 || c.TokenWait < 0:
		return errors.New("MaxLag and TokenWait can't be negative")
	case c.HostCheckPeriod <= 0:
		return fmt.Errorf("HostCheckPeriod is %v: it must be above 0", c.HostCheckPeriod)
	}
	return nil
}

var keywordAttribute = regexp.MustCompile(`(?:^|\s)target_session_attrs\s*=`)

// writesAttribute reports whether a connection string, or the environment, has a
// target_session_attrs. pgconn doesn't tell whether there was one.
func writesAttribute(conn string) bool {
	if u, err := url.Parse(conn); err == nil && u.Scheme != "" {
		if u.Query().Has("target_session_attrs") {
			return true
		}
	} else if keywordAttribute.MatchString(conn) {
		return true
	}
	return os.Getenv("PGTARGETSESSIONATTRS") != ""
}

// leads reports whether all connections except those of Readers must lead to the primary.
func (c *Config) leads() bool {
	if len(nodesOf(c.Conn)) < 2 || c.anyHost {
		return false
	}
	return c.Conn.ValidateConnect == nil || c.wantsWriter()
}

func same(a, b pgconn.ValidateConnectFunc) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}

// An endpoint is a host and port of a configuration.
type endpoint struct {
	host string
	port uint16
}

// nodesOf returns the servers of a configuration, in its order. The configuration has a server
// several times if it is tried with and without TLS; the result has it once.
func nodesOf(config *pgconn.Config) []endpoint {
	all := []endpoint{{config.Host, config.Port}}
	seen := map[endpoint]bool{all[0]: true}
	for _, f := range config.Fallbacks {
		if one := (endpoint{f.Host, f.Port}); !seen[one] {
			seen[one] = true
			all = append(all, one)
		}
	}
	return all
}

// narrow makes a configuration lead to one server only. If the configuration doesn't have that
// server, because BeforeConnect has changed it, narrow leaves it as it is.
func narrow(config *pgconn.Config, to endpoint) {
	var kept []*pgconn.FallbackConfig
	for _, f := range append([]*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port, TLSConfig: config.TLSConfig}}, config.Fallbacks...) {
		if f.Host == to.host && f.Port == to.port {
			kept = append(kept, f)
		}
	}
	if len(kept) > 0 {
		config.Host, config.Port, config.TLSConfig, config.Fallbacks = kept[0].Host, kept[0].Port, kept[0].TLSConfig, kept[1:]
	}
}
