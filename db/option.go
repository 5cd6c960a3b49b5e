package db

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/telling"
	"github.com/seed1239206e/repaint/internal/suggest"
)

// Option is an option of an Engine, for [Open]. Most can be given in the URL as well; an Option
// takes precedence over the URL.
//
//	PoolSize            pool_size=5
//	MaxOverflow         max_overflow=10
//	PoolTimeout         pool_timeout=30s
//	MaxLifetime         max_lifetime=1h, or pool_max_conn_lifetime=1h
//	MaxLifetimeJitter   pool_max_conn_lifetime_jitter=5m
//	MaxIdleTime         pool_max_conn_idle_time=30m
//	MinConns            pool_min_conns=2
//	MinIdleConns        pool_min_idle_conns=1
//	HealthCheck         pool_health_check_period=1m
//	ConnectTimeout      connect_timeout=10s
//	HideParameters      hide_parameters=true
//	ShowParameters      hide_parameters=false
//	PrePing             pre_ping=30s
//	ReadOnly            read_only=true
//	Isolation           isolation=serializable
//	StatementCache      statement_cache=512
//	TeardownTimeout     teardown_timeout=3s
//
// A duration is written as 30s or 1m30s, or as a number of seconds. A value that can't be meant is
// [ErrMisuse].
//
// Some options are also options of a Conn or a transaction, see [ConnSetting] and
// [Setting].
type Option interface{ engine(*config) }

type option func(*config)

func (o option) engine(c *config) { o(c) }

// config is what the options set.
type config struct {
	poolSize       int // 0: the dialect's or the package's default
	maxOverflow    int
	poolTimeout    time.Duration
	maxLifetime    time.Duration
	pool           poolConfig
	statementCache int
	conn           connConfig    // the default of every Conn
	prePing        time.Duration // negative: never
	cleanup        time.Duration
	inline         time.Duration
	driverErrors   bool
	events         []Events
	leakAfter      time.Duration
	onLeak         func(Leak)
}

func defaults() config {
	return config{maxOverflow: -1, poolTimeout: 30 * time.Second, statementCache: 512, prePing: -1, cleanup: 3 * time.Second, inline: 50 * time.Microsecond}
}

// PoolSize sets how many idle connections the Engine keeps open for the next user.
// The default is the dialect's: 5, and for SQLite the number of processors, at least 4.
func PoolSize(n int) Option { return option(func(c *config) { c.poolSize = n }) }

// MaxOverflow sets how many connections there may be beyond [PoolSize] while they are needed. They
// are closed when they come back. The default is 10, and 0 for SQLite, where more of them would only
// wait for each other.
func MaxOverflow(n int) Option { return option(func(c *config) { c.maxOverflow = n }) }

// PoolTimeout limits how long a call waits for a connection, or, where only one transaction can
// write at a time, for the turn to write. Then it fails with [ErrPoolTimeout] or [ErrBusy]. The
// default is 30 s; 0 is no limit.
func PoolTimeout(d time.Duration) Option { return option(func(c *config) { c.poolTimeout = d }) }

// MaxLifetime sets the age at which a connection is replaced before its next
// use. The default, 0, keeps connections as long as they work.
func MaxLifetime(d time.Duration) Option { return option(func(c *config) { c.maxLifetime = d }) }

// PrePing makes the pool ping a connection that was idle for at least the given time before its
// next use, at the price of a round trip. If there is no answer, the pool silently replaces that
// connection, and all others that are as old. Without PrePing a connection that was cut while it
// was idle fails its next user, unless the driver notices before it sends anything, as the one for
// MySQL does.
func PrePing(idle time.Duration) Option { return option(func(c *config) { c.prePing = max(idle, 0) }) }

// TeardownTimeout limits how long the Engine waits for the database where a context doesn't end the
// wait: when it rolls back, makes a connection ready for its next user, closes or pings one; and for
// a commit that is on its way when its context ends. After that it closes the connection. The
// default is 3 s; it must be above 0. On SQLite, where no network can be silent, there is no limit.
func TeardownTimeout(d time.Duration) Option { return option(func(c *config) { c.cleanup = d }) }

// InlineLimit sets how long a call of SQLite may take to count as short. In a loop, a call that was
// short several times is made inline, in the loop's own goroutine: that holds the loop for a moment,
// but the way to another goroutine and back takes longer. All other calls are offloaded. So is a
// call that meets the lock of another process. After an inline call that took too long the next ones
// are offloaded: the more of them the longer it took, and the fewer short ones came before it, and
// at least one. The default is 50 µs; 0 offloads all calls. In
// a loop with a virtual clock, a seed or a chooser, and on a database of [OpenDB], all calls are
// offloaded. Other databases ignore it.
//
// A context that ends, or a deadline that passes, during an inline call has no effect on that call:
// it returns its result, and the next call with that context fails. Nothing else bounds such a call,
// and the loop stands still meanwhile. So a text that is short several times, and long with other
// arguments, holds the loop once for as long as it takes. If a deadline must hold for such a text,
// set the limit to 0. Debug mode reports what held the loop, with the statement (loop.HeldError).
// Without it, a loop that is held for 5 seconds is reported.
//
// [Stats].Calls counts the calls of both ways.
func InlineLimit(d time.Duration) Option { return option(func(c *config) { c.inline = max(d, 0) }) }

// StatementCache sets how many parsed statements the Engine keeps. The default
// is 512; 0 keeps none.
func StatementCache(n int) Option { return option(func(c *config) { c.statementCache = n }) }

// ReportLeaks calls report, in a goroutine of its own, for every Conn or Tx that is still open after
// the given time, or that was forgotten. The Leak has the stack of the checkout. Taking the stack
// costs each checkout about a microsecond.
func ReportLeaks(after time.Duration, report func(Leak)) Option {
	return option(func(c *config) { c.leakAfter, c.onLeak = after, report })
}

// ownOptions are the URL options of this package.
var ownOptions = map[string]func(c *config, value string) error{
	"pool_size":                     intOption(1, func(c *config) *int { return &c.poolSize }),
	"max_overflow":                  intOption(0, func(c *config) *int { return &c.maxOverflow }),
	"statement_cache":               intOption(0, func(c *config) *int { return &c.statementCache }),
	"pool_timeout":                  timeOption(func(c *config) *time.Duration { return &c.poolTimeout }),
	"max_lifetime":                  timeOption(func(c *config) *time.Duration { return &c.maxLifetime }),
	"pre_ping":                      timeOption(func(c *config) *time.Duration { return &c.prePing }),
	"pool_max_conn_lifetime":        timeOption(func(c *config) *time.Duration { return &c.maxLifetime }),
	"pool_max_conn_lifetime_jitter": timeOption(func(c *config) *time.Duration { return &c.pool.jitter }),
	"pool_max_conn_idle_time":       timeOption(func(c *config) *time.Duration { return &c.pool.idleTime }),
	"pool_health_check_period":      timeOption(func(c *config) *time.Duration { return &c.pool.health }),
	"pool_min_conns":                intOption(0, func(c *config) *int { return &c.pool.min }),
	"pool_min_idle_conns":           intOption(0, func(c *config) *int { return &c.pool.minIdle }),
	"connect_timeout":               timeOption(func(c *config) *time.Duration { return &c.pool.dial }),
	"teardown_timeout":              timeOption(func(c *config) *time.Duration { return &c.cleanup }),
	"hide_parameters": func(c *config, value string) error {
		on, err := backend.ParseBool(value)
		if c.conn.telling = telling.Values; on {
			c.conn.telling = telling.Nothing
		}
		return err
	},
	"read_only": func(c *config, value string) (err error) {
		c.conn.tx.ReadOnly, err = backend.ParseBool(value)
		return err
	},
	"isolation": func(c *config, value string) error {
		for _, level := range []IsolationLevel{ReadUncommitted, ReadCommitted, RepeatableRead, Serializable} {
			if strings.EqualFold(strings.NewReplacer("_", " ", "-", " ").Replace(value), level.String()) {
				c.conn.tx.Isolation = level
				return nil
			}
		}
		return fmt.Errorf("%q is not one of read_uncommitted, read_committed, repeatable_read, serializable", value)
	},
}

// configure reads the package's own options from a URL and checks that the
// dialect knows the others.
func configure(d Dialect, options url.Values, opts []Option) (config, error) {
	c := defaults()
	known := d.Options()
	if options.Has("max_lifetime") && options.Has("pool_max_conn_lifetime") {
		return c, misuse("open", "max_lifetime and pool_max_conn_lifetime are the same option; leave one of them out")
	}
	for name := range options {
		set, own := ownOptions[name]
		if !own || slices.Contains(known, name) { // a dialect may have its own connect_timeout
			if !slices.Contains(known, name) {
				return c, unknownOption(d, name)
			}
			continue
		}
		if err := set(&c, (URL{Options: options}).Option(name)); err != nil {
			return c, badOption(name, err)
		}
	}
	for _, set := range opts {
		set.engine(&c)
	}
	if c.poolSize < 0 || c.poolTimeout < 0 || c.maxLifetime < 0 {
		return c, misuse("open", "pool size and durations can't be negative")
	}
	if c.cleanup <= 0 {
		return c, misuse("open", "teardown_timeout is %v; it must be above 0", c.cleanup)
	}
	if err := c.checkPool(); err != nil {
		return c, err
	}
	return c, checkIsolation("open", c.conn.tx)
}

func unknownOption(d Dialect, name string) error {
	all := slices.Sorted(slices.Values(d.Options())) // first, as they are what differs between databases
	for _, own := range slices.Sorted(maps.Keys(ownOptions)) {
		if !slices.Contains(all, own) {
			all = append(all, own)
		}
	}
	err := fail("open", ErrUnknownOption, "%s has no option %q; there are %s", d.Name(), name, strings.Join(all, ", "))
	err.Dialect = d.Name()
	if k, ok := d.(backend.OptionKnower); ok && k.KnowsOption(name) {
		err.Hint = k.Advice(name)
	} else if meant := suggest.Closest(name, all); meant != "" {
		err.Hint = "is " + meant + " meant?"
	} else if a, ok := d.(backend.Adviser); ok {
		err.Hint = a.Advice(name)
	}
	return err
}

func badOption(name string, err error) error {
	return fail("open", ErrMisuse, "the option %s: %w", name, err)
}

func intOption(least int, at func(*config) *int) func(*config, string) error {
	return func(c *config, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < least {
			return fmt.Errorf("%q is not a number of at least %d", value, least)
		}
		*at(c) = n
		return nil
	}
}

func timeOption(at func(*config) *time.Duration) func(*config, string) error {
	return func(c *config, value string) (err error) {
		*at(c), err = backend.ParseDuration(value)
		return err
	}
}

// places returns how many connections to keep and how many to allow, given the
// limits of the connector. With a single writer one more is reserved for it.
func (c config) places(l backend.Limits) (size, max int) {
	size, overflow := c.poolSize, c.maxOverflow
	if size == 0 {
		size = l.PoolSize
	}
	if size == 0 {
		size = 5
	}
	if overflow < 0 {
		overflow = 10
		if l.OneWriter {
			overflow = 0
		}
	}
	max = size + overflow
	if n := l.MaxConns; n > 0 {
		if l.OneWriter && n > 1 {
			n-- // the writer's
		}
		size, max = min(size, n), min(max, n)
	}
	return size, max
}
