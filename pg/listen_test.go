package pg

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestListenerGetsWhatIsSentInOrder(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		l, err := db.Listen(ctx, "one", `T"wo`)
		require.NoError(t, err)
		defer l.Close()
		const n = 200
		wait := c.start(ctx, func(ctx context.Context) error {
			for i := range n {
				if err := db.Notify(ctx, []string{"one", `T"wo`, "another"}[i%3], fmt.Sprint(i)); err != nil {
					return err
				}
			}
			return nil
		})
		i := 0
		for got, err := range l.All(ctx) {
			require.NoError(t, err)
			require.NotZero(t, got.PID)
			got.PID = 0
			require.Equal(t, Notification{Channel: []string{"one", `T"wo`}[i%3], Payload: fmt.Sprint(i)}, got)
			if i++; i%3 == 2 {
				i++
			}
			if i >= n-1 {
				break
			}
		}
		require.NoError(t, wait())
	})
}

func TestListenerSurvivesALostConnectionAndSaysSo(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, target := proxied(t, "")
		l, err := db.Listen(ctx, "news")
		require.NoError(t, err)
		defer l.Close()
		for i, lose := range []func(){
			proxy.Cut,
			func() {
				target.MustQuery(t, "select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%' and pid <> pg_backend_pid()")
			},
			func() { proxy.Refuse(); proxy.Cut(); proxy.Admit() },
		} {
			target.MustQuery(t, fmt.Sprintf("notify news, 'before %d'", i))
			n, err := l.Next(ctx)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint("before ", i), n.Payload)
			lose()
			n, err = l.Next(ctx)
			require.NoError(t, err)
			require.Equal(t, Notification{Missed: true}, n)
		}
	})
}

// The listener notices a dead connection by its silence.
func TestListenerNoticesADeadConnection(t *testing.T) {
	saved := heartbeat
	heartbeat = 50 * time.Millisecond
	defer func() { heartbeat = saved }()
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, _ := proxied(t, "")
		l, err := db.Listen(ctx, "news")
		require.NoError(t, err)
		proxy.Stall()
		until(t, ctx, "the loss", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.conn == nil })
		proxy.Resume()
		n, err := l.Next(ctx)
		require.NoError(t, err)
		require.True(t, n.Missed)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		require.NoError(t, db.Close(closing))
	})
}

func TestListenersEnd(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		_, err := db.Listen(ctx)
		require.ErrorContains(t, err, "at least one channel")
		// It ends with its context, with Close, and with the DB.
		l, err := db.Listen(ctx, "news")
		require.NoError(t, err)
		mine, cancel := context.WithCancel(ctx)
		wait := c.start(ctx, func(context.Context) error { _, err := l.Next(mine); return err })
		cancel()
		require.ErrorIs(t, wait(), context.Canceled)
		wait = c.start(ctx, func(ctx context.Context) error { _, err := l.Next(ctx); return err })
		l.Close()
		require.ErrorIs(t, wait(), ErrClosed)
		l, err = db.Listen(ctx, "news")
		require.NoError(t, err)
		wait = c.start(ctx, func(ctx context.Context) error { _, err := l.Next(ctx); return err })
		require.NoError(t, db.Close(ctx))
		require.ErrorIs(t, wait(), ErrClosed)
		_, err = db.Listen(ctx, "news")
		require.ErrorIs(t, err, ErrClosed)

		nowhere := openAt(t, "postgres://nobody@127.0.0.1:1/none")
		_, err = nowhere.Listen(ctx, "news")
		require.ErrorContains(t, err, "127.0.0.1")
	})
}

// A listener that doesn't take its notifications loses some, and says so.
func TestListenerQueueIsBounded(t *testing.T) {
	l := &Listener{ctx: context.Background()}
	for range listenQueue + 10 {
		l.add(Notification{Channel: "c"})
	}
	for range listenQueue {
		n, err := l.Next(context.Background())
		require.NoError(t, err)
		require.Equal(t, "c", n.Channel)
	}
	n, err := l.Next(context.Background())
	require.NoError(t, err)
	require.True(t, n.Missed)
}

func TestListenerChangesItsChannels(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		l, err := db.Listen(ctx, "one")
		require.NoError(t, err)
		defer l.Close()
		next := func(want ...string) {
			t.Helper()
			for _, channel := range []string{"one", `T"wo`, "three"} {
				require.NoError(t, db.Notify(ctx, channel, "for "+channel))
			}
			for _, channel := range want {
				n, err := l.Next(ctx)
				require.NoError(t, err)
				require.Equal(t, "for "+channel, n.Payload)
			}
		}
		next("one")
		require.NoError(t, l.Listen(ctx, `T"wo`, "three", "one"), "one channel a second time")
		next("one", `T"wo`, "three")
		require.NoError(t, l.Unlisten(ctx, "one", "never"))
		next(`T"wo`, "three")
		require.NoError(t, l.Unlisten(ctx, "three", `T"wo`))
		next()
		require.NoError(t, l.Listen(ctx, "three"))
		next("three")
		require.NoError(t, l.Ping(ctx))

		ended, cancel := context.WithCancel(ctx)
		cancel()
		require.ErrorIs(t, l.Listen(ended, "one"), context.Canceled)
		next("three")

		l.Close()
		require.ErrorIs(t, l.Listen(ctx, "one"), ErrClosed)
		require.ErrorIs(t, l.Unlisten(ctx, "three"), ErrClosed)
		require.ErrorIs(t, l.Ping(ctx), ErrClosed)
	})
}

// A connection that replaces a lost one listens on the added channels and not on the removed ones,
// even if these changed while there was no connection.
func TestListenersNextConnectionKnowsTheChannels(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, target := proxied(t, "")
		l, err := db.Listen(ctx, "one", "two")
		require.NoError(t, err)
		defer l.Close()
		require.NoError(t, l.Listen(ctx, "three"))
		proxy.Refuse()
		proxy.Cut()
		until(t, ctx, "the loss", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.conn == nil })
		require.ErrorContains(t, l.Ping(ctx), "has broken")
		require.NoError(t, l.Listen(ctx, "four"))
		require.NoError(t, l.Unlisten(ctx, "one"))
		proxy.Admit()
		n, err := l.Next(ctx)
		require.NoError(t, err)
		require.True(t, n.Missed)
		target.MustQuery(t, "select pg_notify(c, '') from unnest('{one,two,three,four}'::text[]) c")
		for _, want := range []string{"two", "three", "four"} {
			n, err := l.Next(ctx)
			require.NoError(t, err)
			require.Equal(t, want, n.Channel)
		}
	})
}
