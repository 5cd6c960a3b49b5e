package repainttest_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/repainttest"
)

func TestNotificationsOfStatementsThatWaitedRepeat(t *testing.T) {
	d, reset := openTables(t, "PostgreSQL")
	db := d.(postgres).db
	repainttest.Explore(t, 25, func(t *testing.T, ctx context.Context) {
		l, err := db.Listen(ctx, "news")
		require.NoError(t, err)
		defer l.Close()
		order := ""
		require.NoError(t, tasks(ctx,
			func(ctx context.Context) error {
				order += runTexts(ctx, d, []string{"begin", "update a set v = 2", "commit", "select v from b"})
				order += "holder "
				return nil
			},
			func(ctx context.Context) error {
				order += runTexts(ctx, d, []string{"update a set v = 3 returning pg_notify('news', 'x')", "select v from a"})
				order += "waiter "
				return nil
			},
			func(ctx context.Context) error {
				if _, err := l.Next(ctx); err != nil {
					return err
				}
				order += runTexts(ctx, d, []string{"select v from c"}) + "listener "
				return nil
			}))
	}, reset, repainttest.CheckRepeats())
}
