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
	// ReadPrimary is where everything else goes, too.
	ReadPrimary ReaderTarget = iota
	// ReadStandby is any standby that is fit. If there is none for Conn.ConnectTimeout, reads fail
	// with ErrNoStandby.
	ReadStandby
	// PreferStandby is any standby that is fit, and the primary if there is none.
	PreferStandby
)

var targetNames = []string{"primary", "standby", "prefer-standby"}

// String returns the name that the option reader_target has.
func (t ReaderTarget) String() string {
	if int(t) < len(targetNames) {
		return targetNames[t]
	}
	return "ReaderTarget(" + strconv.Itoa(int(t)) + ")"
}

// ErrNoStandby says that a Reader that reads only from standbys has found none that is fit:
// reachable, a standby, within Config.MaxLag, and as far as the token of [WaitFor] in time. Nothing
// was executed.
var ErrNoStandby = errors.New("pg: no standby is fit for reading")

// errNotPrimary says of a server that was reached that it isn't the one for writing.
var errNotPrimary = errors.New("it is a standby, and not the primary")

// errNotStandby is the opposite.
var errNotStandby = errors.New("it isn't a standby any more")

// A Role is what a server is, as far as is known.
type Role string

// The roles of servers.
const (
	RoleUnknown Role = "unknown" // it was not looked at yet
	RolePrimary Role = "primary"
	RoleStandby Role = "standby"
	RoleGone    Role = "gone" // it can't be reached, or doesn't answer
)

// A RoleChange is told to a [RoleTracer].
type RoleChange struct {
	Host     string // host:port, as configured
	From, To Role
	Timeline uint32 // of the server's log; 0 if it isn't known
	Err      error  // why it has gone; nil otherwise
}

// A RoleTracer is a Config.Tracer that is also told when a server's role changes. It is called by a
// goroutine of the DB, and must not use that. LogTracer is one.
type RoleTracer interface {
	TraceRoleChange(ctx context.Context, change RoleChange)
}

// A HostState is what a DB with several hosts knows of one of them, see [DB.Hosts].
type HostState struct {
	Host     string    // host:port, as configured
	Role     Role      // as of Checked
	Since    time.Time // when the role was first seen
	Checked  time.Time // when the server last answered; the zero time if it never has
	Err      error     // why it doesn't
	Timeline uint32    // of its log; 0 if it isn't known
	LSN      uint64    // a standby: up to which position it has replayed the log. A primary: up to which its log is on disk
	// Lag is for how long at least, and up to one check more, there have been changes that a
	// standby hasn't replayed. LagBytes is how many bytes of log these are.
	Lag      time.Duration
	LagBytes uint64
	Fit      bool // a standby: Readers use it

	Lanes     int    // open connections that lead there, of those that all callers share, Readers' among them
	Sessions  int    // open connections that lead there and have one owner, or can have one
	Reads     uint64 // counter: statements and batches of Readers that were sent there as to a standby
	Conflicts uint64 // counter: of these, those that the standby has cancelled since they were in the way of its replay
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
// target_session_attrs. pgconn doesn't tell whether any was written, or nothing.
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

// leads reports whether what isn't a Reader's is to lead to the primary, and nowhere else.
func (c *Config) leads() bool {
	if len(nodesOf(c.Conn)) < 2 || c.anyHost {
		return false
	}
	validate := c.Conn.ValidateConnect
	return validate == nil || same(validate, pgconn.ValidateConnectTargetSessionAttrsPrimary) || same(validate, pgconn.ValidateConnectTargetSessionAttrsReadWrite)
}

func same(a, b pgconn.ValidateConnectFunc) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}

// An endpoint is a host and port of a configuration.
type endpoint struct {
	host string
	port uint16
}

// nodesOf returns the servers of a configuration, in their order. Each is there several times in
// it, if it is tried with TLS and without.
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

// narrow has a configuration lead to one server only. If it doesn't name that, as BeforeConnect has
// changed it, it stays as it is.
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
