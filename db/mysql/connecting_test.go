package mysql_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

func TestADeadlineWhileConnectingIsATimeout(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections, and sends nothing
	require.NoError(t, err)
	defer silent.Close()
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		_, err := db.Open(short, "mysql://root@"+silent.Addr().String()+"/x")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, db.ErrTimeout)
		require.NotErrorIs(t, err, db.ErrDisconnected)
	})
}
