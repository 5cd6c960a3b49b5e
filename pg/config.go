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

// Config says how to reach a database, and how many connections to use. [ParseConfig] makes one
// with the defaults; the zero Config isn't valid. Change its fields before [OpenConfig] gets it.
// After that neither the caller nor a hook may change it, and any goroutine may read it.
type Config struct {
	// Conn is the part that belongs to pgx's pgconn: hosts, TLS, the password, hooks such as
	// ValidateConnect and AfterConnect, the handlers OnNotice and OnNotification. The goroutine
	// that reads the connection calls these two: they must be quick, and must not use the DB. They
	// may use the connection that they get only to tell it from others.
	Conn *pgconn.Config

	// Lanes is the largest number of connections that carry the statements of all callers. They are
	// opened when they are needed. MaxConns may allow fewer.
	Lanes int
	// Sessions is the largest number of connections that single callers own at a time, for a
	// transaction or by Acquire.
	Sessions int
	// MaxConns is the largest number of lanes and sessions together. If Lanes and Sessions are more,
	// they share these connections: where none is left, a session gets the place of a lane that is
	// idle, or one too many, and a lane that of an idle session. A quarter, at least one, is for
	// the lanes when both kinds are busy; one place always stays for each kind. A connection counts
	// until the server has ended it, so pg_stat_activity never shows more. 0 means no limit but
	// Lanes and Sessions. Readers, listeners and sessions of Dial come on top.
	MaxConns int
	// Pipeline says whether there are lanes. If it is false, the DB is an ordinary pool: each
	// statement owns a session while it runs.
	Pipeline bool
	// Depth is how many statements a lane carries at once. With 0 it adapts to the network: 8 at
	// first, more where the round trip takes longer than the statements do.
	Depth int
	// QueueLimit is how many statements may wait for a lane before further ones are refused with
	// ErrQueueFull. 0 means any number.
	QueueLimit int

	// ReaderLanes is the largest number of connections that Readers use. They come on top of Lanes
	// and Sessions. The DB opens them when it needs them. 0 means as many as Lanes.
	ReaderLanes int
	// ReaderGroup is the largest number of a Reader's statements that share a Sync. With 1 each
	// statement has its own.
	ReaderGroup int
	// ReaderTarget says which servers Readers read from, unless [DB.ReadFrom] says otherwise. If it
	// isn't ReadPrimary, each host but one gets an equal part of ReaderLanes, at least one lane.
	// The lanes to the primary come on top, once reads go there.
	ReaderTarget ReaderTarget

	// MaxLag and MaxLagBytes are how far a standby may be behind before Readers leave it. The clock
	// of this process measures MaxLag: it is for how long the process has known of changes, on the
	// primary or in the standbys' own logs, that the standby hasn't replayed. So no standby looks
	// behind a primary that has nothing to do. The precision is HostCheckPeriod. MaxLagBytes is how
	// many bytes of log these changes are. 0 means no limit.
	MaxLag      time.Duration
	MaxLagBytes uint64
	// TokenWait is how long a read waits for a standby to replay the log up to its token, see
	// [WaitFor]. With 0 a read doesn't wait. If no standby has come that far, it then uses the
	// primary, or fails with ErrNoStandby if it may not.
	TokenWait time.Duration
	// HostCheckPeriod is how often the DB asks each of several hosts for its role, on a connection
	// that has no other use. While there is no primary, or a read waits for a standby, it asks more
	// often. A host that doesn't answer within CancelTimeout counts as gone. The DB then tries it
	// again with growing pauses.
	HostCheckPeriod time.Duration
	anyHost         bool // target_session_attrs=any was written

	// MinLanes and MinSessions are how many connections of each kind the DB keeps open, from the
	// beginning. MinIdleSessions is how many sessions it keeps ready for the next owners, as far as
	// Sessions allows. If a connection breaks or can't be opened, the next check replaces it; see
	// HealthCheckPeriod.
	MinLanes, MinSessions, MinIdleSessions int
	// MaxConnLifetime is the age at which a connection is replaced. A random time of up to
	// MaxConnLifetimeJitter is added to it, so that not all connections are replaced at once. A
	// session is closed when it has no owner. A lane gets a successor first; then it answers what
	// it has and is closed, so for a moment there is one more connection. If no successor can be
	// opened, the lane goes on, and the DB tries again. 0 keeps connections as long as they work.
	// It doesn't apply to listeners and sessions of Dial.
	MaxConnLifetime, MaxConnLifetimeJitter time.Duration
	// MaxConnIdleTime is how long a lane, or a session without an owner, may have nothing to do
	// before it is closed. MinLanes, MinSessions and MinIdleSessions take precedence. With 0, only
	// lanes beyond the first 4 are closed, after a minute.
	MaxConnIdleTime time.Duration
	// HealthCheckPeriod is how often the DB asks idle connections for a sign of life. It closes one
	// that doesn't answer within CancelTimeout. With 0 it asks only when another connection is
	// silent. Lifetimes, idle times and minimums are checked in the same period; with 0 once a
	// minute, or more often if these times are short.
	HealthCheckPeriod time.Duration

	// BeforeConnect, if it isn't nil, is called before each connection is opened, with a copy of
	// Conn that it may change for this one connection: for passwords that rotate and tokens that
	// expire. It has the type of pgxpool's hook. Only the pgconn.Config that is embedded in the
	// pgx.ConnConfig is used. The context ends after Conn.ConnectTimeout. If BeforeConnect fails,
	// the [ConnectError] has the stage ConnectBefore. Several goroutines may call it at the same
	// time.
	BeforeConnect func(context.Context, *pgx.ConnConfig) error

	// AfterConnect, if it isn't nil, is called for each connection that has been opened, before
	// anything else is done on it. It has the type of pgxpool's hook, so hooks that were written
	// for pgxpool fit, such as pgvector's RegisterTypes. What it sets is part of the connection
	// from then on, for all its users. It runs after Conn.AfterConnect, which gets a pgconn.PgConn.
	// Types of the database's own that it registers in the TypeMap become known to the whole DB, as
	// with [DB.RegisterTypes]. It must not use the DB, nor the conn after it has returned. The
	// context ends after Conn.ConnectTimeout. If AfterConnect fails, the [ConnectError] has the
	// stage ConnectSetUp. Several goroutines may call it at the same time.
	AfterConnect func(context.Context, *pgx.Conn) error

	// CancelTimeout is how long the server may stay silent where a healthy one answers at once:
	// after a request to cancel a statement, and when the driver itself rolls back or resets. Then
	// the connection is closed and makes room for another. It must be above 0.
	CancelTimeout time.Duration

	// ResultLimit is how many bytes of rows a statement, or a batch, may have in memory. A larger
	// result is read and thrown away, and its caller gets ErrResultTooLarge. Stream has no such
	// limit. 0 means any number.
	ResultLimit int

	// ShowParameters makes errors show the values of arguments and rows that the server or pgx
	// quotes. By default an error's text leaves such a quotation out, unless it is part of the
	// statement or a name. errors.As finds the full message in any case.
	ShowParameters bool

	// StatementCache is how many prepared statements a connection keeps. With 0 it keeps none;
	// ParseConfig then sets ExecMode to exec.
	StatementCache int
	// ExecMode is how statements are executed, unless a call has a pgx.QueryExecMode.
	ExecMode pgx.QueryExecMode

	// Tracer, if it isn't nil, is called at the start and the end of each statement. If it also is
	// a pgx.BatchTracer, pgx.CopyFromTracer, pgx.PrepareTracer or pgx.ConnectTracer, these methods
	// are called, too. A tracer for pgx fits if it accepts a nil *pgx.Conn.
	// (github.com/exaring/otelpgx does, pgx's own tracelog doesn't.) The goroutine that calls the
	// statement calls the tracer; for connections it is a goroutine of the DB. The tracer must not
	// use the DB. See also LogTracer.
	Tracer pgx.QueryTracer

	// Context, if it isn't nil, is the context that the tracer and the hooks of Conn get when a
	// connection is opened. Goroutines of the DB open connections, so no caller's context fits.
	// Only its values are used. Adapters for OpenTelemetry record nothing outside a span: for them,
	// put a span into it that lives as long as the DB.
	Context context.Context

	// RegisterTypes, if it isn't nil, is called for each new type map, to add the application's
	// types. The DB makes maps when it needs them, one for each concurrent user. So RegisterTypes
	// is called often, from any goroutine, and must not query the database. DB.LoadTypes is for
	// types that the database defines.
	RegisterTypes func(*pgtype.Map)
}

const (
	defaultLanes    = 16
	defaultSessions = 16
	defaultCache    = 512
	defaultGroup    = 8
	defaultWait     = time.Second // for a token
	defaultCheck    = time.Second // of hosts
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
// If there are several hosts, connections lead to the primary, and the DB finds the new one after a
// failover; see [DB.Hosts]. A target_session_attrs other than primary and read-write is left to
// pgconn, which tries the hosts in order.
//
// pgconn.ParseConfig reads what libpq understands: several hosts, target_session_attrs, TLS modes,
// connect_timeout, Unix sockets, the environment (PGHOST and so on), password files and service
// files. In addition there are these options:
//
//	pool_lanes                how many connections carry the statements of all callers; default 16
//	pool_sessions             how many connections can have an owner; default 16
//	pool_reader_lanes         how many connections Readers have; default as many as pool_lanes
//	reader_group              how many statements of a Reader share a Sync, at most; default 8, with 1 none do
//	reader_target             primary, standby or prefer-standby: which servers a Reader reads from; default primary
//	max_lag                   for how long a standby may be behind until Readers leave it, such as 5s; default 0, any time
//	max_lag_bytes             how many bytes of log it may be behind; default 0, any number
//	token_wait                how long a read waits for a standby to be as far as its token; default 1s
//	host_check_period         how often each of several hosts is asked what it is; default 1s
//	pool_queue                how many statements may wait for a lane; default 0, any number
//	pipeline                  on, or off: then it is an ordinary pool; default on
//	cancel_timeout            how long the server may stay silent after a cancel request, or when the driver itself asks, before the connection is closed; default 3s
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
//	pool_max_conn_idle_time        how long a connection may be idle before it is closed; default 0, see MaxConnIdleTime
//	pool_health_check_period       how often idle connections are asked for a sign of life; default 0, see HealthCheckPeriod
//
// Two more options of pgxpool's are for both kinds. If pool_lanes or pool_sessions is given beside
// pool_max_conns, the other gets the rest:
//
//	pool_max_conns  how many connections lanes and sessions share, see MaxConns; at least 2. With pipeline=off, where there are no lanes, it is pool_sessions
//	pool_min_conns  is pool_min_lanes and pool_min_sessions, half of each; with pool_max_conns a quarter are lanes
//
// pgxpool's pool_ping_timeout is refused: cancel_timeout takes its place.
//
// Any other option must be a setting of the server, with which each connection begins:
// statement_timeout, search_path, application_name, anything with a dot in its name. An unknown
// option is an error. A setting that this package doesn't know can be written as options=-c
// name=value.
//
// Without connect_timeout an attempt to connect to a host may take 10 seconds. The error names
// every option that is wrong, and never shows a password. Times have a unit, as in
// time.ParseDuration. ParseConfig reads files and the environment, but doesn't connect.
func ParseConfig(conn string) (*Config, error) {
	pc, err := pgconn.ParseConfig(conn)
	if err != nil {
		return nil, parseError(conn, err)
	}
	c := &Config{
		Conn:        pc,
		Lanes:       defaultLanes,
		Sessions:    defaultSessions,
		ReaderGroup: defaultGroup,
		Pipeline:    true,

		TokenWait:       defaultWait,
		HostCheckPeriod: defaultCheck,

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
	o.roles(conn, c)
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
			o.complain("a host with a slash is a socket's directory, whose path begins with a slash: write host=/%s", host)
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
	if c.MaxConns > 0 {
		q.Set("pool_max_conns", strconv.Itoa(c.MaxConns))
	}
	if c.MaxConns == 0 || c.Lanes != c.MaxConns-1 || c.Sessions != c.MaxConns-1 {
		q.Set("pool_lanes", strconv.Itoa(c.Lanes))
		q.Set("pool_sessions", strconv.Itoa(c.Sessions))
	}
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
	if c.ReaderTarget != ReadPrimary {
		q.Set("reader_target", c.ReaderTarget.String())
	}
	if c.Depth > 0 {
		q.Set("pipeline_depth", strconv.Itoa(c.Depth))
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// GoString is String, so that no format shows the password.
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

// options takes this package's options out of the settings that would be sent to the server.
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

// number reads a whole number. It reports whether the option is there and valid.
func (o *options) number(key string, least, most int, into *int) bool {
	text, ok := o.take(key)
	if !ok {
		return false
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		o.complain("%s=%s: want a number from %d to %d", key, text, least, most)
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
		o.complain("%s=%s: want a time above 0 with its unit, such as 500ms or 3s", key, text)
		return
	}
	*into = d
}

func (o *options) choice(key string, allowed ...string) string {
	text, ok := o.take(key)
	if ok && !slices.Contains(allowed, text) {
		o.complain("%s=%s: want %s", key, text, anyOf(allowed))
	}
	return text
}

// anyOf lists the words that are allowed: "a, b or c".
func anyOf(allowed []string) string {
	last := len(allowed) - 1
	return strings.Join(allowed[:last], ", ") + " or " + allowed[last]
}

var keywordPassword = regexp.MustCompile(`(?i)password\s*=\s*('(?:\\.|[^'\\])*'?|\S+)`)

// parseError explains why a connection string can't be used. pgconn's error may quote parts of it.
// If one of them could be part of a password, parseError quotes nothing. It doesn't wrap the
// original, which has the whole string.
func parseError(conn string, err error) error {
	text := err.Error()
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i+len("`: "):]
	}
	for _, secret := range secrets(conn) {
		if strings.Contains(text, secret) {
			text = "it is malformed (the place isn't shown, because it could contain the password)"
			break
		}
	}
	return fmt.Errorf("pg: the connection string: %s", text)
}

// concealName returns the error for an option, without the option's name if that could be part of
// the password.
func concealName(conn, name string, err error) error {
	for _, secret := range secrets(conn) {
		if strings.Contains(secret, name) {
			return errors.New("there is no option of that name (it isn't shown, because it could be part of the password)")
		}
	}
	return err
}

// secrets returns everything in a malformed connection string that could be part of a password.
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
