package compat

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

// GORM writes values into texts, so there are many texts. With PrepareStmt it keeps a prepared
// statement for each. In pg/stdlib a prepared statement is only a text, and the server keeps no
// more of them than pg's cache has room for.
func TestManyTextsFillNoServer(t *testing.T) {
	const (
		texts    = 2000
		capacity = 50
	)
	for _, prepares := range []bool{false, true} {
		t.Run(fmt.Sprintf("prepares %v", prepares), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			under, err := pg.Open(testserver.Postgres(t).Database(t).URL() + fmt.Sprintf("&pool_lanes=1&statement_cache_capacity=%d", capacity))
			require.NoError(t, err)
			defer func() { assert.NoError(t, under.Close(context.Background())) }()
			db := stdlib.OpenDB(under)
			defer db.Close()
			g, err := gorm.Open(postgres.New(postgres.Config{Conn: db}), &gorm.Config{PrepareStmt: prepares, Logger: logger.Discard})
			require.NoError(t, err)

			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for range 2 {
				var wg sync.WaitGroup
				for first := range 10 {
					wg.Go(func() {
						for i := first; i < texts; i += 10 {
							var sum int64
							err := g.WithContext(ctx).Raw(fmt.Sprintf("select count(*) + %d from generate_series(1, 3) n where n in ?", i), []int{1, 2}).Scan(&sum).Error
							if !assert.NoError(t, err) || !assert.EqualValues(t, i+2, sum) {
								return
							}
						}
					})
				}
				wg.Wait()
			}
			runtime.GC()
			runtime.ReadMemStats(&after)

			var prepared int
			require.NoError(t, db.QueryRowContext(ctx, "select count(*) from pg_prepared_statements").Scan(&prepared))
			assert.LessOrEqual(t, prepared, capacity+1)
			perText := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / texts
			t.Logf("%d texts: %d prepared on the server's one lane, %d bytes of memory for each text", texts, prepared, perText)
			assert.Less(t, perText, int64(20_000), "bytes")
			runtime.KeepAlive(g)
		})
	}
}
