package pg_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/repainttest"
)

// openExplored opens a database with a table of numbers.
func openExplored(t *testing.T) *pg.DB {
	t.Helper()
	db, err := pg.Open(testserver.Postgres(t).Database(t).URL())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close(context.Background())) })
	_, err = db.Exec(t.Context(), "create table number (n int not null)")
	require.NoError(t, err)
	return db
}

// without makes each schedule begin without some of the numbers.
func without(db *pg.DB, which string) repainttest.Option {
	return repainttest.Fresh(func(ctx context.Context) error {
		_, err := db.Exec(ctx, "delete from number where "+which)
		return err
	})
}

func count(t *testing.T, ctx context.Context, db *pg.DB) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRow(ctx, "select count(*) from number").Scan(&n))
	return n
}

// Each of these is one step, which takes its turn, or as many steps as the case says.
func TestStreamsCopiesBatchesAndCursorsTakeTheirTurn(t *testing.T) {
	stream := func(ctx context.Context, db *pg.DB) (int, error) {
		rows, err := db.Stream(ctx, "select n, repeat('x', 1000) from number, generate_series(1, 1000)")
		if err != nil {
			return 0, err
		}
		defer rows.Close()
		n := 0
		for rows.Next() {
			n++
		}
		return n / 1000, rows.Err()
	}
	for name, c := range map[string]struct {
		steps int // how many steps the task has
		do    func(ctx context.Context, db *pg.DB) error
	}{
		"stream": {1, func(ctx context.Context, db *pg.DB) error {
			_, err := stream(ctx, db)
			return err
		}},
		"copy from": {1, func(ctx context.Context, db *pg.DB) error {
			_, err := db.CopyFrom(ctx, pgx.Identifier{"number"}, []string{"n"}, pgx.CopyFromRows([][]any{{1}, {2}}))
			return err
		}},
		"copy from a reader": {2, func(ctx context.Context, db *pg.DB) error {
			// Reading the data, which may block, is a step, too.
			_, err := db.CopyFromReader(ctx, strings.NewReader("1\n2\n"), "copy number from stdin")
			return err
		}},
		"copy to": {2, func(ctx context.Context, db *pg.DB) error {
			// Writing the data, which may block, is a step, too.
			_, err := db.CopyTo(ctx, io.Discard, "copy number to stdout")
			return err
		}},
		"batch": {1, func(ctx context.Context, db *pg.DB) error {
			var b pgx.Batch
			b.Queue("insert into number values (1)")
			b.Queue("insert into number values (2)")
			return db.SendBatch(ctx, &b).Close()
		}},
		"cursor": {5, func(ctx context.Context, db *pg.DB) error { // begin, declare, fetch, close, commit
			tx, err := db.Begin(ctx)
			if err != nil {
				return err
			}
			cursor, err := tx.(*pg.Tx).Cursor(ctx, "select n from number")
			if err != nil {
				return err
			}
			rows, err := cursor.Fetch(ctx, 10)
			if err != nil {
				return err
			}
			rows.Close()
			if err := cursor.Close(ctx); err != nil {
				return err
			}
			return tx.Commit(ctx)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			db := openExplored(t)
			_, err := db.Exec(t.Context(), "insert into number values (7)")
			require.NoError(t, err)
			schedules := 0
			repainttest.Explore(t, 300, func(t *testing.T, ctx context.Context) {
				schedules++
				g := repaint.NewGroup(ctx)
				for range 2 {
					g.Go(func(ctx context.Context) error { return c.do(ctx, db) })
				}
				require.NoError(t, g.Wait())
				n, err := stream(ctx, db)
				require.NoError(t, err)
				require.Equal(t, n, count(t, ctx, db))
			}, repainttest.CheckRepeats(), without(db, "n <> 7"))
			orders := map[int]int{1: 2, 2: 6, 5: 252}
			require.Equal(t, 2*orders[c.steps], schedules, "C(2·steps, steps), each twice")
		})
	}
}

func TestCopyThatWaitsForALockIsExplored(t *testing.T) {
	db := openExplored(t)
	_, err := db.Exec(t.Context(), "create unique index on number (n)")
	require.NoError(t, err)
	taken := 0
	repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
		g := repaint.NewGroup(ctx)
		for range 2 {
			g.Go(func(ctx context.Context) error {
				return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
					source, stop := pg.CopyFromSeq(func(yield func([]any, error) bool) {
						if err := repaint.Sleep(ctx, 0); err != nil { // the source of the rows may wait
							yield(nil, err)
							return
						}
						yield([]any{1}, nil)
					})
					defer stop()
					_, err := tx.CopyFrom(ctx, pgx.Identifier{"number"}, []string{"n"}, source)
					if err != nil && strings.Contains(err.Error(), "23505") {
						taken++
						return nil
					}
					return err
				})
			})
		}
		if err := g.Wait(); err != nil {
			require.ErrorIs(t, err, pgx.ErrTxCommitRollback)
		}
		require.Equal(t, 1, count(t, ctx, db))
	}, repainttest.CheckRepeats(), without(db, "true"))
	require.Positive(t, taken)
}

func TestNotificationsArriveInTheStepThatSendsThem(t *testing.T) {
	db := openExplored(t)
	orders := map[string]int{}
	repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
		l, err := db.Listen(ctx, "news")
		require.NoError(t, err)
		defer l.Close()
		got := ""
		g := repaint.NewGroup(ctx)
		g.Go(func(ctx context.Context) error {
			for range 2 {
				n, err := l.Next(ctx)
				if err != nil {
					return err
				}
				got += n.Payload
			}
			return nil
		})
		for i := range 2 {
			g.Go(func(ctx context.Context) error { return db.Notify(ctx, "news", fmt.Sprint(i)) })
		}
		require.NoError(t, g.Wait())
		orders[got]++
	}, repainttest.CheckRepeats())
	require.Len(t, orders, 2)
}

// A Reader's statement is one step, which only reads.
func TestAReaderTakesItsTurn(t *testing.T) {
	db := openExplored(t)
	r := db.Reader()
	_, err := db.Exec(t.Context(), "create function writes() returns int language sql as 'insert into number values (1) returning n'")
	require.NoError(t, err)
	seen := map[int]bool{}
	repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
		g := repaint.NewGroup(ctx)
		g.Go(func(ctx context.Context) error {
			_, err := db.Exec(ctx, "insert into number values (7)")
			return err
		})
		g.Go(func(ctx context.Context) error {
			var n int
			err := r.QueryRow(ctx, "select count(*) from number").Scan(&n)
			seen[n] = true
			return err
		})
		require.NoError(t, g.Wait())
		_, err := r.Exec(ctx, "select writes()")
		require.ErrorContains(t, err, "25006")
		_, err = r.Query(ctx, "select set_config('transaction_read_only', 'off', true)")
		require.ErrorIs(t, err, pg.ErrRefusedOnLane)
		var b pgx.Batch
		b.Queue("select count(*) from number")
		b.Queue("select writes()")
		require.ErrorContains(t, r.SendBatch(ctx, &b).Close(), "25006")
	}, without(db, "true"))
	require.Len(t, seen, 2, "the schedules come to both orders")
}
