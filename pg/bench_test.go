package pg

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/cputime"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// pointSelect is the statement of the benchmarks: it reads a row by its key.
const pointSelect = "select id, number from world where id = $1"

type rower interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func selectPoint(ctx context.Context, db rower, i int) error {
	var id, number int
	if err := db.QueryRow(ctx, pointSelect, 1+i%10_000).Scan(&id, &number); err != nil {
		return err
	}
	if id != 1+i%10_000 {
		return fmt.Errorf("asked for %d, got %d", 1+i%10_000, id)
	}
	return nil
}

// worldDatabase is a server with a table of 10,000 rows.
func worldDatabase(b *testing.B) testserver.Target {
	target := testserver.Postgres(b).Database(b)
	target.MustQuery(b, "create table world (id int primary key, number int); "+
		"insert into world select i, i * 7 from generate_series(1, 10000) i; analyze world")
	return target
}

// measure runs the workload b.N times by n callers, and reports the CPU time of the client for
// each.
func measure(b *testing.B, inLoop bool, n int, fn func(ctx context.Context, i int) error) {
	b.Helper()
	ctx := context.Background()
	require.NoError(b, fn(ctx, 0))
	var next atomic.Int64
	caller := func(ctx context.Context) error {
		for {
			i := int(next.Add(1))
			if i > b.N {
				return nil
			}
			if err := fn(ctx, i); err != nil {
				return err
			}
		}
	}
	b.ResetTimer()
	before := cputime.Process()
	if inLoop {
		require.NoError(b, repaint.Run(ctx, func(ctx context.Context) error {
			g := repaint.NewGroup(ctx)
			for range n {
				g.Go(caller)
			}
			return g.Wait()
		}))
	} else {
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				if err := caller(ctx); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
	b.StopTimer()
	b.ReportMetric(float64(cputime.Process()-before)/float64(b.N), "cpu-ns/op")
}

// handful is a pool of pgx connections in a channel.
type handful chan *pgx.Conn

func newHandful(b *testing.B, url string, n int) handful {
	h := make(handful, n)
	for range n {
		c, err := pgx.Connect(context.Background(), url)
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, c.Close(context.Background())) })
		h <- c
	}
	return h
}

func (h handful) point(ctx context.Context, i int) error {
	c := <-h
	defer func() { h <- c }()
	return selectPoint(ctx, c, i)
}

func BenchmarkPointSelect(b *testing.B) {
	target := worldDatabase(b)
	for _, where := range []struct{ name, url string }{{"tcp", target.URL()}, {"unix", target.SocketURL()}} {
		b.Run(where.name, func(b *testing.B) {
			for _, callers := range []int{1, 32, 256} {
				b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
					benchmarkPoint(b, where.url, callers)
				})
			}
		})
	}
}

func benchmarkPoint(b *testing.B, url string, callers int) {
	if callers == 1 {
		b.Run("pgx.Conn", func(b *testing.B) {
			c := <-newHandful(b, url, 1)
			measure(b, false, 1, func(ctx context.Context, i int) error { return selectPoint(ctx, c, i) })
		})
	} else {
		for _, n := range []int{4, 16} {
			b.Run(fmt.Sprint("pgx.Conn×", n), func(b *testing.B) {
				measure(b, false, callers, newHandful(b, url, n).point)
			})
		}
	}
	for _, lanes := range []int{4, 16} {
		if callers == 1 && lanes > 4 {
			continue
		}
		options := fmt.Sprint("&pool_lanes=", lanes)
		b.Run(fmt.Sprint("goroutines,lanes=", lanes), func(b *testing.B) {
			db := openAt(b, url+options)
			measure(b, false, callers, func(ctx context.Context, i int) error { return selectPoint(ctx, db, i) })
			reportWrites(b, db)
		})
		b.Run(fmt.Sprint("loop,lanes=", lanes), func(b *testing.B) {
			db := openAt(b, url+options)
			measure(b, true, callers, func(ctx context.Context, i int) error { return selectPoint(ctx, db, i) })
			reportWrites(b, db)
		})
	}
}

// reportWrites reports how many statements share a write.
func reportWrites(b *testing.B, db *DB) {
	st := db.Stats()
	b.ReportMetric(float64(st.Statements)/float64(st.Writes), "statements/write")
}

// BenchmarkManyRows reads 10,000 rows of two numbers in one statement.
func BenchmarkManyRows(b *testing.B) {
	target := worldDatabase(b)
	read := func(ctx context.Context, db interface {
		Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	}) error {
		rows, err := db.Query(ctx, "select id, number from world")
		if err != nil {
			return err
		}
		var id, number, n int
		_, err = pgx.ForEachRow(rows, []any{&id, &number}, func() error { n++; return nil })
		if err == nil && n != 10_000 {
			err = fmt.Errorf("%d rows", n)
		}
		return err
	}
	b.Run("pgx.Conn", func(b *testing.B) {
		c := <-newHandful(b, target.URL(), 1)
		measure(b, false, 1, func(ctx context.Context, _ int) error { return read(ctx, c) })
	})
	b.Run("goroutine", func(b *testing.B) {
		db := openAt(b, target.URL())
		measure(b, false, 1, func(ctx context.Context, _ int) error { return read(ctx, db) })
	})
	b.Run("loop", func(b *testing.B) {
		db := openAt(b, target.URL())
		measure(b, true, 1, func(ctx context.Context, _ int) error { return read(ctx, db) })
	})
	for _, inLoop := range []bool{false, true} {
		b.Run(fmt.Sprintf("stream,loop=%v", inLoop), func(b *testing.B) {
			s, err := openAt(b, target.URL()).Acquire(context.Background())
			require.NoError(b, err)
			defer s.Release()
			measure(b, inLoop, 1, func(ctx context.Context, _ int) error { return read(ctx, streamed{s}) })
		})
	}
}

// streamed queries by streaming.
type streamed struct{ *Session }

func (s streamed) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return s.Stream(ctx, sql, args...)
}

// BenchmarkRoundTrip is the point select by 256 callers with a millisecond of round trip to the
// server.
func BenchmarkRoundTrip(b *testing.B) {
	target := worldDatabase(b)
	proxy := faultproxy.New(b, target.Addr())
	proxy.Delay(500*time.Microsecond, 500*time.Microsecond)
	target.Host, target.Port = proxy.Host(), proxy.Port()
	b.Run("pgx.Conn×16", func(b *testing.B) { measure(b, false, 256, newHandful(b, target.URL(), 16).point) })
	for _, inLoop := range []bool{false, true} {
		b.Run(fmt.Sprintf("lanes=16,loop=%v", inLoop), func(b *testing.B) {
			db := openAt(b, target.URL()+"&pool_lanes=16")
			measure(b, inLoop, 256, func(ctx context.Context, i int) error { return selectPoint(ctx, db, i) })
			b.ReportMetric(float64(db.Stats().Lanes), "lanes")
			b.ReportMetric(float64(db.Stats().Depth), "depth")
		})
	}
}

// BenchmarkOneInAThousandIsSlow is the point select by 256 callers. One call in a thousand takes 50
// ms.
func BenchmarkOneInAThousandIsSlow(b *testing.B) {
	target := worldDatabase(b)
	mixed := func(ctx context.Context, db rower, i int) error {
		if i%1000 == 999 {
			return db.QueryRow(ctx, "select 1 from pg_sleep(0.05)").Scan(new(int))
		}
		return selectPoint(ctx, db, i)
	}
	b.Run("pgx.Conn×16", func(b *testing.B) {
		h := newHandful(b, target.URL(), 16)
		measure(b, false, 256, func(ctx context.Context, i int) error {
			c := <-h
			defer func() { h <- c }()
			return mixed(ctx, c, i)
		})
	})
	for _, inLoop := range []bool{false, true} {
		b.Run(fmt.Sprintf("lanes=16,loop=%v", inLoop), func(b *testing.B) {
			db := openAt(b, target.URL()+"&pool_lanes=16")
			measure(b, inLoop, 256, func(ctx context.Context, i int) error { return mixed(ctx, db, i) })
			b.ReportMetric(float64(db.Stats().Lanes), "lanes")
		})
	}
}

// BenchmarkTransaction is a transaction of three statements, of which one changes a row.
func BenchmarkTransaction(b *testing.B) {
	target := worldDatabase(b)
	for _, callers := range []int{1, 32, 256} {
		for _, inLoop := range []bool{false, true} {
			b.Run(fmt.Sprintf("callers=%d/loop=%v", callers, inLoop), func(b *testing.B) {
				db := openAt(b, target.SocketURL())
				b.ReportAllocs()
				measure(b, inLoop, callers, func(ctx context.Context, i int) error {
					return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
						if err := selectPoint(ctx, tx, i); err != nil {
							return err
						}
						if _, err := tx.Exec(ctx, "update world set number = number + 1 where id = $1", 1+i%10_000); err != nil {
							return err
						}
						return selectPoint(ctx, tx, i)
					})
				})
			})
		}
	}
}

// BenchmarkSession is a point select in a session that is acquired for it. It shows the cost of
// Acquire and Release.
func BenchmarkSession(b *testing.B) {
	target := worldDatabase(b)
	for _, inLoop := range []bool{false, true} {
		b.Run(fmt.Sprint("loop=", inLoop), func(b *testing.B) {
			db := openAt(b, target.SocketURL())
			b.ReportAllocs()
			measure(b, inLoop, 1, func(ctx context.Context, i int) error {
				s, err := db.Acquire(ctx)
				if err != nil {
					return err
				}
				defer s.Release()
				return selectPoint(ctx, s, i)
			})
		})
	}
}

// BenchmarkOnePerConnection is the point select without lanes.
func BenchmarkOnePerConnection(b *testing.B) {
	db := openAt(b, worldDatabase(b).SocketURL()+"&pipeline=off")
	b.ReportAllocs()
	measure(b, false, 1, func(ctx context.Context, i int) error { return selectPoint(ctx, db, i) })
}
