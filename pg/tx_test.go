package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func count(t *testing.T, ctx context.Context, db rower, table string) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRow(ctx, "select count(*) from "+table).Scan(&n))
	return n
}

func TestCommitAndRollback(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		_, err := db.Exec(ctx, "create table t (id int primary key)")
		require.NoError(t, err)

		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "insert into t values ($1)", 1)
		require.NoError(t, err)
		require.Equal(t, 1, count(t, ctx, tx, "t"))
		require.Equal(t, 0, count(t, ctx, db, "t"))
		require.NoError(t, tx.Commit(ctx))
		require.Equal(t, 1, count(t, ctx, db, "t"))
		require.ErrorIs(t, tx.Commit(ctx), pgx.ErrTxClosed)
		require.ErrorIs(t, tx.Rollback(ctx), pgx.ErrTxClosed)
		_, err = tx.Exec(ctx, "select 1")
		require.ErrorIs(t, err, pgx.ErrTxClosed)

		tx, err = db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable, AccessMode: pgx.ReadOnly, DeferrableMode: pgx.Deferrable})
		require.NoError(t, err)
		var level, readOnly string
		require.NoError(t, tx.QueryRow(ctx, "select current_setting('transaction_isolation'), current_setting('transaction_read_only')").Scan(&level, &readOnly))
		require.Equal(t, []string{"serializable", "on"}, []string{level, readOnly})
		require.NoError(t, tx.Rollback(ctx))

		failed := errors.New("no")
		require.ErrorIs(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "insert into t values (2)"); err != nil {
				return err
			}
			return failed
		}), failed)
		require.Equal(t, 1, count(t, ctx, db, "t"))

		// A transaction in which nothing happened costs nothing.
		before := db.Stats().Statements
		tx, err = db.Begin(ctx)
		require.NoError(t, err)
		require.NoError(t, tx.Commit(ctx))
		require.Equal(t, before, db.Stats().Statements)
		require.Equal(t, 1, db.Stats().Sessions)
	})
}

func TestSavepoints(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		_, err := db.Exec(ctx, "create table t (id int primary key)")
		require.NoError(t, err)
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		insert := func(tx pgx.Tx, id int) error {
			_, err := tx.Exec(ctx, "insert into t values ($1)", id)
			return err
		}
		one, err := tx.Begin(ctx)
		require.NoError(t, err)
		require.NoError(t, insert(one, 1))
		two, err := one.Begin(ctx)
		require.NoError(t, err)
		require.NoError(t, insert(two, 2))
		require.Error(t, insert(two, 2))
		require.NoError(t, two.Rollback(ctx))
		require.ErrorIs(t, insert(two, 3), pgx.ErrTxClosed)
		require.NoError(t, insert(one, 4))
		require.NoError(t, one.Commit(ctx))
		three, err := tx.Begin(ctx)
		require.NoError(t, err)
		require.NoError(t, insert(three, 5))
		require.NoError(t, three.Commit(ctx))
		require.NoError(t, tx.Commit(ctx))
		rows, err := db.Query(ctx, "select id from t order by id")
		require.NoError(t, err)
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int])
		require.NoError(t, err)
		require.Equal(t, []int{1, 4, 5}, ids)
	})
}

func TestFailedTransactionDoesNotCommit(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		_, err := db.Exec(ctx, "create table t (id int primary key deferrable initially deferred)")
		require.NoError(t, err)
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "select 1/0")
		require.ErrorContains(t, err, "22012")
		_, err = tx.Exec(ctx, "select 1")
		require.ErrorContains(t, err, "25P02")
		require.ErrorIs(t, tx.Commit(ctx), pgx.ErrTxCommitRollback)

		// A constraint that is checked at the end.
		tx, err = db.Begin(ctx)
		require.NoError(t, err)
		for range 2 {
			_, err = tx.Exec(ctx, "insert into t values (1)")
			require.NoError(t, err)
		}
		var pgErr *pgconn.PgError
		require.ErrorAs(t, tx.Commit(ctx), &pgErr)
		require.Equal(t, "23505", pgErr.Code)
		require.Equal(t, 0, count(t, ctx, db, "t"))

		// The one session is as good as new.
		require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "insert into t values (1)")
			return err
		}))
		require.Equal(t, 1, count(t, ctx, db, "t"))
		require.Equal(t, 1, db.Stats().Sessions)
	})
}

// If BEGIN fails, the statement that travels with it doesn't run outside a transaction.
func TestStatementDoesNotRunWithoutItsBegin(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		_, err := db.Exec(ctx, "create table t (id int)")
		require.NoError(t, err)
		for _, args := range [][]any{{"insert into t values (1)"}, {"insert into t values ($1)", 1}, {"insert into t values (1); insert into t values (2)"}} {
			tx, err := db.BeginTx(ctx, pgx.TxOptions{BeginQuery: "begin nonsense"})
			require.NoError(t, err)
			for range 2 {
				_, err = tx.Exec(ctx, args[0].(string), args[1:]...)
				require.ErrorContains(t, err, "42601")
			}
			require.NoError(t, tx.Commit(ctx), "nothing has begun")
		}
		require.Equal(t, 0, count(t, ctx, db, "t"))
	})
}

// Several callers use one transaction: all their statements are part of it, whichever comes first.
func TestTransactionUsedByMany(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		_, err := db.Exec(ctx, "create table t (id int)")
		require.NoError(t, err)
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		for i, err := range c.together(ctx, 50, func(ctx context.Context, i int) error {
			var got int
			if _, err := tx.Exec(ctx, "insert into t values ($1)", i); err != nil {
				return err
			}
			if err := tx.QueryRow(ctx, "select id from t where id = $1", i).Scan(&got); err != nil {
				return err
			}
			if got != i {
				return fmt.Errorf("got %d", got)
			}
			return nil
		}) {
			require.NoError(t, err, i)
		}
		require.Equal(t, 0, count(t, ctx, db, "t"))
		require.NoError(t, tx.Rollback(ctx))
		require.Equal(t, 0, count(t, ctx, db, "t"))
	})
}

func TestRollbackAfterTheContextHasEnded(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		_, err := db.Exec(ctx, "create table t (id int)")
		require.NoError(t, err)
		for range 3 {
			limited, cancel := context.WithCancel(ctx)
			tx, err := db.Begin(limited)
			require.NoError(t, err)
			_, err = tx.Exec(limited, "insert into t values (1)")
			require.NoError(t, err)
			cancel()
			_, err = tx.Exec(limited, "insert into t values (1)")
			require.ErrorIs(t, err, context.Canceled)
			require.NoError(t, tx.Rollback(limited))
		}
		// The session has come back: it is the only one.
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		require.Equal(t, 0, count(t, ctx, tx, "t"))
		require.NoError(t, tx.Rollback(ctx))
		require.Equal(t, 1, db.Stats().Sessions)
	})
}

func TestRawCommitInTransactionIsNoticed(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "select 1")
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "commit")
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "create table t (id int)")
		require.ErrorIs(t, err, pgx.ErrTxClosed)
		require.NoError(t, tx.Rollback(ctx))
	})
}

// A Commit that ends nothing is an error: the transaction was rolled back, or committed only in
// part.
func TestCommitOfATransactionThatAStatementHasEnded(t *testing.T) {
	texts := map[string][]string{
		"rollback":                     {"insert into t values (1)", "rollback"},
		"commit":                       {"insert into t values (1)", "commit"},
		"first":                        {"rollback"},
		"first of several":             {"insert into t values (1); rollback"},
		"a script":                     {"insert into t values (1)", "select 1; rollback"},
		"an error within a savepoint":  {"insert into t values (1)", "savepoint s", "select 1/0"},
		"an error":                     {"insert into t values (1)", "select 1/0"},
		"an error of the first":        {"select 1/0"},
		"an error of the first script": {"insert into t values (1); select 1/0"},
	}
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=2")
		_, err := db.Exec(ctx, "create table t (id int)")
		require.NoError(t, err)
		for name, list := range texts {
			for _, mode := range []string{"one by one", "batch", "session"} {
				s, err := db.Acquire(ctx)
				require.NoError(t, err)
				begin, exec := db.Begin, s.Exec
				if mode == "session" {
					begin = s.Begin
				}
				tx, err := begin(ctx)
				require.NoError(t, err)
				if mode != "session" {
					exec = tx.Exec
				}
				if mode == "batch" {
					b := &pgx.Batch{}
					for _, text := range list {
						for _, part := range strings.Split(text, ";") {
							b.Queue(part)
						}
					}
					_ = tx.SendBatch(ctx, b).Close()
				} else {
					for _, text := range list {
						_, _ = exec(ctx, text)
					}
				}
				err = tx.Commit(ctx)
				require.Error(t, err, name+" "+mode)
				require.True(t, errors.Is(err, pgx.ErrTxClosed) || errors.Is(err, pgx.ErrTxCommitRollback), "%s %s: %v", name, mode, err)
				require.ErrorIs(t, tx.Rollback(ctx), pgx.ErrTxClosed)
				s.Release()
			}
		}
		// A transaction that a statement has ended isn't begun again.
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "rollback")
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "insert into t values (2)")
		require.ErrorIs(t, err, pgx.ErrTxClosed)
		require.ErrorIs(t, tx.Commit(ctx), pgx.ErrTxClosed)
	})
}

// The end of a transaction that a statement has ended doesn't end the session's next one.
func TestEndOfATransactionBeforeTheSessionsNextOne(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for _, end := range []func(pgx.Tx, context.Context) error{pgx.Tx.Commit, pgx.Tx.Rollback} {
			for _, begun := range []bool{true, false} {
				db, _ := open(t, "")
				_, err := db.Exec(ctx, "create table t (id int)")
				require.NoError(t, err)
				s, err := db.Acquire(ctx)
				require.NoError(t, err)
				first, err := s.Begin(ctx)
				require.NoError(t, err)
				if begun {
					_, err = first.Exec(ctx, "select 1")
					require.NoError(t, err)
				}
				_, err = s.Exec(ctx, "rollback")
				require.NoError(t, err)
				next, err := s.Begin(ctx)
				require.NoError(t, err)
				_, err = next.Exec(ctx, "insert into t values (1)")
				require.NoError(t, err)
				_ = end(first, ctx)
				require.Equal(t, 0, count(t, ctx, db, "t"), "it isn't committed")
				require.NoError(t, next.Commit(ctx))
				require.Equal(t, 1, count(t, ctx, db, "t"))
				s.Release()
			}
		}
	})
}

// A stale plan doesn't fail a transaction whose first statement has it.
func TestStalePlanOfTheFirstStatement(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		_, err := db.Exec(ctx, "create table t (id int); insert into t values (1)")
		require.NoError(t, err)
		for i, ddl := range []string{"select 1", "alter table t add column a int", "alter table t alter column id type text", "select 1"} {
			_, err := db.Exec(ctx, ddl)
			require.NoError(t, err)
			columns := min(i+1, 2)
			require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
				rows, err := tx.Query(ctx, "select * from t where id is not null")
				require.NoError(t, err, ddl)
				require.True(t, rows.Next())
				require.Len(t, rows.RawValues(), columns)
				rows.Close()
				_, err = tx.Exec(ctx, "select 1")
				return err
			}))
			require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
				b := new(pgx.Batch)
				b.Queue("select * from t where id is not null and true")
				b.Queue("select count(*) from t")
				return tx.SendBatch(ctx, b).Close()
			}))
		}
		require.NotZero(t, db.Stats().Sessions)
	})
}
