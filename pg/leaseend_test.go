package pg

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/faultproxy"
)

// A session's occupant belongs to the owner: a late call doesn't end the next owner's stream, nor
// make room in it.
func TestOccupantIsTheOwners(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		tx := beginTx(t, ctx, s)
		old, err := tx.Stream(ctx, "select generate_series(1, 100000)")
		require.NoError(t, err)
		cursor := &Cursor{tx: tx, name: "c"}
		s.Release()

		next, err := db.Acquire(ctx)
		require.NoError(t, err)
		rows, err := next.Stream(ctx, "select generate_series(1, 100000)")
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.ErrorIs(t, tx.Rollback(ctx), pgx.ErrTxClosed)
		require.ErrorIs(t, tx.Commit(ctx), pgx.ErrTxClosed)
		require.ErrorIs(t, s.Ping(ctx), ErrClosed)
		for old.Next() { // the rows that had come
		}
		require.ErrorIs(t, old.Err(), ErrClosed)
		old.Close()
		_, err = cursor.Fetch(ctx, 1)
		require.ErrorIs(t, err, pgx.ErrTxClosed)
		require.ErrorIs(t, cursor.Close(ctx), pgx.ErrTxClosed)
		require.ErrorIs(t, next.Ping(ctx), ErrInUse)
		n := 1
		for rows.Next() {
			n++
		}
		require.NoError(t, rows.Err())
		require.Equal(t, 100000, n)
		require.NoError(t, next.Ping(ctx))
		next.Release()
	})
}

// A slow source of a COPY doesn't feed the COPY of another owner.
func TestSourceOfACopyOutlivesItsOwner(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		target.MustQuery(t, "create table t (id int)")
		for _, release := range []bool{true, false} {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			tx := beginTx(t, ctx, s)
			source := newGate(-1)
			wait := c.start(ctx, func(ctx context.Context) error {
				_, err := tx.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromFunc(func() ([]any, error) {
					return []any{source.value}, source.wait()
				}))
				return err
			})
			source.awaitAsked(t, ctx)
			require.ErrorIs(t, tx.Commit(ctx), ErrInUse)
			if release {
				s.Release()
			} else {
				require.NoError(t, tx.Rollback(ctx))
				s.Release()
			}
			next, err := db.Acquire(ctx)
			require.NoError(t, err)
			value := newGate(1)
			nextWait := c.start(ctx, func(ctx context.Context) error {
				_, err := next.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromFunc(func() ([]any, error) {
					if value.open.Future().Done() {
						return nil, nil
					}
					return []any{value.value}, value.wait()
				}))
				return err
			})
			value.awaitAsked(t, ctx)
			source.open.Resolve(struct{}{})
			require.Error(t, wait())
			value.open.Resolve(struct{}{})
			require.NoError(t, nextWait())
			next.Release()
		}
		var sum int
		require.NoError(t, db.QueryRow(ctx, "select sum(id) from t").Scan(&sum))
		require.Equal(t, 2, sum)
	})
}

// A name belongs to its owner, even one that comes too late.
func TestNamesAreTheOwners(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		_, err = s.Prepare(ctx, "p", "select 1")
		require.NoError(t, err)
		s.Release()
		next, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer next.Release()
		_, err = next.Exec(ctx, "p")
		require.ErrorContains(t, err, "42601", "it is another's")
		_, err = next.Prepare(ctx, "p", "select 2")
		require.NoError(t, err)
		require.ErrorIs(t, s.Deallocate(ctx, "p"), ErrClosed)
		_, err = s.Prepare(ctx, "p", "select 1")
		require.ErrorIs(t, err, ErrClosed)
		var n int
		require.NoError(t, next.QueryRow(ctx, "p").Scan(&n))
		require.Equal(t, 2, n)
	})
}

// A transaction whose first statement was given up waits, before the next statement, for the
// outcome of the first. But it doesn't wait for what the next owner does.
func TestLateCallDoesNotWaitForTheNextOwner(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		unlock := lock(t, ctx, target)
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		limited, cancel := context.WithCancel(ctx)
		wait := c.start(limited, func(ctx context.Context) error { _, err := tx.Exec(ctx, waitSQL); return err })
		waiting(t, ctx, target, "pg_advisory_xact_lock(7)")
		cancel()
		require.ErrorIs(t, wait(), context.Canceled)
		require.NoError(t, tx.Rollback(ctx))
		next := beginTx(t, ctx, db)
		wait = c.start(ctx, func(ctx context.Context) error { _, err := next.Exec(ctx, waitSQL); return err })
		waiting(t, ctx, target, "pg_advisory_xact_lock(7)")
		_, err = tx.Exec(ctx, "select 1")
		require.ErrorIs(t, err, pgx.ErrTxClosed)
		require.ErrorIs(t, tx.Commit(ctx), pgx.ErrTxClosed)
		unlock()
		require.NoError(t, wait())
		require.NoError(t, next.Commit(ctx))
	})
}

// If several callers end a transaction at once, one of them does.
func TestTransactionEndsOnce(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=2")
		for range 20 {
			tx := beginTx(t, ctx, db)
			ended := 0
			for i, err := range c.together(ctx, 8, func(ctx context.Context, i int) error {
				if i%2 == 0 {
					return tx.Commit(ctx)
				}
				return tx.Rollback(ctx)
			}) {
				if err == nil {
					ended++
					continue
				}
				require.True(t, errors.Is(err, pgx.ErrTxClosed), "%d: %v", i, err)
			}
			require.Equal(t, 1, ended)
		}
		require.LessOrEqual(t, db.Stats().Sessions, 2)
	})
}

// If the owner of a COPY ends before the server has asked for data, the driver tells the server
// that there are none. Otherwise the server would take what is sent next for data.
func TestCopyEndsBeforeTheServerAsksForData(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for _, how := range []string{"rollback", "release", "context"} {
			db, proxy, target := proxied(t, "&pool_sessions=1")
			target.MustQuery(t, "create table t (id int)")
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			pid := s.PID()
			tx := beginTx(t, ctx, s)
			proxy.Stall(faultproxy.ToClient)
			limited, cancel := context.WithCancel(ctx)
			asked := false
			wait := c.start(limited, func(ctx context.Context) error {
				_, err := tx.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromFunc(func() ([]any, error) {
					asked = true
					return nil, nil
				}))
				return err
			})
			until(t, ctx, "the COPY to be sent", func() bool { return tx.s.writtenOut() == 2 }) // and a question for the types
			rolledBack := func() error { return nil }
			switch how {
			case "rollback":
				rolledBack = c.start(ctx, tx.Rollback)
				until(t, ctx, "the rollback to be sent", func() bool { return tx.s.writtenOut() == 3 })
			case "release":
				s.Release()
			case "context":
				cancel()
				require.ErrorIs(t, wait(), context.Canceled)
			}
			proxy.Resume(faultproxy.ToClient)
			require.NoError(t, rolledBack(), how)
			if how != "context" {
				require.Error(t, wait(), how)
			}
			require.False(t, asked, how)
			if how == "context" {
				require.NoError(t, tx.Rollback(ctx))
			}
			s.Release()
			cancel()
			next, err := db.Acquire(ctx)
			require.NoError(t, err)
			require.Equal(t, pid, next.PID(), "%s: it is the same connection", how)
			require.Equal(t, 0, count(t, ctx, next, "t"))
			next.Release()
		}
	})
}

// Rollback rolls a session's transaction back even with a context that has ended: what the session
// does next isn't part of it.
func TestRollbackAfterTheContextEndsTheTransactionOfASession(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		target.MustQuery(t, "create table t (id int)")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		tx := beginTx(t, ctx, s)
		_, err = tx.Exec(ctx, "insert into t values (1)")
		require.NoError(t, err)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		require.NoError(t, tx.Rollback(ended))
		_, err = s.Exec(ctx, "insert into t values (2)")
		require.NoError(t, err)
		require.Equal(t, "2", target.MustQuery(t, "select id from t"))
		s.Release()
	})
}

// A stream that has no rows yet ends with its owner.
func TestStreamEndsWithItsOwnerBeforeTheFirstRow(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for _, inTx := range []bool{true, false} {
			db, target := open(t, "&pool_sessions=1")
			unlock := lock(t, ctx, target)
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			var q user = s
			if inTx {
				q = beginTx(t, ctx, s)
			}
			wait := c.start(ctx, func(ctx context.Context) error {
				_, err := q.Stream(ctx, waitSQL)
				return err
			})
			waiting(t, ctx, target, "pg_advisory_xact_lock(7)")
			if tx, ok := q.(*Tx); ok {
				rolledBack := c.start(ctx, tx.Rollback)
				err = wait()
				unlock()
				require.NoError(t, rolledBack())
			} else {
				s.Release()
				err = wait()
				unlock()
			}
			require.ErrorIs(t, err, ErrClosed)
			var failed *StatementError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, !inTx, failed.MaybeApplied)
			s.Release()
		}
	})
}
