package postgres

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/pg"
)

// options are the URL options for package pg: its own, those of libpq, and settings of the server
// for each connection.
var options = []string{
	"pool_lanes", "pool_min_lanes", "pool_reader_lanes", "reader_group", "pool_queue",
	"reader_target", "max_lag", "max_lag_bytes", "token_wait", "host_check_period",
	"cancel_timeout", "pipeline", "pipeline_depth", "result_limit", "statement_cache_capacity", "default_query_exec_mode",

	"host", "port", "user", "password", "dbname", "passfile", "service", "servicefile", "connect_timeout", "target_session_attrs",
	"sslmode", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslsni", "sslnegotiation", "channel_binding", "require_auth",
	"krbsrvname", "krbspn", "min_protocol_version", "max_protocol_version",

	"application_name", "client_encoding", "options", "search_path", "role", "timezone", "TimeZone",
	"statement_timeout", "lock_timeout", "idle_session_timeout", "idle_in_transaction_session_timeout", "transaction_timeout",
	"default_transaction_isolation", "default_transaction_read_only", "default_transaction_deferrable", "synchronous_commit",
	"work_mem", "jit", "plan_cache_mode",
}

// upkeep are the options of package db that also apply to lanes.
var upkeep = []string{"pool_max_conn_lifetime", "pool_max_conn_lifetime_jitter", "pool_max_conn_idle_time", "pool_health_check_period"}

// Options returns the names of the URL's options.
func (Dialect) Options() []string { return slices.Clone(options) }

// advice says what to write in place of options of pgxpool, and of package pg alone.
var advice = map[string]string{
	"pool_max_conns": "it is pgxpool's: write pool_size and max_overflow for the connections of Conns and transactions, " +
		"and pool_lanes for those that carry the Engine's own statements",
	"pool_sessions":     "it is package pg's: write pool_size and max_overflow",
	"pool_min_sessions": "it is package pg's: write pool_min_conns",
	"pool_ping_timeout": "it is pgxpool's: write pre_ping",
}

// Advice says what to write in place of an option that doesn't exist. Any setting of the server can
// be set through the option "options".
func (Dialect) Advice(option string) string {
	if a := advice[option]; a != "" {
		return a
	}
	return "a setting of the server is written as options=-c " + option + "=…"
}

// KnowsOption reports whether an option is one of pgxpool, or of package pg alone.
func (Dialect) KnowsOption(option string) bool { return advice[option] != "" }

// configure reads the URL. It leaves out the options of package db.
func configure(d Dialect, u *backend.URL) (*pg.Config, error) {
	if u.Driver != "" {
		return nil, fmt.Errorf("%s: there is no driver %q; write %[1]s://, or give an open *sql.DB to postgres.OpenDB", d.Name(), u.Driver)
	}
	own := *u
	own.Dialect, own.Options = "postgres", url.Values{}
	for name := range u.Options {
		if slices.Contains(options, name) || slices.Contains(upkeep, name) {
			own.Options.Set(name, u.Option(name))
		}
	}
	// A plus sign stands for itself here, as in libpq.
	return pg.ParseConfig(strings.ReplaceAll(own.Reveal(), "+", "%20"))
}
