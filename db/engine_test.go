package db_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

// The workload that the whole project is measured by: insert, get the id back,
// select by it, compare.
func addAndSelect(ctx context.Context, q db.Querier, value string) error {
	id, err := db.Scalar[int64](ctx, q, "insert into items(value) values (:value) returning id", db.Named("value", value))
	if err != nil {
		return err
	}
	got, err := db.Scalar[string](ctx, q, "select value from items where id = :id", db.Named("id", id))
	if err != nil {
		return err
	}
	if got != value {
		return fmt.Errorf("item %d is %q, not %q", id, got, value)
	}
	return nil
}

const items = "create table items(id integer primary key, value text not null)"

func TestAThousandAtOnceEachSeeTheirOwn(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		const n = 1000
		dbtest.Exec(t, ctx, e, items)
		require.NoError(t, c.Together(ctx, n, func(ctx context.Context, i int) error {
			return addAndSelect(ctx, e, fmt.Sprint("value ", i))
		}))
		count, err := db.Scalar[int](ctx, e, "select count(distinct value) from items")
		require.NoError(t, err)
		require.Equal(t, n, count)
	})
}
