package pg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// Config says how to reach a database, and how many connections to use. Make one with
// [ParseConfig], which sets the defaults, and change what is to be different before it is given to
// [OpenConfig].
type Config struct {
	// Conn is the part that pgx's pgconn knows: hosts, TLS, the password, hooks such as
	// ValidateConnect and AfterConnect, the handlers OnNotice and OnNotification. These two are
	// called by the goroutine that reads the connection: they must be quick, and must not use the
	// database, nor the connection that they are given for anything but telling it from others.
	Conn *pgconn.Config

	// Lanes is how many connections carry the statements of all callers, at most. They are opened
	// as they are needed.
	Lanes int
	// Sessions is how many connections single callers can own at a time: with a transaction or with
	// Acquire.
	Sessions int
	// Pipeline false makes it an ordinary pool: each statement owns a session while it runs.
	Pipeline bool
	// Depth is how many statements a lane carries at once. 0 lets it adapt to the network: 8 at
	// first, more where the way to the server and back takes longer than the statements do.
	Depth int
	// QueueLimit is how many statements may wait for a lane before further ones are refused with
	// ErrQueueFull. 0 means any number.
	QueueLimit int

	// ReaderLanes is how many connections a Reader has, at most, which are opened as they are
	// needed; 0 is as many as Lanes. They are more than those, and than Sessions.
	ReaderLanes int
	// ReaderGroup is how many statements of a Reader share a Sync, at most; with 1 none does.
	ReaderGroup int

	// MinLanes and MinSessions are how many connections of each kind are kept open, from the
	// beginning. MinIdleSessions is how many sessions are kept ready for the next owners, as far as
	// Sessions allows that. A connection that breaks, or can't be opened, is made up for at the
	// next look, see HealthCheckPeriod.
	MinLanes, MinSessions, MinIdleSessions int
	// MaxConnLifetime is the age at which a connection is replaced, and MaxConnLifetimeJitter the
	// most that is added to that at random, so that not all of them are replaced at once. A session
	// is closed once it has no owner. A lane gets nothing more when another one has taken its
	// place, and is closed when it has answered what it has; so there is one more connection for
	// that moment. If no other one can be opened, the lane goes on, and that is tried again. 0
	// keeps connections as long as they work. Listeners, and sessions of Dial, aren't concerned.
	MaxConnLifetime, MaxConnLifetimeJitter time.Duration
	// MaxConnIdleTime is how long a lane or a session without an owner may have nothing to do until
	// it is closed, as far as MinLanes, MinSessions and MinIdleSessions allow that. With 0, lanes
	// beyond the first few are closed after a minute, and nothing else is.
	MaxConnIdleTime time.Duration
	// HealthCheckPeriod is how often connections that have nothing to do are asked for a sign of
	// life; one that gives none within CancelTimeout is closed. 0 asks only when another connection
	// has become suspicious. Lifetimes, idle times and minimums are looked at as often, or else
	// once a minute, or more often if they are short.
	HealthCheckPeriod time.Duration

	// BeforeConnect, if it isn't nil, is called before each connection is opened, with a copy of
	// Conn that it may change for this one connection: for passwords that rotate and tokens that
	// expire. It has the type of pgxpool's hook, so what was made for that fits; of the
	// pgx.ConnConfig only the embedded pgconn.Config is used. The context ends after
	// Conn.ConnectTimeout. An error is that of a [ConnectError], whose stage is ConnectBefore.
	BeforeConnect func(context.Context, *pgx.ConnConfig) error

	// CancelTimeout is how long the server may take to answer what it answers at once if all is
	// well: a request to cancel a statement, and what the driver does by itself to roll back and
	// reset. If nothing is heard for that long the connection is closed, and its place is free for
	// another one.
	CancelTimeout time.Duration

	// ResultLimit is how many bytes of rows a statement, or a batch, may have in memory. A larger
	// result is read and thrown away, and its caller gets ErrResultTooLarge: it should be read with
	// Stream, for which there is no limit. 0 means any number.
	ResultLimit int

	// ShowParameters has errors show the values of arguments and rows where the server or pgx put
	// them into a message. By default what they quote is left out of the text unless it is part of
	// the statement or a name; errors.As finds the whole in any case.
	ShowParameters bool

	// StatementCache is how many prepared statements a connection keeps. With 0 none is kept, and
	// the default mode is ExecMode exec.
	StatementCache int
	// ExecMode is how statements are executed unless a call says otherwise.
	ExecMode pgx.QueryExecMode

	// Tracer is told of statements. If it also is a pgx.BatchTracer, pgx.CopyFromTracer,
	// pgx.PrepareTracer or pgx.ConnectTracer, it is told of these, too. So what has been made for
	// pgx fits, if it accepts that the *pgx.Conn is nil: there is none. (github.com/exaring/otelpgx
	// does, pgx's own tracelog doesn't.) It is called by the caller of the statement, but for
	// connections, which are opened by goroutines of the DB. It must not use the DB. See also
	// LogTracer.
	Tracer pgx.QueryTracer

	// Context, if it isn't nil, is what the tracer and the hooks of Conn get when a connection is
	// opened: that is done by goroutines of the DB, for the next caller, so it isn't any
	// caller's. Only its values are used; for OpenTelemetry, whose adapters record nothing outside
	// of a span, that is a span which lives as long as the DB.
	Context context.Context

	// RegisterTypes is called for each new type map, to add the types of the application. Maps are
	// made as they are needed, one for each concurrent user, so it is called often and from any
	// goroutine, and must not query the database. For types that the database knows, and that are
	// made of others, see DB.LoadTypes.
	RegisterTypes func(*pgtype.Map)
}

const (
	defaultLanes    = 16
	defaultSessions = 16
	defaultCache    = 512
	defaultGroup    = 8
	maxGroup        = 128
	defaultLimit    = 128 << 20

	defaultCancelTimeout  = 3 * time.Second
	defaultConnectTimeout = 10 * time.Second
)

var execModes = []struct {
	name string
	mode pgx.QueryExecMode
}{
	{"cache_statement", pgx.QueryExecModeCacheStatement},
	{"cache_describe", pgx.QueryExecModeCacheDescribe},
	{"describe_exec", pgx.QueryExecModeDescribeExec},
	{"exec", pgx.QueryExecModeExec},
	{"simple_protocol", pgx.QueryExecModeSimpleProtocol},
}

// ParseConfig reads a URL, postgres://user@host/database?option=value, or keywords, "host=… user=…
// option=value".
//
// Everything that libpq understands is left to pgconn.ParseConfig: several hosts,
// target_session_attrs, TLS modes, connect_timeout, Unix sockets, the environment (PGHOST and so
// on), password files and service files. In addition there are these options:
//
//	pool_lanes                how many connections carry the statements of all callers; default 16
//	pool_sessions             how many connections can have an owner; default 16
//	pool_reader_lanes         how many connections a Reader has; default as many as pool_lanes
//	reader_group              how many statements of a Reader share a Sync, at most; default 8, with 1 none does
//	pool_queue                how many statements may wait for a lane; default 0, any number
//	pipeline                  on, or off: then it is an ordinary pool; default on
//	cancel_timeout            how long the server may take to answer a cancel request, and what the driver itself asks, until the connection is given up; default 3s
//	pipeline_depth            how many statements a lane carries at once; default 0, adapting
//	result_limit              how many bytes of rows a statement may have in memory; default 134217728, 0 for any number
//	show_parameters           on, or off: whether errors show values; default off
//	statement_cache_capacity  prepared statements for each connection; default 512, 0 for none
//	default_query_exec_mode   cache_statement, cache_describe, describe_exec, exec or simple_protocol
//
//	pool_min_lanes                 how many lanes are kept open; default 0
//	pool_min_sessions              how many sessions are kept open; default 0
//	pool_min_idle_conns            how many sessions are kept ready for the next owners; default 0
//	pool_max_conn_lifetime         the age at which a connection is replaced, such as 1h; default 0, never
//	pool_max_conn_lifetime_jitter  the most that is added to it at random; default 0
//	pool_max_conn_idle_time        how long a connection may have nothing to do until it is closed; default 0, see MaxConnIdleTime
//	pool_health_check_period       how often idle connections are asked for a sign of life; default 0, see HealthCheckPeriod
//
// Two more of pgxpool's are divided between lanes and sessions, half of each, with one session more
// if the number is odd. If pool_lanes or pool_sessions is given too, the other gets the rest:
//
//	pool_max_conns  is pool_lanes and pool_sessions; with pipeline=off, where there are no lanes, pool_sessions. At least 2 with lanes
//	pool_min_conns  is pool_min_lanes and pool_min_sessions, as far as these limits allow
//
// pgxpool's pool_ping_timeout is refused: cancel_timeout does that.
//
// What else there is must be a setting of the server, with which each connection begins:
// statement_timeout, search_path, application_name, anything with a dot in its name. An option that
// is none is an error. A setting that isn't known here can be written as options=-c name=value.
//
// Without connect_timeout an attempt to connect to a host may take 10 seconds. A password never
// appears in the errors.
func ParseConfig(conn string) (*Config, error) {
	pc, err := pgconn.ParseConfig(conn)
	if err != nil {
		return nil, parseError(conn, err)
	}
	c := &Config{
		Conn:           pc,
		Lanes:          defaultLanes,
		Sessions:       defaultSessions,
		ReaderGroup:    defaultGroup,
		Pipeline:       true,
		ResultLimit:    defaultLimit,
		CancelTimeout:  defaultCancelTimeout,
		StatementCache: defaultCache,
		ExecMode:       pgx.QueryExecModeCacheStatement,
	}
	if pc.ConnectTimeout == 0 {
		pc.ConnectTimeout = defaultConnectTimeout
	}
	o := options{from: pc.RuntimeParams}
	o.number("pool_queue", 0, 1<<30, &c.QueueLimit)
	o.number("pipeline_depth", 0, maxDepth, &c.Depth)
	o.number("reader_group", 1, maxGroup, &c.ReaderGroup)
	o.number("pool_reader_lanes", 1, mostConns, &c.ReaderLanes)
	o.duration("cancel_timeout", &c.CancelTimeout)
	o.number("result_limit", 0, math.MaxInt, &c.ResultLimit)
	o.number("statement_cache_capacity", 0, 1<<20, &c.StatementCache)
	if o.choice("pipeline", "on", "off") == "off" {
		c.Pipeline = false
	}
	o.pool(c)
	c.ShowParameters = o.choice("show_parameters", "on", "off") == "on"
	var names []string
	for _, m := range execModes {
		names = append(names, m.name)
	}
	mode := o.choice("default_query_exec_mode", names...)
	for _, m := range execModes {
		if m.name == mode {
			c.ExecMode = m.mode
		}
	}
	if c.StatementCache == 0 && c.ExecMode == pgx.QueryExecModeCacheStatement {
		if mode != "" {
			o.complain("default_query_exec_mode=cache_statement needs a statement_cache_capacity above 0")
		}
		c.ExecMode = pgx.QueryExecModeExec
	}
	for _, name := range slices.Sorted(maps.Keys(pc.RuntimeParams)) {
		if err := unknownOption(name); err != nil {
			o.complain("%w", concealName(conn, name, err))
		}
	}
	for _, host := range hostNames(pc) {
		if strings.Contains(host, "/") && !strings.HasPrefix(host, "/") {
			o.complain("a host with a slash is the directory of a socket, and begins with one: write host=/%s", host)
		}
	}
	if o.errs != nil {
		return nil, fmt.Errorf("pg: the connection string: %w", errors.Join(o.errs...))
	}
	return c, nil
}

// String describes the configuration as a URL, without the password.
func (c Config) String() string {
	if c.Conn == nil {
		return "postgres://"
	}
	u := url.URL{Scheme: "postgres", Path: "/" + c.Conn.Database, User: url.User(c.Conn.User)}
	u.Host = address(c.Conn.Host, c.Conn.Port)
	q := url.Values{}
	q.Set("pool_lanes", strconv.Itoa(c.Lanes))
	q.Set("pool_sessions", strconv.Itoa(c.Sessions))
	if !c.Pipeline {
		q.Set("pipeline", "off")
	}
	c.showPool(q)
	if c.ReaderLanes > 0 {
		q.Set("pool_reader_lanes", strconv.Itoa(c.ReaderLanes))
	}
	if c.ReaderGroup != defaultGroup {
		q.Set("reader_group", strconv.Itoa(c.ReaderGroup))
	}
	if c.Depth > 0 {
		q.Set("pipeline_depth", strconv.Itoa(c.Depth))
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// GoString is String: the password isn't shown in any format.
func (c Config) GoString() string { return c.String() }

// hostNames returns the hosts of a configuration.
func hostNames(pc *pgconn.Config) []string {
	all := []string{pc.Host}
	for _, f := range pc.Fallbacks {
		if !slices.Contains(all, f.Host) {
			all = append(all, f.Host)
		}
	}
	return all
}

// address names a host and port as in a URL.
func address(host string, port uint16) string {
	if strings.HasPrefix(host, "/") || strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}

// options takes our own options out of what would be sent to the server.
type options struct {
	from map[string]string
	errs []error
}

func (o *options) take(key string) (string, bool) {
	v, ok := o.from[key]
	delete(o.from, key)
	return v, ok
}

func (o *options) complain(format string, args ...any) {
	o.errs = append(o.errs, fmt.Errorf(format, args...))
}

// number reports whether the option is there, and was right.
func (o *options) number(key string, least, most int, into *int) bool {
	text, ok := o.take(key)
	if !ok {
		return false
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		o.complain("%s=%s: allowed are numbers from %d to %d", key, text, least, most)
		return false
	}
	*into = n
	return true
}

func (o *options) duration(key string, into *time.Duration) {
	text, ok := o.take(key)
	if !ok {
		return
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		o.complain("%s=%s: it is a time above 0 with its unit, such as 500ms or 3s", key, text)
		return
	}
	*into = d
}

func (o *options) choice(key string, allowed ...string) string {
	text, ok := o.take(key)
	if ok && !slices.Contains(allowed, text) {
		o.complain("%s=%s: allowed are %s", key, text, strings.Join(allowed, ", "))
	}
	return text
}

var keywordPassword = regexp.MustCompile(`(?i)password\s*=\s*('(?:\\.|[^'\\])*'?|\S+)`)

// parseError explains why a connection string can't be used. What pgconn says may quote parts of
// it; if one of them could be a part of a password, nothing is quoted. The original isn't wrapped,
// since it carries the whole string.
func parseError(conn string, err error) error {
	text := err.Error()
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i+len("`: "):]
	}
	for _, secret := range secrets(conn) {
		if strings.Contains(text, secret) {
			text = "it is malformed (what exactly isn't shown, since that could contain the password)"
			break
		}
	}
	return fmt.Errorf("pg: the connection string: %s", text)
}

// concealName is the error for an option, without its name if that could be a part of the password.
func concealName(conn, name string, err error) error {
	for _, secret := range secrets(conn) {
		if strings.Contains(secret, name) {
			return errors.New("there is no option of that name (it isn't shown, since it could be a part of the password)")
		}
	}
	return err
}

// secrets returns everything in a malformed connection string that could be a part of a password.
func secrets(conn string) []string {
	var found []string
	add := func(s string) {
		for _, piece := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("@/?#:'\\ &%", r) }) {
			if len(piece) > 1 {
				found = append(found, piece)
			}
		}
		if plain, err := url.QueryUnescape(s); err == nil && plain != "" {
			found = append(found, plain)
		}
	}
	if _, rest, ok := strings.Cut(conn, "://"); ok {
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			if _, password, ok := strings.Cut(rest[:at], ":"); ok {
				add(password)
			}
		}
	}
	for _, m := range keywordPassword.FindAllStringSubmatch(conn, -1) {
		add(m[1])
	}
	return found
}
