package pg

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/loop"
)

// A password changes on the server between two connects. The hook knows the new one, for lanes,
// sessions and listeners. Connections that are open go on.
func TestBeforeConnectKnowsTheNewPassword(t *testing.T) {
	srv := testserver.Postgres(t, testserver.HBA("local all all trust", "host all rotating 127.0.0.1/32 scram-sha-256"))
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		srv.MustQuery(t, "drop role if exists rotating; create role rotating login password 'first'")
		var password atomic.Value
		password.Store("first")
		u := url.URL{Scheme: "postgres", User: url.UserPassword("rotating", "stale"), Host: srv.Addr(), Path: "/" + srv.DBName, RawQuery: "sslmode=disable"}
		config, err := ParseConfig(u.String())
		require.NoError(t, err)
		config.BeforeConnect = func(ctx context.Context, cc *pgx.ConnConfig) error {
			if _, limited := ctx.Deadline(); !limited {
				return errors.New("the hook has no deadline")
			}
			cc.Password = password.Load().(string)
			cc.RuntimeParams["application_name"] = "token " + cc.Password
			return nil
		}
		db, err := OpenConfig(config)
		require.NoError(t, err)
		shown(t, db)
		defer func() { require.NoError(t, db.Close(ctx)) }()
		name := func(q interface {
			QueryRow(context.Context, string, ...any) pgx.Row
		}) string {
			var name string
			require.NoError(t, q.QueryRow(ctx, "select current_setting('application_name')").Scan(&name))
			return name
		}
		require.Equal(t, "token first", name(db))
		srv.MustQuery(t, "alter role rotating password 'second'")
		require.Equal(t, "token first", name(db), "a connection stays")
		_, err = db.Acquire(ctx)
		require.ErrorContains(t, err, "28P01")
		neverNames(t, err, "first")
		password.Store("second")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		require.Equal(t, "token second", name(s))
		s.Release()
		listener, err := db.Listen(ctx, "news")
		require.NoError(t, err)
		listener.Close()
		old, _ := db.pids()
		db.Reset()
		until(t, ctx, "the lanes are new", func() bool {
			now, _ := db.pids()
			for pid := range old {
				if now[pid] {
					return false
				}
			}
			return len(now) > 0
		})
		require.Equal(t, "token second", name(db))
		require.Empty(t, config.Conn.RuntimeParams["application_name"], "the hook has changed copies")
		require.Equal(t, "stale", config.Conn.Password)
	})
}

func TestErrorsOfBeforeConnect(t *testing.T) {
	boom := errors.New("the token server is down")
	for name, one := range map[string]struct {
		hook func(ctx context.Context, cc *pgx.ConnConfig) error
		text string
		is   error
	}{
		"an error":   {func(context.Context, *pgx.ConnConfig) error { return boom }, "running BeforeConnect: the token server is down", boom},
		"its time":   {func(ctx context.Context, _ *pgx.ConnConfig) error { <-ctx.Done(); return ctx.Err() }, "running BeforeConnect: context deadline exceeded (connect_timeout is 50ms)", context.DeadlineExceeded},
		"a panic":    {func(context.Context, *pgx.ConnConfig) error { panic(boom) }, "BeforeConnect: ", boom},
		"nothing":    {func(_ context.Context, cc *pgx.ConnConfig) error { cc.Config = pgconn.Config{}; return nil }, "running BeforeConnect: it has replaced", nil},
		"wrong host": {func(_ context.Context, cc *pgx.ConnConfig) error { cc.Host, cc.Fallbacks = "/nowhere", nil; return nil }, "/nowhere", nil},
	} {
		t.Run(name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				config, err := ParseConfig(databaseURL(t))
				require.NoError(t, err)
				config.BeforeConnect, config.Conn.ConnectTimeout = one.hook, 50*time.Millisecond
				db, err := OpenConfig(config)
				require.NoError(t, err)
				shown(t, db)
				for _, call := range []func() error{
					func() error { return db.Ping(ctx) },
					func() error { _, err := db.Begin(ctx); return err },
					func() error { _, err := db.Listen(ctx, "news"); return err },
				} {
					err := call()
					var e *ConnectError
					require.ErrorAs(t, err, &e)
					require.ErrorContains(t, err, one.text)
					require.True(t, pgconn.SafeToRetry(err))
					if one.is != nil {
						require.ErrorIs(t, err, one.is)
					}
					if name == "an error" {
						require.Equal(t, []ConnectAttempt{{e.Host, ConnectBefore, boom}}, e.Attempts)
					}
					if name == "a panic" {
						var panicked *loop.PanicError
						require.ErrorAs(t, err, &panicked)
					}
				}
				require.NoError(t, db.Close(ctx), fmt.Sprint(name))
			})
		})
	}
}
