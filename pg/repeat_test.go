package pg

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/faultproxy"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// A batch fails before it has prepared the statements after the failed one. Callers that rely on
// these lose nothing: not even a CALL, which isn't repeated once it has begun.
func TestCallAfterAFailedBatchFindsItsStatement(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1&pipeline_depth=8")
		_, err := db.Exec(ctx, "create table t (id int); create procedure add(id int) language sql as 'insert into t values (id)'")
		require.NoError(t, err)
		const call = "call add($1)"
		failing := func(ctx context.Context) error {
			b := new(pgx.Batch)
			b.Queue("select 1 / $1::int", 0)
			b.Queue(call, 1)
			return db.SendBatch(ctx, b).Close()
		}
		require.ErrorContains(t, failing(ctx), "22012") // both texts are described now, and the second one isn't prepared
		unlock := lock(t, ctx, target)
		defer unlock()
		first := c.start(ctx, waits(db))
		until(t, ctx, "the first", func() bool { return db.written() == 1 })
		second := c.start(ctx, failing)
		until(t, ctx, "the batch", func() bool { return db.written() == 2 })
		third := c.start(ctx, func(ctx context.Context) error { _, err := db.Exec(ctx, call, 2); return err })
		until(t, ctx, "the call", func() bool { return db.written() == 3 })
		unlock()
		require.NoError(t, first())
		require.ErrorContains(t, second(), "22012")
		require.NoError(t, third())
		require.Equal(t, 1, count(t, ctx, db, "t"))
	})
}

// The driver finds a procedure that has changed since its CALL was prepared.
func TestCallOfAChangedProcedure(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1")
		_, err := db.Exec(ctx, "create table t (id int); create procedure p(inout id int) language plpgsql as $$ begin insert into t values (id); end $$")
		require.NoError(t, err)
		call := func() (got any) {
			rows, err := db.Query(ctx, "call p($1)", 1)
			require.NoError(t, err)
			require.True(t, rows.Next())
			values, err := rows.Values()
			require.NoError(t, err)
			rows.Close()
			return values[0]
		}
		require.EqualValues(t, 1, call())
		_, err = db.Exec(ctx, "drop procedure p; create procedure p(inout name bigint) language plpgsql as $$ begin insert into t values (name); end $$")
		require.NoError(t, err)
		require.EqualValues(t, 1, call())
		require.Equal(t, 2, count(t, ctx, db, "t"))
	})
}

// A backend that ends because it was idle for too long has executed nothing that was sent to it
// meanwhile. A lane sends that again. On a session the error says so.
func TestIdleTimeoutsOfTheServer(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		testserver.Postgres(t).Needs(t, 14, "idle_session_timeout")
		db, proxy, target := proxied(t, "&pool_lanes=1&pool_sessions=1&idle_session_timeout=200&idle_in_transaction_session_timeout=200")
		target.MustQuery(t, "create table t (id int); create procedure add(id int) language sql as 'insert into t values (id)'")
		insert := func(ctx context.Context, on querier, id int) error {
			_, err := on.Exec(ctx, "insert into t values ($1)", id)
			return err
		}
		// ended holds back the server's last message until the backend has gone, so that the driver
		// doesn't know yet.
		ended := func(pid uint32) {
			proxy.Stall(faultproxy.ToClient)
			until(t, ctx, "the end of the backend", func() bool {
				return target.MustQuery(t, fmt.Sprintf("select count(*) from pg_stat_activity where pid = %d", pid)) == "0"
			})
		}
		for { // again, if its end came before the test could hold it up
			var pid uint32
			require.NoError(t, db.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid))
			require.NoError(t, insert(ctx, db, 0))
			ended(pid)
			if db.Stats().Lanes == 1 {
				break
			}
			proxy.Resume()
		}
		first := c.start(ctx, func(ctx context.Context) error { return insert(ctx, db, 1) })
		second := c.start(ctx, func(ctx context.Context) error { _, err := db.Exec(ctx, "call add(2)"); return err })
		until(t, ctx, "both", func() bool { return db.written() == 2 })
		proxy.Resume()
		require.NoError(t, first())
		require.NoError(t, second())
		require.Equal(t, 2, count(t, ctx, db, "t where id > 0"))

		noEffect := func(code string, do func(ctx context.Context) error) {
			done := c.start(ctx, do)
			until(t, ctx, "the statement", func() bool { return db.sessionsWritten() > 0 })
			proxy.Resume()
			err := done()
			var lost *LostError
			require.ErrorAs(t, err, &lost)
			require.False(t, lost.MaybeApplied)
			require.ErrorContains(t, err, code)
		}
		for {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			ended(s.PID())
			alive := s.PID() != 0
			if alive {
				noEffect("57P05", func(ctx context.Context) error { return insert(ctx, s, 3) })
			}
			proxy.Resume()
			s.Release()
			if alive {
				break
			}
		}
		for {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			tx, err := s.Begin(ctx)
			require.NoError(t, err)
			require.NoError(t, insert(ctx, tx, 3))
			ended(s.PID())
			alive := s.PID() != 0
			if alive {
				noEffect("25P03", tx.Commit)
			}
			proxy.Resume()
			s.Release()
			if alive {
				break
			}
		}
		require.Zero(t, count(t, ctx, db, "t where id = 3"))
	})
}

// The text of a COMMIT may have been applied when the connection is lost, even in a transaction of
// Begin. What comes after it is in no transaction any more.
func TestCommitAsATextMayHaveBeenApplied(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for _, commit := range []string{"commit", "select 1; end", "commit and chain"} {
			db, proxy, target := proxied(t, "&pool_sessions=1")
			target.MustQuery(t, "create table t (id int)")
			tx, err := db.Begin(ctx)
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "insert into t values ($1)", 1)
			require.NoError(t, err)
			proxy.Stall(faultproxy.ToClient)
			var waits []func() error
			for _, sql := range []string{"insert into t values (2)", commit, "insert into t values (3)"} {
				before := proxy.Stats().ToServer
				waits = append(waits, c.start(ctx, func(ctx context.Context) error { _, err := tx.Exec(ctx, sql); return err }))
				// A statement that hasn't been written can't have been applied.
				until(t, ctx, sql, func() bool {
					return db.sessionsWritten() == len(waits) && proxy.Stats().ToServer > before
				})
			}
			proxy.Cut()
			for i, wait := range waits {
				var lost *LostError
				require.ErrorAs(t, wait(), &lost, i)
				require.Equal(t, i > 0, lost.MaybeApplied, i)
			}
			_ = tx.Rollback(ctx)
		}
	})
}
