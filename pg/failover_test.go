package pg

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// either returns a URL with both hosts. The attribute says which of them is wanted.
func either(one, two testserver.Target, attribute string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(one.User, one.Password),
		Host:     one.Addr() + "," + two.Addr(),
		Path:     "/" + one.DBName,
		RawQuery: url.Values{"sslmode": {"disable"}, "target_session_attrs": {attribute}}.Encode(),
	}
	return u.String()
}

func TestSeveralHostsByWhatTheyAre(t *testing.T) {
	primary := testserver.Postgres(t, testserver.Private())
	standby := testserver.Standby(t, primary, "second")
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for _, hosts := range [][2]testserver.Target{{primary.Target, standby.Target}, {standby.Target, primary.Target}} {
			for attribute, port := range map[string]int{
				"any": hosts[0].Port, "read-write": primary.Port, "primary": primary.Port,
				"standby": standby.Port, "read-only": standby.Port, "prefer-standby": standby.Port,
			} {
				db := openAt(t, either(hosts[0], hosts[1], attribute))
				var got int
				require.NoError(t, db.QueryRow(ctx, "select inet_server_port()").Scan(&got))
				require.Equal(t, port, got, attribute)
				s, err := db.Acquire(ctx)
				require.NoError(t, err)
				require.NoError(t, s.QueryRow(ctx, "select inet_server_port()").Scan(&got))
				require.Equal(t, port, got, attribute)
				s.Release()
			}
		}
		for attribute, host := range map[string]testserver.Target{"standby": primary.Target, "read-write": standby.Target} {
			err := openAt(t, either(host, host, attribute)).Ping(ctx)
			var unreached *pgconn.ConnectError
			require.ErrorAs(t, err, &unreached, attribute)
			require.ErrorContains(t, err, fmt.Sprint(host.Port))
		}
	})
}

// The primary crashes under load, and the standby takes its place. The primary has acknowledged
// nothing that the standby lacked, so all of that is there.
func TestFailover(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		primary := testserver.Postgres(t, testserver.Private())
		standby := testserver.Standby(t, primary, "second")
		primary.MustQuery(t, "alter system set synchronous_standby_names = 'second'")
		primary.MustQuery(t, "select pg_reload_conf()")
		target := primary.Database(t)
		target.MustQuery(t, "create table t (id int)")
		until(t, ctx, "the standby", func() bool {
			return target.MustQuery(t, "select sync_state from pg_stat_replication") == "sync"
		})

		db := openAt(t, either(target, standby.Target, "read-write")+"&pool_lanes=3&pool_sessions=3")
		acknowledged, failed, stop := insertLoad(t, ctx, c, db, 20)
		until(t, ctx, "inserts", func() bool { return acknowledged.Load() > 300 })
		require.NoError(t, primary.Kill())
		until(t, ctx, "failures", func() bool { return failed.Load() > 0 })
		standby.MustQuery(t, "select pg_promote()")
		before := acknowledged.Load()
		until(t, ctx, "inserts", func() bool { return acknowledged.Load() > before+300 })
		after := standby.Target
		after.DBName = target.DBName
		stop(after)
	})
}

// Readers use the standby, and the primary when the standby has gone.
func TestReadersMoveToThePrimary(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		primary := testserver.Postgres(t, testserver.Private())
		standby := testserver.Standby(t, primary, "second")
		db := openAt(t, either(primary.Target, standby.Target, "prefer-standby"))
		port := func() (got int, err error) {
			err = db.QueryRow(ctx, "select inet_server_port()").Scan(&got)
			return got, err
		}
		got, err := port()
		require.NoError(t, err)
		require.Equal(t, standby.Port, got)
		require.NoError(t, standby.Stop())
		until(t, ctx, "the primary", func() bool { got, err = port(); return err == nil })
		require.Equal(t, primary.Port, got)
	})
}
