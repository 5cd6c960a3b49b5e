package pg

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// mostConns is how many connections of a kind an option may ask for.
const mostConns = 10_000

// pool reads the options for lanes and sessions, and pgxpool's, which know only one kind of
// connection.
func (o *options) pool(c *Config) {
	lanes := o.number("pool_lanes", 1, mostConns, &c.Lanes)
	sessions := o.number("pool_sessions", 1, mostConns, &c.Sessions)
	o.maxConns(c, lanes, sessions)
	minLanes := o.number("pool_min_lanes", 0, mostConns, &c.MinLanes)
	minSessions := o.number("pool_min_sessions", 0, mostConns, &c.MinSessions)
	o.number("pool_min_idle_conns", 0, mostConns, &c.MinIdleSessions)
	o.minConns(c, minLanes, minSessions)
	o.orNever("pool_max_conn_lifetime", &c.MaxConnLifetime)
	o.orNever("pool_max_conn_lifetime_jitter", &c.MaxConnLifetimeJitter)
	o.orNever("pool_max_conn_idle_time", &c.MaxConnIdleTime)
	o.orNever("pool_health_check_period", &c.HealthCheckPeriod)
	if len(o.errs) == 0 {
		if err := c.checkPool(); err != nil {
			o.errs = append(o.errs, err)
		}
	}
}

// maxConns makes lanes and sessions share pool_max_conns. If the number of one kind is given, the
// other gets the rest.
func (o *options) maxConns(c *Config, lanes, sessions bool) {
	var all int
	if !o.number("pool_max_conns", 1, mostConns, &all) {
		return
	}
	switch {
	case !c.Pipeline && sessions && c.Sessions > all:
		o.complain("pool_sessions=%d is more than pool_max_conns=%d: leave one of them out", c.Sessions, all)
	case !c.Pipeline && !sessions:
		c.Sessions = all
	case !c.Pipeline:
	case all == 1:
		o.complain("pool_max_conns=1: there must be a lane and a session: write pool_lanes=1 and pool_sessions=1, which are 2 connections, or pipeline=off")
	case lanes && sessions && c.Lanes+c.Sessions > all:
		o.complain("pool_lanes=%d and pool_sessions=%d are more than pool_max_conns=%d: leave one of them out", c.Lanes, c.Sessions, all)
	case lanes && sessions:
	case lanes && c.Lanes >= all, sessions && c.Sessions >= all:
		o.complain("pool_max_conns=%d leaves no connection of the other kind: write both pool_lanes and pool_sessions", all)
	case lanes:
		c.Sessions = all - c.Lanes
	case sessions:
		c.Lanes = all - c.Sessions
	default:
		c.Lanes, c.Sessions = all-1, all-1
	}
	if c.Pipeline {
		c.MaxConns = all
	}
}

// minConns divides pool_min_conns in the same way, as far as the limits allow.
func (o *options) minConns(c *Config, lanes, sessions bool) {
	var all int
	if !o.number("pool_min_conns", 0, mostConns, &all) {
		return
	}
	half := all / 2
	switch {
	case !c.Pipeline:
		half = 0
	case c.MaxConns > 0:
		all = min(all, c.MaxConns)
		half = min(all/2, max(1, all/4)) // as many as lanes have before sessions do
	}
	switch {
	case lanes && sessions:
	case lanes:
		c.MinSessions = min(max(all-c.MinLanes, 0), c.Sessions)
	case sessions:
		c.MinLanes = min(max(all-c.MinSessions, 0), c.Lanes)
	default:
		c.MinLanes, c.MinSessions = min(half, c.Lanes), min(all-half, c.Sessions)
	}
}

// orNever reads a time that may be 0.
func (o *options) orNever(key string, into *time.Duration) {
	text, ok := o.take(key)
	if !ok {
		return
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		o.complain("%s=%s: want a time with its unit, such as 30s or 1h, or 0", key, text)
		return
	}
	*into = d
}

// checkPool returns an error if the numbers contradict each other.
func (c *Config) checkPool() error {
	switch {
	case c.Lanes < 1 || c.Sessions < 1:
		return fmt.Errorf("%d lanes and %d sessions: there must be at least one of each", c.Lanes, c.Sessions)
	case c.MaxConns < 0:
		return errors.New("MaxConns can't be negative")
	case c.MaxConns == 1 && c.Pipeline:
		return errors.New("MaxConns is 1: there must be a lane and a session: raise it, or set Pipeline to false")
	case c.MaxConns > 0 && c.MinLanes+c.MinSessions > c.MaxConns:
		return fmt.Errorf("pool_min_lanes=%d and pool_min_sessions=%d are more than pool_max_conns=%d", c.MinLanes, c.MinSessions, c.MaxConns)
	case c.ReaderLanes < 0:
		return errors.New("ReaderLanes can't be negative")
	case c.ReaderGroup < 1 || c.ReaderGroup > maxGroup:
		return fmt.Errorf("reader_group=%d: want a number from 1 to %d", c.ReaderGroup, maxGroup)
	case c.MinLanes < 0 || c.MinSessions < 0 || c.MinIdleSessions < 0:
		return errors.New("MinLanes, MinSessions and MinIdleSessions can't be negative")
	case c.MinLanes > c.Lanes:
		return fmt.Errorf("pool_min_lanes=%d is more than pool_lanes=%d", c.MinLanes, c.Lanes)
	case c.MinSessions > c.Sessions:
		return fmt.Errorf("pool_min_sessions=%d is more than pool_sessions=%d", c.MinSessions, c.Sessions)
	case c.MaxConnLifetime < 0 || c.MaxConnLifetimeJitter < 0 || c.MaxConnIdleTime < 0 || c.HealthCheckPeriod < 0:
		return errors.New("MaxConnLifetime, MaxConnLifetimeJitter, MaxConnIdleTime and HealthCheckPeriod can't be negative")
	case c.MaxConnLifetimeJitter > 0 && c.MaxConnLifetime == 0:
		return errors.New("pool_max_conn_lifetime_jitter needs a pool_max_conn_lifetime")
	}
	return nil
}

// showPool adds the options that differ from the defaults to a URL.
func (c *Config) showPool(q url.Values) {
	for _, n := range []struct {
		name  string
		value int
	}{
		{"pool_min_lanes", c.MinLanes},
		{"pool_min_sessions", c.MinSessions},
		{"pool_min_idle_conns", c.MinIdleSessions},
	} {
		if n.value > 0 {
			q.Set(n.name, strconv.Itoa(n.value))
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"pool_max_conn_lifetime", c.MaxConnLifetime},
		{"pool_max_conn_lifetime_jitter", c.MaxConnLifetimeJitter},
		{"pool_max_conn_idle_time", c.MaxConnIdleTime},
		{"pool_health_check_period", c.HealthCheckPeriod},
	} {
		if d.value > 0 {
			q.Set(d.name, d.value.String())
		}
	}
}
