package riverrepaint

import (
	"context"
	"testing"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func open(t *testing.T, target testserver.Target) *Driver {
	leakcheck.Test(t)
	db, err := pg.Open(target.URL())
	require.NoError(t, err)
	d := New(db)
	t.Cleanup(func() {
		require.NoError(t, d.Close())
		require.NoError(t, db.Close(context.Background()))
	})
	return d
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestListenerHearsItsTopicsInItsSchema(t *testing.T) {
	ctx := limited(t)
	d := open(t, testserver.Postgres(t).Database(t))
	l := d.GetListener(&riverdriver.GetListenenerParams{})
	require.NoError(t, l.Close(ctx), "it isn't connected")
	require.ErrorIs(t, l.Listen(ctx, "a"), errNotConnected)
	require.ErrorIs(t, l.Unlisten(ctx, "a"), errNotConnected)
	require.ErrorIs(t, l.Ping(ctx), errNotConnected)
	_, err := l.WaitForNotification(ctx)
	require.ErrorIs(t, err, errNotConnected)

	for range 2 { // the listener may connect again
		require.NoError(t, l.Connect(ctx))
		require.Error(t, l.Connect(ctx))
		require.Equal(t, "public", l.Schema())
		require.NoError(t, l.Ping(ctx))
		short, cancel := context.WithCancel(ctx)
		cancel()
		_, err = l.WaitForNotification(short)
		require.ErrorIs(t, err, context.Canceled, "without a topic it waits")

		notify := func(payload string) {
			for _, topic := range []string{"a", "b"} {
				require.NoError(t, d.GetExecutor().NotifyMany(ctx, &riverdriver.NotifyManyParams{Topic: topic, Payload: []string{payload}, Schema: "public"}))
			}
		}
		next := func(topic, payload string) {
			t.Helper()
			n, err := l.WaitForNotification(ctx)
			require.NoError(t, err)
			require.Equal(t, &riverdriver.Notification{Topic: topic, Payload: payload}, n)
		}
		require.NoError(t, l.Unlisten(ctx, "b"))
		notify("too early")
		require.NoError(t, l.Listen(ctx, "a"))
		notify("1")
		next("a", "1")
		require.NoError(t, l.Listen(ctx, "b"))
		notify("2")
		next("a", "2")
		next("b", "2")
		require.NoError(t, l.Unlisten(ctx, "a"))
		notify("3")
		next("b", "3")

		tx, err := d.GetExecutor().Begin(ctx)
		require.NoError(t, err)
		require.NoError(t, tx.NotifyMany(ctx, &riverdriver.NotifyManyParams{Topic: "b", Payload: []string{"in a transaction"}, Schema: "public"}))
		notify("4")
		next("b", "4")
		require.NoError(t, tx.Commit(ctx))
		next("b", "in a transaction")

		require.NoError(t, l.Ping(ctx))
		require.NoError(t, l.Close(ctx))
	}

	l = d.GetListener(&riverdriver.GetListenenerParams{Schema: "mine"})
	require.Equal(t, "mine", l.Schema())
	l = d.GetListener(&riverdriver.GetListenenerParams{})
	l.SetAfterConnectExec("set search_path to ''")
	require.NoError(t, l.Connect(ctx))
	require.Empty(t, l.Schema())
	require.NoError(t, l.Close(ctx))
	l.SetAfterConnectExec("nonsense")
	require.ErrorContains(t, l.Connect(ctx), "nonsense")
}

// River must learn that it may have missed a notification.
func TestListenerReportsALostConnection(t *testing.T) {
	ctx := limited(t)
	target := testserver.Postgres(t).Database(t)
	proxy := faultproxy.New(t, target.Addr())
	target.Host, target.Port = proxy.Host(), proxy.Port()
	d := open(t, target)
	l := d.GetListener(&riverdriver.GetListenenerParams{})
	require.NoError(t, l.Connect(ctx))
	require.NoError(t, l.Listen(ctx, "a"))
	proxy.Cut()
	_, err := l.WaitForNotification(ctx)
	require.ErrorContains(t, err, "has broken")
	require.NoError(t, l.Close(ctx))
	require.NoError(t, l.Connect(ctx))
	require.NoError(t, l.Listen(ctx, "a"))
	require.NoError(t, l.Close(ctx))
}

func TestListenerCloseEndsAWait(t *testing.T) {
	ctx := limited(t)
	d := open(t, testserver.Postgres(t).Database(t))
	for _, topics := range [][]string{nil, {"a"}} {
		l := d.GetListener(&riverdriver.GetListenenerParams{})
		require.NoError(t, l.Connect(ctx))
		for _, topic := range topics {
			require.NoError(t, l.Listen(ctx, topic))
		}
		ended := make(chan error)
		go func() { _, err := l.WaitForNotification(ctx); ended <- err }()
		require.NoError(t, l.Close(ctx))
		require.Error(t, <-ended)
	}
}
