package dbtest

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
)

// KnowsTheNewPassword opens url with a hook that logs in as the user rotating, whose password is
// "first" until change makes it "second". Connections that are open go on; new ones need the new
// password.
func KnowsTheNewPassword(t *testing.T, ctx context.Context, url string, password *atomic.Value, change func()) {
	e := Open(t, ctx, url, db.BeforeConnect(func(_ context.Context, login *db.Login) error {
		require.NotEmpty(t, login.Host)
		require.NotEmpty(t, login.Port)
		require.Equal(t, "nobody", login.User)
		login.User, login.Password = "rotating", password.Load().(string)
		return nil
	}))
	conn, err := e.Connect(ctx)
	require.NoError(t, err)
	change()
	_, err = conn.Exec(ctx, "select 1")
	require.NoError(t, err)
	_, err = e.Connect(ctx)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "first")
	password.Store("second")
	other, err := e.Connect(ctx)
	require.NoError(t, err)
	require.NoError(t, other.Close())
	require.NoError(t, conn.Close())
	_, err = e.Exec(ctx, "select 1")
	require.NoError(t, err)
}

// Until returns when cond holds or ctx ends.
func Until(ctx context.Context, cond func() bool) {
	for ctx.Err() == nil && !cond() {
		_ = repaint.Sleep(ctx, time.Millisecond)
	}
}
