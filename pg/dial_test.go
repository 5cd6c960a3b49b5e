package pg

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func TestDialedSessionsAreNotThePools(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		var all []*Session
		for range 3 {
			s, err := db.Dial(ctx)
			require.NoError(t, err)
			_, err = s.Exec(ctx, "set search_path = pg_catalog")
			require.NoError(t, err)
			all = append(all, s)
		}
		pooled, err := db.Acquire(ctx) // its place is free
		require.NoError(t, err)
		require.Equal(t, 4, db.Stats().Sessions)
		renewed, err := all[0].Renew(ctx)
		require.NoError(t, err)
		all[0] = renewed
		pooled.Release()
		all[0].Release()
		require.NoError(t, all[1].Close(ctx))
		until(t, ctx, "released ones are closed", func() bool { return db.Stats().Sessions == 2 })
		second, err := db.Acquire(ctx)
		require.NoError(t, err)
		short, cancel := soon(ctx)
		defer cancel()
		_, err = db.Acquire(short)
		var e *ExhaustedError
		require.ErrorAs(t, err, &e)
		require.Equal(t, []int{1, 1}, []int{e.InUse, e.Most})
		second.Release()
		all[2].Release()
	})
}

// A connection whose caller has given up is closed.
func TestDialIsGivenUp(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		config, err := ParseConfig(databaseURL(t))
		require.NoError(t, err)
		goOn, sockets := make(chan struct{}), atomic.Int32{}
		dial := config.Conn.DialFunc
		config.Conn.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			sockets.Add(1)
			<-goOn
			return dial(ctx, network, addr)
		}
		db, err := OpenConfig(config)
		require.NoError(t, err)
		shown(t, db)
		short, cancel := soon(ctx)
		defer cancel()
		_, err = db.Dial(short)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, pgconn.SafeToRetry(err) && pgconn.Timeout(err))
		close(goOn)
		s, err := db.Dial(ctx)
		require.NoError(t, err)
		until(t, ctx, "the first one is closed", func() bool { st := db.Stats(); return st.SessionOpens >= 2 && st.Sessions == 1 })
		s.Release()
		require.NoError(t, db.Close(ctx))
		_, err = db.Dial(ctx)
		require.ErrorIs(t, err, ErrClosed)
	})
}
