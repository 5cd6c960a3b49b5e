package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

func TestOptionsOfTheURLAndOfOpen(t *testing.T) {
	ctx := context.Background()
	url := (&dbtest.Fake{}).Register()
	for _, c := range []struct {
		query string
		opts  []db.Option
		most  int
	}{
		{"", nil, 15},
		{"?pool_size=2", nil, 12},
		{"?pool_size=2&max_overflow=0", nil, 2},
		{"?pool_size=2&pool_size=3&max_overflow=0", nil, 3},
		{"?pool_size=2&max_overflow=0", []db.Option{db.PoolSize(7)}, 7},
		{"?pool_timeout=1m30s&max_lifetime=90&statement_cache=0&hide_parameters=off&colour=blue", nil, 15},
	} {
		e := dbtest.Open(t, ctx, url+c.query, c.opts...)
		require.Equal(t, c.most, e.Stats().MaxOpen, c.query)
	}
	for query, want := range map[string]string{
		"?poolsize=2":        `has no option "poolsize"; there are colour, connect_timeout, hide_parameters, isolation, max_lifetime, max_overflow, pool_health_check_period, pool_max_conn_idle_time, pool_max_conn_lifetime, pool_max_conn_lifetime_jitter, pool_min_conns, pool_min_idle_conns, pool_size, pool_timeout, pre_ping, read_only, statement_cache`,
		"?pool_size=0":       `the option pool_size: "0" is not a number of at least 1`,
		"?pool_size=x":       `"x" is not a number`,
		"?max_overflow=-1":   `"-1" is not a number of at least 0`,
		"?pool_timeout=soon": `"soon" is neither a duration such as 1m30s`,
		"?max_lifetime=-1s":  `"-1s" is neither a duration`,
		"?hide_parameters=2": `"2" is neither on nor off`,
	} {
		_, err := db.Open(ctx, url+query)
		require.ErrorContains(t, err, want, query)
	}
	_, err := db.Open(ctx, url+"?nope=1")
	require.ErrorIs(t, err, db.ErrUnknownOption)
	_, err = db.Open(ctx, url, db.PoolTimeout(-time.Second))
	require.ErrorIs(t, err, db.ErrMisuse)
}

func TestAnUnknownDialectListsTheKnownOnes(t *testing.T) {
	_, err := db.Open(context.Background(), "nope://user:hunter2@host/x")
	require.ErrorIs(t, err, db.ErrUnknownDialect)
	require.ErrorContains(t, err, `"nope"`)
	require.ErrorContains(t, err, "sqlite")
	require.NotContains(t, err.Error(), "hunter2")
	require.Contains(t, db.Dialects(), "sqlite")
}

func TestHowMuchAnErrorTellsOfParameters(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		for _, how := range []struct {
			query string
			opts  []db.Option
			tells string
		}{
			{"", nil, "[v string]"},
			{"?hide_parameters=on", nil, ""},
			{"", []db.Option{db.HideParameters(), db.StatementCache(0)}, ""},
			{"?hide_parameters=off", nil, `[v="hunter2"]`},
			{"?hide_parameters=on", []db.Option{db.ShowParameters()}, `[v="hunter2"]`},
			{"", []db.Option{db.ShowParameters(), db.HideParameters()}, ""},
		} {
			e := dbtest.Open(t, ctx, "sqlite://"+how.query, how.opts...)
			dbtest.Exec(t, ctx, e, "create table t(v text unique)", "insert into t values ('hunter2')")
			_, err := e.Exec(ctx, "insert into t values (:v)", db.Named("v", "hunter2"))
			require.ErrorIs(t, err, db.ErrUnique)
			var is *db.Error
			require.ErrorAs(t, err, &is)
			require.Equal(t, "insert into t values (:v)", is.Statement)
			require.ErrorContains(t, err, how.tells)
			if how.tells == "" {
				require.Empty(t, is.Params)
				require.NotContains(t, err.Error(), "string")
			} else {
				require.Equal(t, "hunter2", is.Params[0].Value, "the program can have it")
			}
			if how.tells != `[v="hunter2"]` {
				require.NotContains(t, err.Error(), "hunter2")
			}
		}
	})
}

func TestStatsCountWhatHappened(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, (&dbtest.Fake{}).Register(), db.PoolSize(2), db.MaxOverflow(1))
		require.Equal(t, db.Stats{Open: 1, Idle: 1, MaxOpen: 3, Acquired: 1, Connects: 1}, e.Stats())
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		_, err = e.Exec(ctx, "x")
		require.NoError(t, err)
		require.Equal(t, db.Stats{Open: 2, Idle: 1, InUse: 1, MaxOpen: 3, Acquired: 3, Connects: 2, CachedStatements: 1}, e.Stats())
		require.NoError(t, conn.Close())
	})
}

func TestAnUnknownOptionIsExplained(t *testing.T) {
	for url, hint := range map[string]string{
		"sqlite://?pool_sise=3":      "is pool_size meant?",
		"sqlite://?poolSize=3":       "is pool_size meant?",
		"sqlite://?_busy_timeout=3":  "is busy_timeout meant?",
		"sqlite://?something_else=3": "",
	} {
		_, err := db.Open(context.Background(), url)
		var e *db.Error
		require.ErrorAs(t, err, &e)
		require.ErrorIs(t, err, db.ErrUnknownOption)
		require.Equal(t, hint, e.Hint, url)
		require.ErrorContains(t, err, hint)
	}
}
