package db

import (
	"context"
	"maps"
	"net/url"
	"strconv"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
)

// poolConfig is what the options of the pool's upkeep set.
type poolConfig struct {
	jitter, idleTime, health, dial time.Duration
	min, minIdle                   int
	before                         func(context.Context, *Login) error
}

// MaxLifetimeJitter lengthens each connection's [MaxLifetime] by a random duration of at most d, so
// that connections made at the same time aren't replaced at the same time. The default is 0.
func MaxLifetimeJitter(d time.Duration) Option {
	return option(func(c *config) { c.pool.jitter = d })
}

// MaxIdleTime closes connections that have been idle for the given time, but keeps [MinConns] and
// [MinIdleConns] of them. The default, 0, keeps all.
func MaxIdleTime(d time.Duration) Option {
	return option(func(c *config) { c.pool.idleTime = d })
}

// MinConns keeps at least n connections open, in use or idle. A goroutine of the Engine makes them.
// n may not exceed [PoolSize]. The default is 0.
func MinConns(n int) Option { return option(func(c *config) { c.pool.min = n }) }

// MinIdleConns keeps at least n idle connections open, as far as [PoolSize] and [MaxOverflow]
// allow, so that a sudden load finds them ready. n may not exceed PoolSize. The default is 0.
func MinIdleConns(n int) Option { return option(func(c *config) { c.pool.minIdle = n }) }

// HealthCheck sets how often a goroutine of the Engine pings the idle connections. It closes one that
// doesn't answer, and replaces all that are as old. The default, 0, pings none; see also [PrePing].
// The same goroutine keeps [MinConns], [MinIdleConns] and [MaxIdleTime], which it checks at least as
// often, and once a minute without HealthCheck.
func HealthCheck(every time.Duration) Option {
	return option(func(c *config) { c.pool.health = every })
}

// ConnectTimeout limits how long making a connection takes. The context of the caller that needs one
// doesn't: when that ends, the caller returns, and the next waiter gets the connection. In the URL of
// PostgreSQL, MySQL and MariaDB connect_timeout limits each host, and is 10 s by default; this option
// limits all hosts together, and also a database of [OpenDB].
func ConnectTimeout(d time.Duration) Option { return option(func(c *config) { c.pool.dial = d }) }

// Login is the user, the password and the database with which a connection logs in. See
// [BeforeConnect].
type Login = backend.Login

// BeforeConnect calls fn before each connection is opened, possibly from several goroutines at once.
// fn may change the user, the password and the database of this one connection, for passwords that
// rotate and tokens that expire. On PostgreSQL fn is called once for all hosts of the URL, with the
// first of them; on MySQL and MariaDB for each host that is tried. If fn returns an error, connecting
// fails with it. Other databases have no login, and a *sql.DB given to [OpenDB] opens its connections
// itself: with these, opening the Engine fails with [ErrMisuse].
func BeforeConnect(fn func(ctx context.Context, login *Login) error) Option {
	return option(func(c *config) { c.pool.before = fn })
}

// checkPool refuses options that contradict each other.
func (c *config) checkPool() error {
	p := c.pool
	switch {
	case p.jitter < 0 || p.idleTime < 0 || p.health < 0 || p.dial < 0 || p.min < 0 || p.minIdle < 0:
		return misuse("open", "minimums and durations of the pool can't be negative")
	case p.jitter > 0 && c.maxLifetime == 0:
		return misuse("open", "pool_max_conn_lifetime_jitter=%v needs a max_lifetime", p.jitter)
	case c.poolSize > 0 && p.min > c.poolSize:
		return misuse("open", "pool_min_conns=%d is more than pool_size=%d", p.min, c.poolSize)
	case c.poolSize > 0 && p.minIdle > c.poolSize:
		return misuse("open", "pool_min_idle_conns=%d is more than pool_size=%d", p.minIdle, c.poolSize)
	}
	return nil
}

// forDialect returns the URL with the options for connections that a dialect has beside the Engine's,
// such as PostgreSQL's lanes.
func (c *config) forDialect(u *URL) *URL {
	own := *u
	own.Options = maps.Clone(u.Options)
	if own.Options == nil {
		own.Options = url.Values{}
	}
	own.Options.Del("max_lifetime")
	for name, d := range map[string]time.Duration{
		"pool_max_conn_lifetime": c.maxLifetime, "pool_max_conn_lifetime_jitter": c.pool.jitter,
		"pool_max_conn_idle_time": c.pool.idleTime, "pool_health_check_period": c.pool.health,
	} {
		if own.Options.Del(name); d > 0 {
			own.Options.Set(name, d.String())
		}
	}
	return &own
}

// connectorOf returns the connector for a URL.
func (c *config) connectorOf(d Dialect, u *URL) (backend.Connector, error) {
	own := c.forDialect(u)
	if c.pool.before == nil {
		connector, err := d.Connector(own)
		if err != nil {
			return nil, fail("open", ErrMisuse, "%w", err)
		}
		return connector, nil
	}
	a, ok := d.(backend.Authenticator)
	if !ok {
		return nil, misuse("open", "%s has no login that BeforeConnect could change", d.Name())
	}
	connector, err := a.ConnectorBefore(own, c.pool.before)
	if err != nil {
		return nil, fail("open", ErrMisuse, "%w", err)
	}
	return connector, nil
}

// minimums checks pool_min_conns and pool_min_idle_conns against a pool's size.
func (c *config) minimums(size int) (least, leastIdle int) {
	return min(c.pool.min, size), min(c.pool.minIdle, size)
}

// poolLimits names the options that limit the pool, with their values.
func poolLimits(size, most int) string {
	return "pool_size=" + strconv.Itoa(size) + " and max_overflow=" + strconv.Itoa(most-size)
}
