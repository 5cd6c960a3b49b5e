package pg

import (
	"context"
	"io"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// pgx's large objects work in a transaction and in a savepoint, as with pgx.
func TestLargeObjects(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		var oid uint32
		require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) (err error) {
			objects := tx.LargeObjects()
			if oid, err = objects.Create(ctx, 0); err != nil {
				return err
			}
			object, err := objects.Open(ctx, oid, pgx.LargeObjectModeRead|pgx.LargeObjectModeWrite)
			if err != nil {
				return err
			}
			if _, err := object.Write([]byte("a large object")); err != nil {
				return err
			}
			at, err := object.Seek(2, io.SeekStart)
			require.EqualValues(t, 2, at)
			if err != nil {
				return err
			}
			if err := object.Truncate(7); err != nil {
				return err
			}
			return object.Close()
		}))
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		defer tx.Rollback(ctx)
		savepoint, err := tx.Begin(ctx)
		require.NoError(t, err)
		objects := savepoint.LargeObjects()
		object, err := objects.Open(ctx, oid, pgx.LargeObjectModeRead)
		require.NoError(t, err)
		text, err := io.ReadAll(object)
		require.NoError(t, err)
		require.Equal(t, "a large", string(text))
		require.NoError(t, objects.Unlink(ctx, oid))
		require.NoError(t, savepoint.Rollback(ctx))
		_, err = objects.Open(ctx, oid, pgx.LargeObjectModeRead)
		require.ErrorIs(t, err, pgx.ErrTxClosed, "the savepoint has ended")
		objects = tx.LargeObjects()
		require.NoError(t, objects.Unlink(ctx, oid), "the rollback has brought it back")
		require.Equal(t, "42704", codeOf(objects.Unlink(ctx, oid)))
	})
}
