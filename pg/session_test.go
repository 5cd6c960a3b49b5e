package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
)

// A session's leftovers are gone for the next owner, on the same connection.
func TestSessionIsCleanForTheNextOwner(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		var pid uint32
		for round := range 3 {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			if pid == 0 {
				pid = s.PID()
			}
			require.Equal(t, pid, s.PID())
			var path string
			require.NoError(t, s.QueryRow(ctx, "show search_path").Scan(&path))
			require.Equal(t, `"$user", public`, path)
			var locks, temps, prepared int
			require.NoError(t, s.QueryRow(ctx, "select count(*) from pg_locks where locktype = 'advisory'").Scan(&locks))
			require.NoError(t, s.QueryRow(ctx, "select count(*) from pg_class where relpersistence = 't'").Scan(&temps))
			require.NoError(t, s.QueryRow(ctx, "select count(*) from pg_prepared_statements where from_sql").Scan(&prepared))
			require.Zero(t, locks+temps+prepared)
			for _, sql := range [][]string{
				{"set search_path to pg_catalog", "create temp table mine (id int)", "prepare p as select 1", "begin", "select pg_advisory_lock(1)"},
				{"select set_config('search_path', 'pg_catalog', false)", "select pg_advisory_lock(1)"},
				{"begin", "create table lost (id int)", "select pg_advisory_lock(2)"},
			}[round] {
				_, err = s.Exec(ctx, sql)
				require.NoError(t, err, sql)
			}
			s.Release()
			s.Release()
			_, err = s.Exec(ctx, "select 1")
			require.ErrorIs(t, err, ErrClosed)
			require.ErrorIs(t, s.QueryRow(ctx, "select 1").Scan(new(int)), ErrClosed)
		}
		var n int
		require.NoError(t, db.QueryRow(ctx, "select count(*) from pg_class where relname = 'lost'").Scan(&n))
		require.Zero(t, n)
	})
}

func TestSessionsAreServedInOrder(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=2")
		var held []*Session
		for range 2 {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			held = append(held, s)
		}
		limited, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		_, err := db.Acquire(limited)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Zero(t, db.Stats().Waiting)

		order := make(chan int, 10)
		var waits []func() error
		for i := range 10 {
			waits = append(waits, c.start(ctx, func(ctx context.Context) error {
				s, err := db.Acquire(ctx)
				if err != nil {
					return err
				}
				order <- i
				s.Release()
				return nil
			}))
			until(t, ctx, "the waiter", func() bool { return db.Stats().Waiting == i+1 })
		}
		held[0].Release()
		for _, wait := range waits {
			require.NoError(t, wait())
		}
		for i := range 10 {
			require.Equal(t, i, <-order)
		}
		held[1].Release()
		require.Equal(t, 2, db.Stats().Sessions)
	})
}

// Waiting callers learn at once that there will be no connection.
func TestFailedConnectWakesTheWaiters(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		_, target := open(t, "")
		target.DBName = "nowhere"
		db := openAt(t, target.URL()+"&pool_sessions=1")
		for _, err := range c.together(ctx, 5, func(ctx context.Context, i int) error {
			_, err := db.Begin(ctx)
			return err
		}) {
			require.ErrorContains(t, err, "3D000")
		}
		for _, err := range c.together(ctx, 5, func(ctx context.Context, i int) error {
			_, err := db.Exec(ctx, "select 1")
			return err
		}) {
			require.ErrorContains(t, err, "3D000")
		}
	})
}

func TestSessionPipelinesItsUsers(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		_, err = s.Exec(ctx, "create temp table t (id int)")
		require.NoError(t, err)
		for _, err := range c.together(ctx, 50, func(ctx context.Context, i int) error {
			var got int
			if err := s.QueryRow(ctx, "insert into t values ($1) returning id", i).Scan(&got); err != nil || got != i {
				return fmt.Errorf("%d: %d %w", i, got, err)
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		require.Equal(t, 50, count(t, ctx, s, "t"))
		require.NoError(t, s.Ping(ctx))
		tx, err := s.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "delete from t")
		require.NoError(t, err)
		require.NoError(t, tx.Rollback(ctx))
		require.Equal(t, 50, count(t, ctx, s, "t"))
	})
}

func TestAsync(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		red := db.Async()
		_, err := repaint.Await(ctx, red.Exec(ctx, "create table t (id int)"))
		require.NoError(t, err)
		_, err = repaint.Await(ctx, red.Exec(ctx, "insert into t values ($1)", 1))
		require.NoError(t, err)
		rows, err := repaint.Await(ctx, red.Query(ctx, "select id from t"))
		require.NoError(t, err)
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int])
		require.NoError(t, err)
		require.Equal(t, []int{1}, ids)
		row, err := repaint.Await(ctx, red.QueryRow(ctx, "select id from t where id = $1", 2))
		require.NoError(t, err)
		require.ErrorIs(t, row.Scan(new(int)), pgx.ErrNoRows)
		_, err = repaint.Await(ctx, red.QueryRow(ctx, "select id/0 from t"))
		require.ErrorContains(t, err, "22012")
		b := new(pgx.Batch)
		b.Queue("insert into t values (2)")
		br, err := repaint.Await(ctx, red.SendBatch(ctx, b))
		require.NoError(t, err)
		require.NoError(t, br.Close())
		tx, err := repaint.Await(ctx, red.BeginTx(ctx, pgx.TxOptions{}))
		require.NoError(t, err)
		require.Equal(t, 2, count(t, ctx, tx, "t"))
		require.NoError(t, tx.Rollback(ctx))
		s, err := repaint.Await(ctx, red.Acquire(ctx))
		require.NoError(t, err)
		s.Release()
		_, err = repaint.Await(ctx, red.Ping(ctx))
		require.NoError(t, err)
		n, err := repaint.Await(ctx, red.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{3}, {4}})))
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		tag, err := repaint.Await(ctx, red.CopyFromReader(ctx, strings.NewReader("5\n"), "copy t from stdin"))
		require.NoError(t, err)
		require.EqualValues(t, 1, tag.RowsAffected())
		var out strings.Builder
		_, err = repaint.Await(ctx, red.CopyTo(ctx, &out, "copy (select id from t order by id) to stdout"))
		require.NoError(t, err)
		require.Equal(t, "1\n2\n3\n4\n5\n", out.String())
		_, err = repaint.Await(ctx, red.Exec(ctx, "create type mood as enum ('red', 'blue')"))
		require.NoError(t, err)
		_, err = repaint.Await(ctx, red.LoadTypes(ctx, "mood"))
		require.NoError(t, err)
		l, err := repaint.Await(ctx, red.Listen(ctx, "c"))
		require.NoError(t, err)
		l.Close()

		slow := red.Exec(ctx, "select pg_sleep(30)")
		until(t, ctx, "the statement", func() bool { return db.written() > 0 })
		enough := errors.New("enough")
		require.True(t, slow.Cancel(enough))
		_, err = repaint.Await(ctx, slow)
		require.ErrorIs(t, err, enough)
	})
}

// A lock that a transaction's statement or cursor takes for the session ends when the session is
// passed on.
func TestLocksOfATransactionThatOutliveItAreGivenBack(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		for i, take := range []func(tx *Tx) error{
			func(tx *Tx) error {
				_, err := tx.Exec(ctx, `select 1 where "pg_catalog" . pg_try_advisory_lock(1)`)
				return err
			},
			func(tx *Tx) error {
				cur, err := tx.Cursor(ctx, "select pg_advisory_lock(1)")
				require.NoError(t, err)
				rows, err := cur.Fetch(ctx, 1)
				if err == nil {
					rows.Close()
				}
				return err
			},
			func(tx *Tx) error {
				_, err := tx.Exec(ctx, "explain analyze select pg_advisory_lock($1)", 1)
				return err
			},
		} {
			tx, err := db.Begin(ctx)
			require.NoError(t, err)
			require.NoError(t, take(tx.(*Tx)), i)
			require.NoError(t, tx.Commit(ctx))
			other, err := db.Begin(ctx)
			require.NoError(t, err)
			var locks int
			require.NoError(t, other.QueryRow(ctx, "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())").Scan(&locks))
			require.Zero(t, locks, i)
			require.NoError(t, other.Rollback(ctx))
		}
	})
}
