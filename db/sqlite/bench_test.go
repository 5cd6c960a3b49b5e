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

// Every workload runs on repaint and, beside it, on database/sql with the same driver and settings:
// once with prepared statements, and once as most programs write them. Contexts can be cancelled,
// like those of a server's requests.
//
//	Benchmark<Workload>/<database>/<side>          one caller
//	BenchmarkAt256/<workload>/<database>/<side>    256 callers at once

// op does the i-th piece of the workload.
type op func(ctx context.Context, i int) error

// side is a way to do a workload.
type side struct {
	name string
	make func(b *testing.B, where string, conns int) op
}

// workload is written twice: for database/sql and for repaint.
type workload struct {
	name string
	// text has ? for database/sql, which may prepare it.
	text string
	peer func(pool *sql.DB, do *sql.Stmt) op
	raw  func(pool *sql.DB, text string) op
	ours func(e *db.Engine) op
}

func (w workload) sides() []side {
	sides := []side{
		{"database-sql/prepared", func(b *testing.B, where string, conns int) op {
			pool := peer(b, where, conns)
			st, err := pool.Prepare(w.text)
			require.NoError(b, err)
			b.Cleanup(func() { st.Close() })
			return w.peer(pool, st)
		}},
		{"repaint", func(b *testing.B, where string, _ int) op { return w.ours(engine(b, where)) }},
	}
	if w.raw != nil {
		sides = append(sides, side{"database-sql/unprepared", func(b *testing.B, where string, conns int) op {
			return w.raw(peer(b, where, conns), w.text)
		}})
	}
	return sides
}

var selectRow = workload{
	name: "read", text: "select value from items where id = ?",
	peer: func(_ *sql.DB, st *sql.Stmt) op {
		return func(ctx context.Context, i int) error {
			var v string
			return st.QueryRowContext(ctx, i%1000+1).Scan(&v)
		}
	},
	raw: func(pool *sql.DB, text string) op {
		return func(ctx context.Context, i int) error {
			var v string
			return pool.QueryRowContext(ctx, text, i%1000+1).Scan(&v)
		}
	},
	ours: func(e *db.Engine) op {
		return func(ctx context.Context, i int) error {
			var v string
			return e.QueryRow(ctx, "select value from items where id = :id", db.Named("id", i%1000+1)).Scan(&v)
		}
	},
}

var insertReturning = workload{
	name: "write", text: "insert into items(value) values (?) returning id",
	peer: func(_ *sql.DB, st *sql.Stmt) op {
		return func(ctx context.Context, i int) error {
			var id int64
			return st.QueryRowContext(ctx, "value").Scan(&id)
		}
	},
	raw: func(pool *sql.DB, text string) op {
		return func(ctx context.Context, i int) error {
			var id int64
			return pool.QueryRowContext(ctx, text, "value").Scan(&id)
		}
	},
	ours: func(e *db.Engine) op {
		return func(ctx context.Context, i int) error {
			var id int64
			return e.QueryRow(ctx, "insert into items(value) values (:v) returning id", db.Named("v", "value")).Scan(&id)
		}
	},
}

// rows is what the results of both have in common.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}

func read1000(r rows, err error) error {
	if err != nil {
		return err
	}
	defer r.Close()
	n := 0
	for ; r.Next(); n++ {
		var id int64
		var value string
		var score float64
		if err := r.Scan(&id, &value, &score); err != nil {
			return err
		}
	}
	if n != 1000 {
		return fmt.Errorf("%d rows", n)
	}
	return r.Err()
}

var select1000 = workload{
	name: "1000 rows", text: "select id, value, score from items where id <= ?",
	peer: func(_ *sql.DB, st *sql.Stmt) op {
		return func(ctx context.Context, i int) error { return read1000(st.QueryContext(ctx, 1000)) }
	},
	ours: func(e *db.Engine) op {
		return func(ctx context.Context, i int) error {
			return read1000(e.Query(ctx, "select id, value, score from items where id <= :id", db.Named("id", 1000)))
		}
	},
}

var transaction = workload{
	name: "transaction", text: "update items set score = score + 1 where id = ?",
	peer: func(pool *sql.DB, st *sql.Stmt) op {
		return func(ctx context.Context, i int) error {
			tx, err := pool.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if _, err = tx.StmtContext(ctx, st).ExecContext(ctx, i%1000+1); err != nil {
				return err
			}
			return tx.Commit()
		}
	},
	ours: func(e *db.Engine) op {
		return func(ctx context.Context, i int) error {
			return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "update items set score = score + 1 where id = :id", db.Named("id", i%1000+1))
				return err
			})
		}
	},
}

const benchItems = "create table items(id integer primary key, value text not null, score real)"

// peer opens database/sql with the settings of package sqlite.
func peer(b *testing.B, where string, conns int) *sql.DB {
	name := fmt.Sprintf("file:/bench-%p?vfs=memdb&_pragma=foreign_keys(1)", b)
	if where == "file" {
		name = "file:" + filepath.ToSlash(b.TempDir()) + "/peer.db?_pragma=busy_timeout(60000)&_pragma=foreign_keys(1)" +
			"&_pragma=journal_mode(wal)&_pragma=synchronous(off)&_txlock=immediate"
	}
	pool, err := sql.Open("sqlite", name)
	require.NoError(b, err)
	b.Cleanup(func() { pool.Close() })
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	_, err = pool.Exec(benchItems)
	require.NoError(b, err)
	for i := range 1000 {
		_, err = pool.Exec("insert into items(value, score) values (?, ?)", fmt.Sprint("value ", i), float64(i))
		require.NoError(b, err)
	}
	return pool
}

func engine(b *testing.B, where string) *db.Engine {
	ctx := context.Background()
	url := "sqlite://"
	if where == "file" {
		url = dbtest.File(b)
	}
	e := dbtest.Open(b, ctx, url)
	dbtest.Exec(b, ctx, e, benchItems)
	for i := range 1000 {
		_, err := e.Exec(ctx, "insert into items(value, score) values (:v, :s)", db.Named("v", fmt.Sprint("value ", i)), db.Named("s", float64(i)))
		require.NoError(b, err)
	}
	return e
}

func cancellable(b *testing.B) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	return ctx
}

func alone(b *testing.B, w workload) {
	for _, where := range []string{"memory", "file"} {
		for _, s := range w.sides() {
			b.Run(where+"/"+s.name, func(b *testing.B) {
				do, ctx := s.make(b, where, 1), cancellable(b)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if err := do(ctx, i); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkSelectRow(b *testing.B)       { alone(b, selectRow) }
func BenchmarkInsertReturning(b *testing.B) { alone(b, insertReturning) }
func BenchmarkSelect1000Rows(b *testing.B)  { alone(b, select1000) }
func BenchmarkTransaction(b *testing.B)     { alone(b, transaction) }

const callers = 256

// goroutines does b.N pieces of work in 256 goroutines.
func goroutines(b *testing.B, do op) {
	ctx := cancellable(b)
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

// tasks does b.N pieces of work in 256 tasks of one loop.
func tasks(b *testing.B, do op) {
	next := 0
	require.NoError(b, repaint.Run(cancellable(b), func(ctx context.Context) error {
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

func BenchmarkAt256(b *testing.B) {
	for _, w := range []workload{selectRow, insertReturning, transaction} {
		for _, where := range []string{"memory", "file"} {
			b.Run(w.name+"/"+where, func(b *testing.B) {
				for _, s := range w.sides()[:2] {
					if s.name == "repaint" {
						b.Run("repaint/goroutines", func(b *testing.B) { goroutines(b, s.make(b, where, 0)) })
						b.Run("repaint/tasks", func(b *testing.B) { tasks(b, s.make(b, where, 0)) })
						continue
					}
					for _, conns := range []int{1, 4} {
						if conns > 1 && where == "memory" && w.name != "read" {
							continue // it fails with "database is locked": SQLite doesn't wait for locks in memory
						}
						b.Run(fmt.Sprintf("%s/conns=%d", s.name, conns), func(b *testing.B) { goroutines(b, s.make(b, where, conns)) })
					}
				}
			})
		}
	}
}
