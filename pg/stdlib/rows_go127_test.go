//go:build go1.27

package stdlib_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/assert"
)

func TestScanIntoGoValues(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		assert.Equal(t, []int64{1, 2}, one[[]int64](t, d, d.ctx, "select '{1,2}'::bigint[]"))
		assert.Equal(t, []string{"a", "b"}, one[[]string](t, d, d.ctx, "select '{a,b}'::text[]"))
		assert.Equal(t, "1", one[string](t, d, d.ctx, "select 1"), "database/sql's own conversions stay")
		assert.Nil(t, one[*string](t, d, d.ctx, "select null"))
		r := one[pgtype.Range[pgtype.Int4]](t, d, d.ctx, "select '[1,5)'::int4range")
		assert.EqualValues(t, 5, r.Upper.Int32)
		assert.Error(t, d.QueryRowContext(d.ctx, "select 1").Scan((*int)(nil)))
	})
}
