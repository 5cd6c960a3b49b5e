package sqlite_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

func TestADeadlineWhileAFileIsOpenedIsATimeout(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		url := dbtest.File(t)
		holder := dbtest.Open(t, ctx, url+"&journal_mode=delete")
		conn, err := holder.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		dbtest.Exec(t, ctx, conn, "pragma locking_mode = exclusive")
		dbtest.Exec(t, ctx, conn, "create table t (id integer)")
		for _, cancelled := range []bool{false, true} {
			ended, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			want := context.DeadlineExceeded
			if cancelled {
				ended, cancel = context.WithCancel(ctx)
				want = context.Canceled
				time.AfterFunc(20*time.Millisecond, cancel)
			}
			_, err = db.Open(ended, url)
			require.ErrorIs(t, err, want)
			require.NotErrorIs(t, err, db.ErrDisconnected)
			require.Equal(t, !cancelled, isTimeout(err), "%v", err)
			cancel()
		}
	})
}

func isTimeout(err error) bool { return errors.Is(err, db.ErrTimeout) }
