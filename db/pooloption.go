package db

import (
	"context"
	"maps"
	"net/url"
	"strconv"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
)

// poolConfig is what the options set that keep the pool in order while it isn't asked for anything.
type poolConfig struct {
	jitter, idleTime, health, dial time.Duration
	min, minIdle                   int
	before                         func(context.Context, *Login) error
}

// MaxLifetimeJitter makes each connection's lifetime longer than [MaxLifetime] by a random time up to
// d, so that those that were made together aren't replaced together.
func MaxLifetimeJitter(d time.Duration) Option {
	return option(func(c *config) { c.pool.jitter = d })
}

// MaxIdleTime closes connections that have been idle for the given time, down to [MinConns] and
// [MinIdleConns]. The default, 0, keeps them.
func MaxIdleTime(d time.Duration) Option {
	return option(func(c *config) { c.pool.idleTime = d })
}

// MinConns keeps at least n connections open, used or not. They are made on a goroutine of the
// Engine's. n is at most the PoolSize. The default is 0.
func MinConns(n int) Option { return option(func(c *config) { c.pool.min = n }) }

// MinIdleConns keeps at least n idle connections open, as far as PoolSize and MaxOverflow
// allow, so that a sudden load finds them ready. n is at most the PoolSize. The default is 0.
func MinIdleConns(n int) Option { return option(func(c *config) { c.pool.minIdle = n }) }

// HealthCheck has idle connections asked whether they are well as often as given, on a goroutine of
// the Engine's. One that doesn't answer is closed, and those that are as old are replaced. The
// default, 0, asks none; see also [PrePing]. MinConns and the like are looked after just as often, or
// else once a minute.
func HealthCheck(every time.Duration) Option {
	return option(func(c *config) { c.pool.health = every })
}

// ConnectTimeout limits the time for making a connection, apart from the context of the caller that
// needs one: when that ends, the caller returns, and the connection goes to the next one that waits.
// In the URL of PostgreSQL, MySQL and MariaDB connect_timeout holds for each host, and is 10 s by
// default; this option holds for all of them together, and for a database of [OpenDB] too.
func ConnectTimeout(d time.Duration) Option { return option(func(c *config) { c.pool.dial = d }) }

// Login is how a connection is to log in. See [BeforeConnect].
type Login = backend.Login

// BeforeConnect calls fn before each connection is opened. It may change the user, the password and
// the database for this one connection: for passwords that rotate, and tokens that expire. On
// PostgreSQL it is called once for all hosts of the URL, with the first of them; on MySQL and MariaDB
// for each that is tried. An error of fn is that of the attempt. Other databases have no login;
// connections of [OpenDB] are opened by the *sql.DB, which has hooks of its own.
func BeforeConnect(fn func(ctx context.Context, login *Login) error) Option {
	return option(func(c *config) { c.pool.before = fn })
}

// checkPool says what can't be meant.
func (c *config) checkPool() error {
	p := c.pool
	switch {
	case p.jitter < 0 || p.idleTime < 0 || p.health < 0 || p.dial < 0 || p.min < 0 || p.minIdle < 0:
		return misuse("open", "minimums and times of the pool can't be negative")
	case p.jitter > 0 && c.maxLifetime == 0:
		return misuse("open", "pool_max_conn_lifetime_jitter=%v needs a max_lifetime", p.jitter)
	case c.poolSize > 0 && p.min > c.poolSize:
		return misuse("open", "pool_min_conns=%d is more than pool_size=%d", p.min, c.poolSize)
	case c.poolSize > 0 && p.minIdle > c.poolSize:
		return misuse("open", "pool_min_idle_conns=%d is more than pool_size=%d", p.minIdle, c.poolSize)
	}
	return nil
}

// forDialect returns the URL with what a dialect needs that has connections beside the Engine's, as
// PostgreSQL has lanes.
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

// connectorOf makes the connector for a URL.
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
