package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/cputime"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

// BenchmarkOneShot measures what package db costs over pg: the same select of a row by its key, by
// 64 callers. Compare cpu-ns/op and allocs/op; the rest is the server's share.
func BenchmarkOneShot(b *testing.B) {
	target := testserver.Postgres(b).Database(b)
	target.MustQuery(b, "create table world (id int primary key, number int); "+
		"insert into world select i, i * 7 from generate_series(1, 10000) i; analyze world")
	ctx := context.Background()
	bare, err := pg.Open(target.URL())
	require.NoError(b, err)
	defer func() { require.NoError(b, bare.Close(ctx)) }()
	e, err := db.Open(ctx, target.URL())
	require.NoError(b, err)
	defer func() { require.NoError(b, e.Close(ctx)) }()
	check := func(id, n int, err error) error {
		if err == nil && n != id*7 {
			err = fmt.Errorf("asked for %d, got %d", id*7, n)
		}
		return err
	}
	ways := []struct {
		name string
		do   func(ctx context.Context, id int) error
	}{
		{"pg", func(ctx context.Context, id int) error {
			var got, n int
			err := bare.QueryRow(ctx, "select id, number from world where id = $1", id).Scan(&got, &n)
			return check(id, n, err)
		}},
		{"db", func(ctx context.Context, id int) error {
			var got, n int
			err := e.QueryRow(ctx, "select id, number from world where id = :id", db.Named("id", id)).Scan(&got, &n)
			return check(id, n, err)
		}},
	}
	for _, inLoop := range []bool{false, true} {
		for _, way := range ways {
			b.Run(fmt.Sprintf("%s,loop=%v", way.name, inLoop), func(b *testing.B) {
				b.ReportAllocs()
				var next atomic.Int64
				caller := func(ctx context.Context) error {
					for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
						if err := way.do(ctx, 1+i%10_000); err != nil {
							return err
						}
					}
					return nil
				}
				before := cputime.Process()
				if inLoop {
					require.NoError(b, repaint.Run(ctx, func(ctx context.Context) error {
						g := repaint.NewGroup(ctx)
						for range 64 {
							g.Go(caller)
						}
						return g.Wait()
					}))
				} else {
					var wg sync.WaitGroup
					for range 64 {
						wg.Go(func() {
							if err := caller(ctx); err != nil {
								b.Error(err)
							}
						})
					}
					wg.Wait()
				}
				b.ReportMetric(float64(cputime.Process()-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}
