package pg

import (
	"context"
	"database/sql/driver"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// While a session's transaction is open, everything that the session itself does is part of it,
// even the first statement.
func TestStatementsOfASessionAreInItsTransaction(t *testing.T) {
	for name, does := range map[string]func(ctx context.Context, s *Session) error{
		"Exec": func(ctx context.Context, s *Session) error {
			_, err := s.Exec(ctx, "insert into t values ($1)", 1)
			return err
		},
		"Exec without arguments": func(ctx context.Context, s *Session) error {
			_, err := s.Exec(ctx, "insert into t values (1)")
			return err
		},
		"Exec of several statements": func(ctx context.Context, s *Session) error {
			_, err := s.Exec(ctx, "insert into t values (1); select 1")
			return err
		},
		"Query": func(ctx context.Context, s *Session) error {
			rows, err := s.Query(ctx, "insert into t values ($1) returning id", 1)
			if err == nil {
				rows.Close()
			}
			return err
		},
		"QueryRow": func(ctx context.Context, s *Session) error {
			var id int
			return s.QueryRow(ctx, "insert into t values ($1) returning id", 1).Scan(&id)
		},
		"SendBatch": func(ctx context.Context, s *Session) error {
			b := &pgx.Batch{}
			b.Queue("insert into t values ($1)", 1)
			b.Queue("select 1")
			return s.SendBatch(ctx, b).Close()
		},
		"CopyFrom": func(ctx context.Context, s *Session) error {
			_, err := s.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{1}}))
			return err
		},
		"CopyFromReader": func(ctx context.Context, s *Session) error {
			_, err := s.CopyFromReader(ctx, strings.NewReader("1\n"), "copy t from stdin")
			return err
		},
		"CopyTo": func(ctx context.Context, s *Session) error {
			_, err := s.CopyTo(ctx, io.Discard, "copy (insert into t values (1) returning id) to stdout")
			return err
		},
		"CopyOut": func(ctx context.Context, s *Session) error {
			for _, err := range s.CopyOut(ctx, "copy (insert into t values (1) returning id) to stdout") {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"Stream": func(ctx context.Context, s *Session) error {
			rows, err := s.Stream(ctx, "insert into t values ($1) returning id", 1)
			if err == nil {
				rows.Close()
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				target := testserver.Postgres(t).Database(t)
				target.MustQuery(t, "create table t (id int)")
				for _, pipeline := range []string{"", "&pipeline=off"} {
					db := openAt(t, target.URL()+"&pool_sessions=1"+pipeline)
					s, err := db.Acquire(ctx)
					require.NoError(t, err)
					count := func() (n int) {
						require.NoError(t, s.QueryRow(ctx, "select count(*) from t").Scan(&n))
						return n
					}
					tx, err := s.Begin(ctx)
					require.NoError(t, err)
					require.NoError(t, does(ctx, s))
					require.NoError(t, does(ctx, s), "and again, now that it has begun")
					require.Equal(t, 2, count())
					require.NoError(t, tx.Rollback(ctx))
					require.Zero(t, count(), "it was rolled back")

					tx, err = s.Begin(ctx)
					require.NoError(t, err)
					require.NoError(t, does(ctx, s))
					_, err = tx.Exec(ctx, "insert into t values (2)")
					require.NoError(t, err)
					require.NoError(t, tx.Commit(ctx))
					require.Equal(t, 2, count(), "it was committed")

					tx, err = s.Begin(ctx)
					require.NoError(t, err)
					require.NoError(t, tx.Rollback(ctx)) // the server never heard of it
					require.NoError(t, does(ctx, s))
					require.Equal(t, 3, count(), "it is outside of the one that is over")
					_, err = s.Exec(ctx, "truncate t")
					require.NoError(t, err)
					s.Release()
				}
			})
		})
	}
}

// If a transaction ends while a session's statement is on its way to it, the statement doesn't
// begin it.
func TestStatementOfASessionWhoseTransactionEndsMeanwhile(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		target.MustQuery(t, "create table t (id int)")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		for _, commit := range []bool{false, true} {
			tx, err := s.Begin(ctx)
			require.NoError(t, err)
			value := doing(sync.OnceFunc(func() {
				if commit {
					gone, cancel := context.WithCancel(ctx)
					cancel()
					_ = tx.Commit(gone) // it waits for the statement, and gives up
				}
				require.NoError(t, tx.Rollback(ctx))
			}))
			_, err = s.Exec(ctx, "insert into t values ($1)", value)
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "select 1")
			require.ErrorIs(t, err, pgx.ErrTxClosed)
		}
		s.Release()
		require.Equal(t, "2", target.MustQuery(t, "select count(*) from t"), "both are outside of it, and committed by themselves")
	})
}

// doing is an argument that does something while it is encoded.
type doing func()

func (e doing) Value() (driver.Value, error) {
	e()
	return int64(1), nil
}

// There is one transaction at a time on a session.
func TestSecondTransactionOfASessionIsRefused(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		refused := func() {
			_, err := s.Begin(ctx)
			require.ErrorIs(t, err, ErrInUse)
			require.ErrorContains(t, err, "savepoint")
			b := &pgx.Batch{}
			b.BeginTx(pgx.TxOptions{})
			require.ErrorIs(t, s.SendBatch(ctx, b).Close(), ErrInUse)
		}
		tx, err := s.Begin(ctx)
		require.NoError(t, err)
		refused() // while it is pending
		_, err = s.Exec(ctx, "select 1")
		require.NoError(t, err)
		refused() // and when it has begun
		require.NoError(t, pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
			_, err := s.Exec(ctx, "select 1")
			return err
		}))
		require.NoError(t, tx.Commit(ctx))
		tx, err = s.Begin(ctx)
		require.NoError(t, err)
		_, err = s.Exec(ctx, "select 1")
		require.NoError(t, err)
		_, err = s.Exec(ctx, "rollback")
		require.NoError(t, err)
		next, err := s.Begin(ctx) // a statement has ended the one before
		require.NoError(t, err)
		require.NoError(t, next.Commit(ctx))
		require.NoError(t, tx.Rollback(ctx))
	})
}

// A Timeout is for one statement, so it is refused where it would apply to the whole transaction.
func TestTimeoutIsRefusedInATransactionOfTheSession(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		tx, err := s.Begin(ctx)
		require.NoError(t, err)
		for range 2 {
			_, err = s.Exec(ctx, "select $1::int", Timeout(1e9), 1)
			require.ErrorIs(t, err, ErrUnsupported)
			_, err = s.Exec(ctx, "select 1")
			require.NoError(t, err)
		}
		require.NoError(t, tx.Rollback(ctx))
		_, err = s.Exec(ctx, "select $1::int", Timeout(1e9), 1)
		require.NoError(t, err)
	})
}
