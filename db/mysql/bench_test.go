package mysql_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// Each workload runs on repaint and, beside it, on database/sql with the same driver, prepared
// statements, and the same number of connections. Contexts can be cancelled, like those of a
// server's requests.
//
//	Benchmark<Workload>/<side>/<callers>

const benchConns = 16

func benchTable(b *testing.B) testserver.Target {
	at := testserver.MariaDB(b).Database(b)
	at.MustQuery(b, "create table items(id int primary key, value varchar(100) not null); insert into items select seq, concat('value ', seq) from seq_1_to_1000")
	return at
}

type work func(ctx context.Context, i int) error

func sides(b *testing.B, peer func(pool *sql.DB) work, ours func(e *db.Engine) work) {
	at := benchTable(b)
	for _, callers := range []int{1, 256} {
		b.Run(fmt.Sprintf("database-sql/%d", callers), func(b *testing.B) {
			pool, err := sql.Open("mysql", at.DSN())
			require.NoError(b, err)
			defer pool.Close()
			pool.SetMaxOpenConns(benchConns)
			pool.SetMaxIdleConns(benchConns)
			inGoroutines(b, callers, peer(pool))
		})
		open := func(b *testing.B) *db.Engine {
			return dbtest.Open(b, context.Background(), at.URL(), db.PoolSize(benchConns), db.MaxOverflow(0))
		}
		b.Run(fmt.Sprintf("goroutines/%d", callers), func(b *testing.B) { inGoroutines(b, callers, ours(open(b))) })
		b.Run(fmt.Sprintf("tasks/%d", callers), func(b *testing.B) { inTasks(b, callers, ours(open(b))) })
	}
}

func inGoroutines(b *testing.B, callers int, do work) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
				if err := do(ctx, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func inTasks(b *testing.B, callers int, do work) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	next := 0
	require.NoError(b, repaint.Run(ctx, func(ctx context.Context) error {
		fns := make([]func(context.Context) (int, error), callers)
		for k := range fns {
			fns[k] = func(ctx context.Context) (int, error) {
				for next < b.N {
					next++
					if err := do(ctx, next); err != nil {
						return 0, err
					}
				}
				return 0, nil
			}
		}
		b.ReportAllocs()
		b.ResetTimer()
		_, err := repaint.Gather(ctx, fns...)
		return err
	}))
}

func BenchmarkSelectRow(b *testing.B) {
	sides(b, func(pool *sql.DB) work {
		st, err := pool.Prepare("select value from items where id = ?")
		require.NoError(b, err)
		return func(ctx context.Context, i int) error {
			var v string
			return st.QueryRowContext(ctx, i%1000+1).Scan(&v)
		}
	}, func(e *db.Engine) work {
		return func(ctx context.Context, i int) error {
			var v string
			return e.QueryRow(ctx, "select value from items where id = :id", db.Named("id", i%1000+1)).Scan(&v)
		}
	})
}

func BenchmarkTransaction(b *testing.B) {
	sides(b, func(pool *sql.DB) work {
		st, err := pool.Prepare("update items set value = ? where id = ?")
		require.NoError(b, err)
		return func(ctx context.Context, i int) error {
			tx, err := pool.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if _, err := tx.StmtContext(ctx, st).ExecContext(ctx, i, i%1000+1); err != nil {
				return err
			}
			return tx.Commit()
		}
	}, func(e *db.Engine) work {
		return func(ctx context.Context, i int) error {
			return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "update items set value = :v where id = :id", db.Named("v", i), db.Named("id", i%1000+1))
				return err
			})
		}
	})
}
