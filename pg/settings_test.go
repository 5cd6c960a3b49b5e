package pg

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestOptionsThatThereArentAreRefusedAtOpen(t *testing.T) {
	for name, advice := range map[string]string{
		"pool_ping_timeout": "cancel_timeout",
		"pool_size":         "pool_lanes", "description_cache_capacity": "statement_cache_capacity", "gssencmode": "libpq's", "keepalives": "libpq's",
		"pool_lane": "mean pool_lanes", "pool_min_con": "mean pool_min_conns", "poolSessions": "mean pool_sessions", "sslmod": "mean sslmode", "serach_path": "mean search_path",
		"no_such_option": "options=-c no_such_option", "max_connections": "options=-c",
	} {
		for _, conn := range []string{"postgres://u@localhost/d?" + name + "=10", "postgres://u@localhost/d?pool_lanes=2&" + name + "=10", "host=localhost " + name + "=10"} {
			_, err := Open(conn)
			require.ErrorContains(t, err, name, conn)
			require.ErrorContains(t, err, advice, conn)
		}
	}
	_, err := Open("postgres://u@localhost/d?pool_size=1&pool_timeout=2&nothing=3")
	for _, name := range []string{"pool_size", "pool_timeout", "nothing"} {
		require.ErrorContains(t, err, name, "all are told")
	}
	_, err = Open("postgres://u:a@h?ecret=1@localhost/d")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "ecret")
}

// ParseConfig accepts every setting that the server lets a client set.
func TestSettingsOfTheServerAreOptions(t *testing.T) {
	target := testserver.Postgres(t).Database(t)
	names := strings.Fields(target.MustQuery(t, "select string_agg(name, ' ') from pg_settings where context in ('user', 'superuser', 'backend', 'superuser-backend')"))
	require.Greater(t, len(names), 150)
	for _, name := range append(names, "role", "session_authorization", "seed", "replication", "options", "my.own", "transaction_timeout", "DateStyle", "timezone") {
		_, err := ParseConfig("host=localhost " + name + "=x")
		require.NoError(t, err)
	}
	for name, value := range map[string]string{"statement_timeout": "1234ms", "my.own": "x", "TimeZone": "Asia/Tokyo", "search_path": "pg_catalog"} {
		db := openAt(t, target.URL()+"&"+name+"="+value)
		var got string
		require.NoError(t, db.QueryRow(context.Background(), "select current_setting($1)", name).Scan(&got))
		require.Equal(t, value, got)
	}
	db := openAt(t, target.URL()+"&options=-c%20work_mem%3D1234kB")
	var got string
	require.NoError(t, db.QueryRow(context.Background(), "show work_mem").Scan(&got))
	require.Equal(t, "1234kB", got)
}
