package pg

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOptionsOfPgxpool(t *testing.T) {
	for options, want := range map[string]func(c *Config){
		"pool_max_conns=10":                                          func(c *Config) { c.Lanes, c.Sessions, c.MaxConns = 9, 9, 10 },
		"pool_max_conns=5":                                           func(c *Config) { c.Lanes, c.Sessions, c.MaxConns = 4, 4, 5 },
		"pool_max_conns=2":                                           func(c *Config) { c.Lanes, c.Sessions, c.MaxConns = 1, 1, 2 },
		"pool_max_conns=10&pool_lanes=2":                             func(c *Config) { c.Lanes, c.Sessions, c.MaxConns = 2, 8, 10 },
		"pool_max_conns=10&pool_sessions=9":                          func(c *Config) { c.Lanes, c.Sessions, c.MaxConns = 1, 9, 10 },
		"pool_max_conns=10&pool_lanes=2&pool_sessions=3":             func(c *Config) { c.Lanes, c.Sessions, c.MaxConns = 2, 3, 10 },
		"pool_max_conns=1&pipeline=off":                              func(c *Config) { c.Pipeline, c.Sessions = false, 1 },
		"pool_max_conns=7&pipeline=off&pool_sessions=3":              func(c *Config) { c.Pipeline, c.Sessions = false, 3 },
		"pool_min_conns=5":                                           func(c *Config) { c.MinLanes, c.MinSessions = 2, 3 },
		"pool_min_conns=4&pipeline=off":                              func(c *Config) { c.Pipeline, c.MinSessions = false, 4 },
		"pool_min_conns=9&pool_max_conns=4":                          func(c *Config) { c.Lanes, c.Sessions, c.MaxConns, c.MinLanes, c.MinSessions = 3, 3, 4, 1, 3 },
		"pool_min_conns=9&pool_min_lanes=2":                          func(c *Config) { c.MinLanes, c.MinSessions = 2, 7 },
		"pool_min_conns=9&pool_min_sessions=2":                       func(c *Config) { c.MinLanes, c.MinSessions = 7, 2 },
		"pool_min_lanes=1&pool_min_sessions=2":                       func(c *Config) { c.MinLanes, c.MinSessions = 1, 2 },
		"pool_min_idle_conns=3":                                      func(c *Config) { c.MinIdleSessions = 3 },
		"pool_max_conn_lifetime=1h30m":                               func(c *Config) { c.MaxConnLifetime = 90 * time.Minute },
		"pool_max_conn_lifetime=0":                                   func(c *Config) {},
		"pool_max_conn_idle_time=30m":                                func(c *Config) { c.MaxConnIdleTime = 30 * time.Minute },
		"pool_health_check_period=1m":                                func(c *Config) { c.HealthCheckPeriod = time.Minute },
		"pool_max_conn_lifetime=1h&pool_max_conn_lifetime_jitter=5m": func(c *Config) { c.MaxConnLifetime, c.MaxConnLifetimeJitter = time.Hour, 5*time.Minute },
	} {
		got, err := ParseConfig("postgres://me@db.example/app?" + options)
		require.NoError(t, err, options)
		expected, err := ParseConfig("postgres://me@db.example/app")
		require.NoError(t, err)
		want(expected)
		require.Equal(t, pools(expected), pools(got), options)
		require.Empty(t, got.Conn.RuntimeParams, "ours aren't sent to the server")
		if got.Pipeline {
			again, err := ParseConfig(got.String())
			require.NoError(t, err)
			require.Equal(t, pools(got), pools(again), "%s as %s", options, got)
		}
	}
}

// pools returns what a configuration says about pools.
func pools(c *Config) []any {
	return []any{c.Lanes, c.Sessions, c.MaxConns, c.Pipeline, c.MinLanes, c.MinSessions, c.MinIdleSessions, c.MaxConnLifetime, c.MaxConnLifetimeJitter, c.MaxConnIdleTime, c.HealthCheckPeriod}
}

func TestPoolOptionsThatCantBeMeant(t *testing.T) {
	for options, want := range map[string]string{
		"pool_max_conns=1":                              "write pool_lanes=1 and pool_sessions=1, which are 2 connections, or pipeline=off",
		"pool_max_conns=0":                              "want a number from 1",
		"pool_max_conns=many":                           "pool_max_conns=many: want a number",
		"pool_max_conns=4&pool_lanes=3&pool_sessions=2": "leave one of them out",
		"pool_max_conns=4&pool_lanes=4":                 "write both pool_lanes and pool_sessions",
		"pool_max_conns=4&pool_sessions=5&pipeline=off": "leave one of them out",
		"pool_min_lanes=17":                             "more than pool_lanes=16",
		"pool_min_sessions=3&pool_sessions=2":           "more than pool_sessions=2",
		"pool_min_conns=-1":                             "want a number from 0",
		"pool_max_conn_lifetime=3600":                   "a time with its unit, such as 30s or 1h",
		"pool_max_conn_idle_time=-1s":                   "a time with its unit",
		"pool_max_conn_lifetime_jitter=1m":              "needs a pool_max_conn_lifetime",
		"pool_ping_timeout=3s":                          "cancel_timeout",
	} {
		_, err := Open("postgres://me@db.example/app?" + options)
		require.ErrorContains(t, err, want, options)
	}
}

func TestPoolFieldsThatCantBeMeant(t *testing.T) {
	for want, set := range map[string]func(c *Config){
		"0 lanes":                        func(c *Config) { c.Lanes = 0 },
		"MaxConns can't be":              func(c *Config) { c.MaxConns = -1 },
		"MaxConns is 1":                  func(c *Config) { c.MaxConns = 1 },
		"are more than pool_max_conns=3": func(c *Config) { c.MaxConns, c.MinLanes, c.MinSessions = 3, 2, 2 },
		"MinIdleSessions can't be":       func(c *Config) { c.MinIdleSessions = -1 },
		"HealthCheckPeriod can't be":     func(c *Config) { c.HealthCheckPeriod = -1 },
		"more than pool_lanes":           func(c *Config) { c.MinLanes = 99 },
	} {
		c, err := ParseConfig("postgres://me@db.example/app")
		require.NoError(t, err)
		set(c)
		_, err = OpenConfig(c)
		require.ErrorContains(t, err, want)
	}
}
