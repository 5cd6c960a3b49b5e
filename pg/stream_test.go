package pg

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/faultproxy"
)

// A streamer can stream.
type streamer interface {
	Stream(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// everyStreamer calls fn with a DB, a session and a transaction.
func everyStreamer(t *testing.T, ctx context.Context, db *DB, fn func(name string, s streamer)) {
	fn("db", db)
	s, err := db.Acquire(ctx)
	require.NoError(t, err)
	fn("session", s)
	s.Release()
	tx, err := db.Begin(ctx)
	require.NoError(t, err)
	fn("tx", tx.(*Tx))
	require.NoError(t, tx.Rollback(ctx))
}

func TestStreamReadsEverythingInOrder(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		everyStreamer(t, ctx, db, func(name string, s streamer) {
			for _, n := range []int{0, 1, 2, 1000, 20_000} {
				rows, err := s.Stream(ctx, "select i, repeat('x', i % 100), nullif(i, 7) from generate_series(1, $1::int) i", n)
				require.NoError(t, err)
				var i, got int
				var text string
				var maybe *int
				tag, err := pgx.ForEachRow(rows, []any{&i, &text, &maybe}, func() error {
					got++
					if i != got || len(text) != i%100 || (maybe == nil) != (i == 7) {
						return fmt.Errorf("row %d: %d %q", got, i, text)
					}
					return nil
				})
				require.NoError(t, err, name)
				require.Equal(t, n, got)
				require.Equal(t, fmt.Sprint("SELECT ", n), tag.String())
			}
		})
	})
}

func TestStreamWithTheSimpleProtocolAndLargeRows(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		rows, err := db.Stream(ctx, "select repeat(i::text, 200000) from generate_series(1, 9) i", pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err)
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.Len(t, texts, 9)
		for i, text := range texts {
			require.Equal(t, strings.Repeat(fmt.Sprint(i+1), 200000), text)
		}
	})
}

// The rows are read while the statement still runs: the last of them waits for a lock.
func TestStreamGivesRowsAsTheyCome(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "")
		unlock := lock(t, ctx, target)
		// The filler fills the server's buffer, which it sends only when it is full.
		rows, err := db.Stream(ctx, `select i, repeat('x', 10000) from generate_series(1, 2) i
			union all select 3, pg_advisory_xact_lock(7)::text`)
		require.NoError(t, err)
		require.True(t, rows.Next())
		unlock()
		n := 1
		for rows.Next() {
			n++
		}
		require.NoError(t, rows.Err())
		require.Equal(t, 3, n)
	})
}

// While the caller doesn't read, neither the driver nor the proxy's other side takes more than a
// bounded number of bytes.
func TestStreamHoldsTheServerBack(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _, _ := proxied(t, "&pool_sessions=1")
		const size = 20 << 20
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		rows, err := db.Stream(ctx, "select repeat('x', 1000) from generate_series(1, $1::int)", size/1000)
		require.NoError(t, err)
		st := rows.(*Rows).stream
		require.True(t, rows.Next())
		if c.loop { // in a goroutine the driver doesn't read ahead
			// It may have been full before the first row was taken; then the reader waits until
			// half of it is free.
			until(t, ctx, "the window to be half full", func() bool { return st.tooMuch(streamWindow / 2) })
		}
		n := 1
		for rows.Next() {
			n++
			st.mu.Lock()
			require.LessOrEqual(t, st.size, streamWindow+2*readBuffer)
			st.mu.Unlock()
		}
		require.NoError(t, rows.Err())
		require.Equal(t, size/1000, n)
		runtime.ReadMemStats(&after)
		if !c.loop { // where nothing of the test's own allocates
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2*size+size/4), "the rows lie in pieces that are used again (the proxy copies each byte once)")
		}
	})
}

// Leaving early cancels the statement, and the session is used again.
func TestStreamThatIsLeftIsCancelled(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		for range 5 {
			rows, err := db.Stream(ctx, "select generate_series(1, 1000000000)")
			require.NoError(t, err)
			for range 10 {
				require.True(t, rows.Next())
			}
			rows.Close()
			require.NoError(t, rows.Err())
			require.False(t, rows.Next())
		}
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		rows, err := s.Stream(ctx, "select generate_series(1, 1000000000)")
		require.NoError(t, err)
		require.True(t, rows.Next())
		rows.Close()
		var got int
		require.NoError(t, s.QueryRow(ctx, "select 42").Scan(&got))
		require.Equal(t, 42, got)
		require.EqualValues(t, 1, db.Stats().SessionOpens, "no connection was replaced")
	})
}

// In a transaction a cancel would end more than the stream.
func TestStreamThatIsLeftDoesNotEndItsTransaction(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		_, err := db.Exec(ctx, "create table t (id int)")
		require.NoError(t, err)
		for i, begin := range []string{"", "insert into t values (1)"} {
			tx, err := db.Begin(ctx)
			require.NoError(t, err)
			if begin != "" {
				_, err = tx.Exec(ctx, begin)
				require.NoError(t, err)
			}
			rows, err := tx.(*Tx).Stream(ctx, "select i from generate_series(1, 100000) i")
			require.NoError(t, err)
			require.True(t, rows.Next())
			rows.Close()
			_, err = tx.Exec(ctx, "insert into t values (2)")
			require.NoError(t, err)
			require.NoError(t, tx.Commit(ctx))
			require.Equal(t, []int{1, 3}[i], count(t, ctx, db, "t"))
		}
	})
}

func TestStreamOccupiesItsSession(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		rows, err := tx.(*Tx).Stream(ctx, "select 1")
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "select 2")
		require.ErrorIs(t, err, ErrInUse)
		_, err = tx.(*Tx).Stream(ctx, "select 2")
		require.ErrorIs(t, err, ErrInUse)
		require.ErrorIs(t, tx.SendBatch(ctx, batchOf("select 2")).Close(), ErrInUse)
		require.ErrorIs(t, tx.Commit(ctx), ErrInUse)
		require.True(t, rows.Next())
		require.False(t, rows.Next())
		require.NoError(t, rows.Err())
		_, err = tx.Exec(ctx, "select 2")
		require.NoError(t, err)

		rows, err = tx.(*Tx).Stream(ctx, "select i from generate_series(1, 100000) i")
		require.NoError(t, err)
		require.NoError(t, tx.Rollback(ctx))
		for rows.Next() { // the rows that were at hand
		}
		require.ErrorIs(t, rows.Err(), ErrClosed)

		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		rows, err = s.Stream(ctx, "select generate_series(1, 100000000)")
		require.NoError(t, err)
		s.Release()
		for rows.Next() {
		}
		require.ErrorIs(t, rows.Err(), ErrClosed)
		_, err = s.Stream(ctx, "select 1")
		require.ErrorIs(t, err, ErrClosed)
		rows, err = db.Stream(ctx, "select 1")
		require.NoError(t, err)
		rows.Close()
	})
}

func batchOf(sql ...string) *pgx.Batch {
	b := new(pgx.Batch)
	for _, text := range sql {
		b.Queue(text)
	}
	return b
}

func TestStreamErrors(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		var pgErr *pgconn.PgError
		everyStreamer(t, ctx, db, func(name string, s streamer) {
			// Before the first row it is Stream's error, afterwards that of the rows.
			rows, err := s.Stream(ctx, "select 10 / (i - 20000) from generate_series(1, 30000) i")
			require.NoError(t, err, name)
			n := 0
			for rows.Next() {
				n++
			}
			require.Equal(t, 19999, n)
			require.ErrorAs(t, rows.Err(), &pgErr)
			require.Equal(t, "22012", pgErr.Code)
			if name == "tx" {
				return
			}
			rows, err = s.Stream(ctx, "select 1 / $1::int", 0)
			require.ErrorAs(t, err, &pgErr)
			require.Equal(t, "22012", pgErr.Code)
			require.False(t, rows.Next())
			require.ErrorIs(t, err, rows.Err())
			_, err = s.Stream(ctx, "selec 1")
			require.ErrorAs(t, err, &pgErr)
			require.Equal(t, "42601", pgErr.Code)
			// A value that can't be read closes the rows.
			rows, err = s.Stream(ctx, "select 'x' from generate_series(1, 100000)")
			require.NoError(t, err)
			require.True(t, rows.Next())
			require.Error(t, rows.Scan(new(int)))
			require.False(t, rows.Next())
		})
		require.EqualValues(t, 1, db.Stats().SessionOpens)
	})
}

func TestStreamWhoseContextEnds(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		defer lock(t, ctx, target)()
		// Before a row has come, and between rows.
		for _, sql := range []string{waitSQL, "select i, repeat('x', 10000) from generate_series(1, 2) i union all select 3, pg_advisory_xact_lock(7)::text"} {
			mine, cancel := context.WithCancel(ctx)
			wait := c.start(ctx, func(context.Context) error {
				rows, err := db.Stream(mine, sql)
				for err == nil && rows.Next() {
				}
				return errors.Join(err, rows.Err())
			})
			running(t, ctx, target, "pg_advisory_xact_lock(7)")
			cancel()
			require.ErrorIs(t, wait(), context.Canceled)
		}
		rows, err := db.Stream(ctx, "select 1")
		require.NoError(t, err)
		rows.Close()
		require.EqualValues(t, 1, db.Stats().SessionOpens)
	})
}

// Streams of stale plans are repeated, if no row has come.
func TestStreamOfAStalePlan(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		target.MustQuery(t, "create table t (a int); insert into t values (1)")
		for i := range 3 {
			for _, s := range []func() (pgx.Rows, error){
				func() (pgx.Rows, error) { return db.Stream(ctx, "select * from t") },
				func() (pgx.Rows, error) {
					tx, err := db.Begin(ctx)
					require.NoError(t, err)
					t.Cleanup(func() {})
					rows, err := tx.(*Tx).Stream(ctx, "select * from t")
					if err == nil {
						_, err = pgx.CollectRows(rows, pgx.RowToMap)
						require.NoError(t, err)
					}
					require.NoError(t, tx.Commit(ctx))
					return rows, err
				},
			} {
				rows, err := s()
				require.NoError(t, err)
				require.Len(t, rows.FieldDescriptions(), 1+i)
				rows.Close()
			}
			target.MustQuery(t, fmt.Sprintf("alter table t add column b%d int", i))
		}
	})
}

func TestStreamOfALostConnection(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, _ := proxied(t, "&pool_sessions=1")
		proxy.CutAfter(faultproxy.ToClient, 300_000)
		rows, err := db.Stream(ctx, "select i from generate_series(1, 1000000) i")
		require.NoError(t, err)
		n := 0
		for rows.Next() {
			n++
		}
		require.ErrorIs(t, rows.Err(), ErrConnLost)
		require.NotZero(t, n)
		rows, err = db.Stream(ctx, "select 1")
		require.NoError(t, err)
		rows.Close()
	})
}

// Close of the DB doesn't wait forever for rows that the caller doesn't read.
func TestCloseWithAnOpenStream(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		rows, err := db.Stream(ctx, "select repeat('x', 1000), generate_series(1, 10000000)")
		require.NoError(t, err)
		st := rows.(*Rows).stream
		if c.loop {
			// It may have been full before the first row was taken; then the reader waits until
			// half of it is free.
			until(t, ctx, "the window to be half full", func() bool { return st.tooMuch(streamWindow / 2) })
		}
		now, cancel := context.WithCancel(ctx)
		cancel()
		require.ErrorIs(t, db.Close(now), context.Canceled)
		for rows.Next() {
		}
		require.ErrorIs(t, rows.Err(), ErrClosed)
	})
}

func TestResultLimit(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1&result_limit=100000")
		big := "select repeat('x', 1000) from generate_series(1, $1::int)"
		rows, err := db.Query(ctx, big, 90)
		require.NoError(t, err)
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.Len(t, texts, 90)
		errs := c.together(ctx, 10, func(ctx context.Context, i int) error {
			if i%2 == 0 {
				var got int
				if err := db.QueryRow(ctx, "select $1::int", i).Scan(&got); err != nil || got != i {
					return fmt.Errorf("%d, not %d: %w", got, i, err)
				}
				return nil
			}
			rows, err := db.Query(ctx, big, 200)
			if rows.Next() {
				return errors.New("there are rows")
			}
			return err
		})
		for i, err := range errs {
			if i%2 == 0 {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, ErrResultTooLarge)
			require.ErrorContains(t, err, "Stream")
		}
		b := batchOf("select repeat('x', 60000)", "select repeat('x', 60000)")
		require.ErrorIs(t, db.SendBatch(ctx, b).Close(), ErrResultTooLarge)
		_, err = db.Exec(ctx, big, 200) // whose rows no caller wants
		require.NoError(t, err)
		rows, err = db.Stream(ctx, big, 200)
		require.NoError(t, err)
		texts, err = pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.Len(t, texts, 200)
		require.EqualValues(t, 1, db.Stats().Connects)
	})
}
