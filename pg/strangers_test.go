package pg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// Each of these was a bug of another driver that pipelines: see docs/bugs-of-pipelining.md.

// In one burst there are statements that are prepared, others that aren't yet, and texts for the
// simple protocol.
func TestOneBurstOfPreparedAndNewAndSimpleStatements(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1&pipeline_depth=32")
		for round := range 20 {
			for _, err := range c.together(ctx, 24, func(ctx context.Context, i int) error {
				want := 1000*round + i
				var got int
				var err error
				switch i % 4 {
				case 0, 1: // prepared from the second round on
					err = db.QueryRow(ctx, "select $1::int", want).Scan(&got)
				case 2:
					err = db.QueryRow(ctx, fmt.Sprintf("select $1::int + %d", want), 0).Scan(&got)
				case 3:
					err = db.QueryRow(ctx, fmt.Sprint("select ", want), pgx.QueryExecModeSimpleProtocol).Scan(&got)
				}
				if err == nil && got != want {
					err = wrongf("asked for %d, got %d", want, got)
				}
				return err
			}) {
				require.NoError(t, err)
			}
		}
		require.EqualValues(t, 1, db.Stats().Connects)
	})
}

// Texts that begin alike for long are different statements.
func TestTextsThatBeginAlikeAreDifferentStatements(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1")
		list := func(n int) (sql string, args []any) {
			var marks []string
			for i := range n {
				marks = append(marks, fmt.Sprintf("$%d", i+1))
				args = append(args, i)
			}
			return "select count(*) from generate_series(0, 99) as a_table_whose_name_is_long(a_column_whose_name_is_long) where a_column_whose_name_is_long in (" + strings.Join(marks, ", ") + ")", args
		}
		for range 2 {
			for _, err := range c.together(ctx, 40, func(ctx context.Context, i int) error {
				sql, args := list(i + 1)
				var got int
				if err := db.QueryRow(ctx, sql, args...).Scan(&got); err != nil {
					return err
				}
				if got != i+1 {
					return wrongf("asked for %d, got %d", i+1, got)
				}
				return nil
			}) {
				require.NoError(t, err)
			}
		}
	})
}

// While transactions begin, write and end, no statement of another caller runs in one of them.
func TestNoStrangerRunsInATransaction(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1&pool_sessions=2")
		target.MustQuery(t, "create table t (id int)")
		undo := errors.New("undo")
		for _, err := range c.together(ctx, 16, func(ctx context.Context, i int) error {
			for range 25 {
				if i%4 == 0 {
					if err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
						if _, err := tx.Exec(ctx, "insert into t values ($1)", i); err != nil {
							return err
						}
						return undo
					}); err != undo {
						return err
					}
					continue
				}
				var outside bool
				if err := db.QueryRow(ctx, "select pg_current_xact_id_if_assigned() is null").Scan(&outside); err != nil {
					return err
				}
				if !outside {
					return wrongf("a stranger's statement ran in a transaction")
				}
				if i%4 == 1 {
					if _, err := db.Exec(ctx, "insert into t values ($1)", -i); err != nil {
						return err
					}
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		require.Equal(t, 0, count(t, ctx, db, "t where id >= 0"), "all was rolled back")
		require.Equal(t, 4*25, count(t, ctx, db, "t where id < 0"), "and nothing else was")
	})
}

// Wherever a statement is in a full lane, its cancel hits no other.
func TestCancelAtEveryPositionOfALane(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		const depth = 8
		db, target := open(t, fmt.Sprintf("&pool_lanes=1&pipeline_depth=%d", depth))
		target.MustQuery(t, "create table t (id int)")
		_, err := db.Exec(ctx, "insert into t values ($1)", -1) // it's prepared now
		require.NoError(t, err)
		for position := 1; position < depth; position++ {
			unlock := lock(t, ctx, target)
			waits := []func() error{c.start(ctx, waits(db))}
			until(t, ctx, "the first", func() bool { return db.written() == 1 })
			limited, cancel := context.WithCancel(ctx)
			for i := 1; i < depth; i++ {
				of := ctx
				if i == position {
					of = limited
				}
				waits = append(waits, c.start(of, func(ctx context.Context) error {
					_, err := db.Exec(ctx, "insert into t values ($1)", 10*position+i)
					return err
				}))
				until(t, ctx, "the next", func() bool { return db.written() == i+1 })
			}
			cancel()
			require.ErrorIs(t, waits[position](), context.Canceled)
			unlock()
			for i, wait := range waits {
				if i != position {
					require.NoError(t, wait())
				}
			}
			require.Equal(t, depth-2, count(t, ctx, db, fmt.Sprintf("t where id / 10 = %d and id %% 10 <> %[1]d", position)))
		}
		require.EqualValues(t, 1, db.Stats().Connects)
		require.Zero(t, db.Stats().StrayCancels)
	})
}

// A statement that fails after some of its rows have come leaves none of them to the next one.
func TestRowsBeforeAnErrorAreNotTheNextResults(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1&pipeline_depth=16")
		for _, err := range c.together(ctx, 16, func(ctx context.Context, i int) error {
			for range 10 {
				rows, err := db.Query(ctx, "select $1::int + 1/(n - $2::int)*0 from generate_series(1, 100) n", i, 50+50*(i%2)*2)
				if err == nil {
					var got []int
					if got, err = pgx.CollectRows(rows, pgx.RowTo[int]); err == nil {
						for _, one := range got {
							if one != i {
								return wrongf("asked for %d, got %d", i, one)
							}
						}
						if len(got) != 100 {
							return wrongf("%d rows of 100", len(got))
						}
					}
				}
				if fails := i%2 == 0; fails != (codeOf(err) == "22012") || !fails && err != nil {
					return fmt.Errorf("%d: %w", i, err)
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		require.EqualValues(t, 1, db.Stats().Connects)
	})
}

// A transaction that is given up while it begins isn't left open.
func TestCancelWhileATransactionBeginsLeavesNoneOpen(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=3")
		target.MustQuery(t, "create table t (id int)")
		for _, err := range c.together(ctx, 6, func(ctx context.Context, i int) error {
			for range 25 {
				limited, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(1000))*time.Microsecond)
				err := pgx.BeginFunc(limited, db, func(tx pgx.Tx) error {
					_, err := tx.Exec(limited, "insert into t values ($1)", i)
					return errors.Join(err, tx.Rollback(ctx))
				})
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, pgx.ErrTxClosed) {
					return err
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		until(t, ctx, "all sessions to be back", func() bool { return db.Stats().IdleSessions == db.Stats().Sessions })
		require.Equal(t, "0", target.MustQuery(t, "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'"))
		for range 3 {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			defer s.Release()
			var own bool
			require.NoError(t, s.QueryRow(ctx, "select pg_current_xact_id_if_assigned() is null").Scan(&own))
			require.True(t, own)
		}
		require.Equal(t, 0, count(t, ctx, db, "t"))
	})
}

// A statement that can't be prepared doesn't reduce how many may be under way.
func TestAStatementThatCannotBePreparedLeavesTheLaneAsItWas(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1&pipeline_depth=4")
		for _, err := range c.together(ctx, 12, func(ctx context.Context, i int) error {
			for range 10 {
				if i%2 == 0 {
					if err := db.QueryRow(ctx, "select concat('HELLO ', $1)", "you").Scan(new(string)); codeOf(err) != "42P18" {
						return fmt.Errorf("it was accepted: %w", err)
					}
					continue
				}
				var got int
				if err := db.QueryRow(ctx, "select $1::int", i).Scan(&got); err != nil || got != i {
					return wrongf("asked for %d, got %d, %v", i, got, err)
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		require.Zero(t, db.Stats().InFlight)
		// As many fit on the lane as before, and no more.
		unlock := lock(t, ctx, target)
		defer unlock()
		var all []func() error
		for range 6 {
			all = append(all, c.start(ctx, waits(db)))
		}
		until(t, ctx, "a full lane", func() bool { return db.written() == 4 && db.Stats().Queued == 2 })
		unlock()
		for _, wait := range all {
			require.NoError(t, wait())
		}
		require.EqualValues(t, 1, db.Stats().Connects)
	})
}

// With more texts than places for prepared statements, each caller's is the one that is executed.
func TestManyCallersOfMoreStatementsThanThereIsRoomFor(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1&statement_cache_capacity=2&pipeline_depth=16")
		for _, err := range c.together(ctx, 16, func(ctx context.Context, i int) error {
			for k := range 50 {
				text := (7*i + k) % 50
				var a, b int
				if err := db.QueryRow(ctx, fmt.Sprintf("select %d, $1::int", text), i).Scan(&a, &b); err != nil {
					return err
				}
				if a != text || b != i {
					return wrongf("asked for %d and %d, got %d and %d", text, i, a, b)
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		require.EqualValues(t, 1, db.Stats().Connects)
	})
}

// A batch whose context ends returns, and none of its statements goes on.
func TestContextOfABatchEnds(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1")
		target.MustQuery(t, "create table t (id int)")
		limited, cancel := context.WithCancel(ctx)
		wait := c.start(limited, func(ctx context.Context) error {
			return db.SendBatch(ctx, batchOf("insert into t values (1)", "select pg_sleep(61)", "insert into t values (2)")).Close()
		})
		running(t, ctx, target, "pg_sleep(61)")
		cancel()
		require.ErrorIs(t, wait(), context.Canceled)
		require.NoError(t, db.Ping(ctx))
		require.Equal(t, 0, count(t, ctx, db, "t"))
		require.EqualValues(t, 1, db.Stats().Connects)
	})
}

// One text is read as text, and as bytes, in one batch and by several callers at once.
func TestFormatsOfOneTextInABatch(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1")
		for _, err := range c.together(ctx, 8, func(ctx context.Context, i int) error {
			b := new(pgx.Batch)
			for k := range 6 {
				b.Queue("select $1::int, $1::int", pgx.QueryResultFormats{int16(k % 2), int16((i + k) % 2)}, i)
			}
			br := db.SendBatch(ctx, b)
			for k := range 6 {
				rows, err := br.Query()
				if err != nil {
					return err
				}
				for rows.Next() {
					for column, raw := range rows.RawValues() {
						want := fmt.Sprint(i)
						if []int{k % 2, (i + k) % 2}[column] == 1 {
							want = string([]byte{0, 0, 0, byte(i)})
						}
						if string(raw) != want {
							return wrongf("asked for %q, got %q", want, raw)
						}
					}
				}
				rows.Close()
			}
			return br.Close()
		}) {
			require.NoError(t, err)
		}
	})
}

// In the mode exec the pooler may give each statement another backend: what is parsed and what
// is bound still belong together.
func TestUnnamedStatementsThroughPgBouncer(t *testing.T) {
	srv := testserver.Postgres(t)
	bouncer := testserver.PgBouncer(t, srv.Target, "transaction", "default_pool_size=3")
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db := openAt(t, through(srv.Database(t), bouncer).URL()+"&default_query_exec_mode=exec&pool_lanes=4")
		for _, err := range c.together(ctx, 16, func(ctx context.Context, i int) error {
			for k := range 25 {
				var a, b int
				if err := db.QueryRow(ctx, fmt.Sprintf("select %d, $1::int", k), i).Scan(&a, &b); err != nil {
					return err
				}
				if a != k || b != i {
					return wrongf("asked for %d and %d, got %d and %d", k, i, a, b)
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		require.Zero(t, db.Stats().Lost)
	})
}
