package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

// Each benchmark has database/sql on the same driver beside it, with the same
// settings: "prepared" with statements prepared once, "unprepared" as most
// programs write it. Contexts can be cancelled, as those of a server's requests.

const benchItems = "create table items(id integer primary key, value text not null, score real)"

// peer opens database/sql with the settings that package sqlite makes.
func peer(b *testing.B, name string) *sql.DB {
	pool, err := sql.Open("sqlite", name)
	require.NoError(b, err)
	b.Cleanup(func() { pool.Close() })
	_, err = pool.Exec(benchItems)
	require.NoError(b, err)
	_, err = pool.Exec("insert into items(value, score) select 'value ' || value, value from generate_series(1, 1000)")
	if err != nil {
		for i := range 1000 {
			_, err = pool.Exec("insert into items(value, score) values (?, ?)", fmt.Sprint("value ", i), float64(i))
			require.NoError(b, err)
		}
	}
	return pool
}

func peerMemory(b *testing.B) *sql.DB {
	return peer(b, fmt.Sprintf("file:/bench-%p?vfs=memdb&_pragma=foreign_keys(1)", b))
}

func peerFile(b *testing.B) *sql.DB {
	return peer(b, "file:"+filepath.ToSlash(b.TempDir())+
		"/peer.db?_pragma=busy_timeout(60000)&_pragma=foreign_keys(1)&_pragma=journal_mode(wal)&_pragma=synchronous(off)&_txlock=immediate")
}

func ours(b *testing.B, url string, opts ...db.Option) *db.Engine {
	ctx := context.Background()
	e := dbtest.Open(b, ctx, url, opts...)
	dbtest.Exec(b, ctx, e, benchItems)
	require.NoError(b, e.Begin(ctx, func(ctx context.Context, tx *db.Tx) error {
		for i := range 1000 {
			if _, err := tx.Exec(ctx, "insert into items(value, score) values (:v, :s)",
				db.Named("v", fmt.Sprint("value ", i)), db.Named("s", float64(i))); err != nil {
				return err
			}
		}
		return nil
	}))
	return e
}

func cancellable(b *testing.B) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	return ctx
}

const (
	selectOne  = "select value from items where id = ?"
	insertOne  = "insert into items(value) values (?) returning id"
	selectMany = "select id, value, score from items where id <= ?"
)

func BenchmarkSelectRow(b *testing.B) {
	b.Run("database-sql/prepared", func(b *testing.B) {
		pool, ctx := peerMemory(b), cancellable(b)
		st, err := pool.Prepare(selectOne)
		require.NoError(b, err)
		defer st.Close()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			var v string
			if err := st.QueryRowContext(ctx, i%1000+1).Scan(&v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("database-sql/unprepared", func(b *testing.B) {
		pool, ctx := peerMemory(b), cancellable(b)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			var v string
			if err := pool.QueryRowContext(ctx, selectOne, i%1000+1).Scan(&v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("repaint", func(b *testing.B) {
		e, ctx := ours(b, "sqlite://"), cancellable(b)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			var v string
			if err := e.QueryRow(ctx, "select value from items where id = :id", db.Named("id", i%1000+1)).Scan(&v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkInsertReturning(b *testing.B) {
	b.Run("database-sql/prepared", func(b *testing.B) {
		pool, ctx := peerMemory(b), cancellable(b)
		st, err := pool.Prepare(insertOne)
		require.NoError(b, err)
		defer st.Close()
		b.ReportAllocs()
		for b.Loop() {
			var id int64
			if err := st.QueryRowContext(ctx, "value").Scan(&id); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("database-sql/unprepared", func(b *testing.B) {
		pool, ctx := peerMemory(b), cancellable(b)
		b.ReportAllocs()
		for b.Loop() {
			var id int64
			if err := pool.QueryRowContext(ctx, insertOne, "value").Scan(&id); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("repaint", func(b *testing.B) {
		e, ctx := ours(b, "sqlite://"), cancellable(b)
		b.ReportAllocs()
		for b.Loop() {
			var id int64
			if err := e.QueryRow(ctx, "insert into items(value) values (:v) returning id", db.Named("v", "value")).Scan(&id); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSelect1000Rows(b *testing.B) {
	b.Run("database-sql/prepared", func(b *testing.B) {
		pool, ctx := peerMemory(b), cancellable(b)
		st, err := pool.Prepare(selectMany)
		require.NoError(b, err)
		defer st.Close()
		b.ReportAllocs()
		for b.Loop() {
			rows, err := st.QueryContext(ctx, 1000)
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for rows.Next() {
				var id int64
				var value string
				var score float64
				if err := rows.Scan(&id, &value, &score); err != nil {
					b.Fatal(err)
				}
				n++
			}
			if rows.Close(); n != 1000 {
				b.Fatal(n)
			}
		}
	})
	b.Run("repaint", func(b *testing.B) {
		e, ctx := ours(b, "sqlite://"), cancellable(b)
		b.ReportAllocs()
		for b.Loop() {
			rows, err := e.Query(ctx, "select id, value, score from items where id <= :id", db.Named("id", 1000))
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for rows.Next() {
				var id int64
				var value string
				var score float64
				if err := rows.Scan(&id, &value, &score); err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != 1000 {
				b.Fatal(n)
			}
		}
	})
}

func BenchmarkTransaction(b *testing.B) {
	b.Run("database-sql/prepared", func(b *testing.B) {
		pool, ctx := peerMemory(b), cancellable(b)
		st, err := pool.Prepare("update items set score = score + 1 where id = ?")
		require.NoError(b, err)
		defer st.Close()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			tx, err := pool.BeginTx(ctx, nil)
			if err != nil {
				b.Fatal(err)
			}
			if _, err = tx.StmtContext(ctx, st).ExecContext(ctx, i%1000+1); err != nil {
				b.Fatal(err)
			}
			if err := tx.Commit(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("repaint", func(b *testing.B) {
		e, ctx := ours(b, "sqlite://"), cancellable(b)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := e.Begin(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "update items set score = score + 1 where id = :id", db.Named("id", i%1000+1))
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// At256 measures 256 callers at once: goroutines on database/sql, goroutines on
// repaint, and tasks of one loop on repaint.
func BenchmarkAt256(b *testing.B) {
	const callers = 256
	goroutines := func(b *testing.B, op func(ctx context.Context, i int) error) {
		ctx := cancellable(b)
		var next atomic.Int64
		var wg sync.WaitGroup
		b.ResetTimer()
		for range callers {
			wg.Go(func() {
				for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
					if err := op(ctx, i); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	tasks := func(b *testing.B, op func(ctx context.Context, i int) error) {
		next := 0
		require.NoError(b, repaint.Run(cancellable(b), func(ctx context.Context) error {
			fns := make([]func(context.Context) (int, error), callers)
			for k := range fns {
				fns[k] = func(ctx context.Context) (int, error) {
					for next < b.N {
						next++
						if err := op(ctx, next); err != nil {
							return 0, err
						}
					}
					return 0, nil
				}
			}
			b.ResetTimer()
			_, err := repaint.Gather(ctx, fns...)
			return err
		}))
	}
	for _, w := range []struct {
		name       string
		peer, ours func(b *testing.B, db *sql.DB, e *db.Engine) func(ctx context.Context, i int) error
	}{
		{"read", func(b *testing.B, pool *sql.DB, _ *db.Engine) func(context.Context, int) error {
			st, err := pool.Prepare(selectOne)
			require.NoError(b, err)
			b.Cleanup(func() { st.Close() })
			return func(ctx context.Context, i int) error {
				var v string
				return st.QueryRowContext(ctx, i%1000+1).Scan(&v)
			}
		}, func(b *testing.B, _ *sql.DB, e *db.Engine) func(context.Context, int) error {
			return func(ctx context.Context, i int) error {
				var v string
				return e.QueryRow(ctx, "select value from items where id = :id", db.Named("id", i%1000+1)).Scan(&v)
			}
		}},
		{"write", func(b *testing.B, pool *sql.DB, _ *db.Engine) func(context.Context, int) error {
			st, err := pool.Prepare(insertOne)
			require.NoError(b, err)
			b.Cleanup(func() { st.Close() })
			return func(ctx context.Context, i int) error {
				var id int64
				return st.QueryRowContext(ctx, "value").Scan(&id)
			}
		}, func(b *testing.B, _ *sql.DB, e *db.Engine) func(context.Context, int) error {
			return func(ctx context.Context, i int) error {
				var id int64
				return e.QueryRow(ctx, "insert into items(value) values (:v) returning id", db.Named("v", "value")).Scan(&id)
			}
		}},
	} {
		for _, where := range []string{"file", "memory"} {
			b.Run(w.name+"/"+where, func(b *testing.B) {
				open := func(b *testing.B) *db.Engine {
					if where == "file" {
						return ours(b, dbtest.File(b))
					}
					return ours(b, "sqlite://")
				}
				openPeer := func(b *testing.B, conns int) *sql.DB {
					pool := peerFile
					if where == "memory" {
						pool = peerMemory
					}
					p := pool(b)
					p.SetMaxOpenConns(conns)
					p.SetMaxIdleConns(conns)
					return p
				}
				for _, conns := range []int{1, 4} {
					if conns > 1 && where == "memory" && w.name == "write" {
						continue // SQLITE_BUSY, which memdb doesn't wait for
					}
					b.Run(fmt.Sprintf("database-sql/goroutines/conns=%d", conns), func(b *testing.B) {
						b.ReportAllocs()
						goroutines(b, w.peer(b, openPeer(b, conns), nil))
					})
				}
				b.Run("repaint/goroutines", func(b *testing.B) {
					b.ReportAllocs()
					goroutines(b, w.ours(b, nil, open(b)))
				})
				b.Run("repaint/tasks", func(b *testing.B) {
					b.ReportAllocs()
					tasks(b, w.ours(b, nil, open(b)))
				})
			})
		}
	}
}
