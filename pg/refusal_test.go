package pg

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// A DB with one host that wants a server for writing opens another connection in place of one where
// a write was refused. A DB that takes any server keeps it, and so does a refusal that the caller
// has asked for.
func TestARefusedWriteReplacesTheConnectionToTheOnlyHost(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		_, target := open(t, "")
		target.MustQuery(t, "create table t (id int)")
		target.MustQuery(t, `create function refused() returns void language plpgsql as
			$$ begin perform set_config('transaction_read_only', 'on', true); insert into t values (1); end $$`)
		for options, replaced := range map[string]bool{"&target_session_attrs=read-write": true, "&target_session_attrs=primary": true, "": false} {
			db := openAt(t, target.URL()+options+"&pool_lanes=1&pool_sessions=1")
			lane := func() (pid int) {
				require.NoError(t, db.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid))
				return pid
			}
			session := func(fn func(tx pgx.Tx)) int {
				s, err := db.Acquire(ctx)
				require.NoError(t, err)
				defer s.Release()
				tx, err := s.Begin(ctx)
				require.NoError(t, err)
				fn(tx)
				require.NoError(t, tx.Rollback(ctx), "its owner ends the transaction")
				return int(s.PID())
			}
			nothing := func(pgx.Tx) {}
			first := lane()
			_, err := db.Exec(ctx, "insert into t values (2)", pgx.ReadOnly)
			require.Equal(t, "25006", codeOf(err))
			require.Equal(t, first, lane(), "the caller's own choice")
			_, err = db.Exec(ctx, "select refused()")
			require.Equal(t, "25006", codeOf(err))
			require.Equal(t, replaced, lane() != first, options)

			old := session(func(tx pgx.Tx) {
				_, err := tx.Exec(ctx, "select refused()")
				require.Equal(t, "25006", codeOf(err))
			})
			require.Equal(t, replaced, session(nothing) != old, options)
			old = session(func(tx pgx.Tx) {
				rows, err := tx.(*Tx).Stream(ctx, "select refused()")
				if err == nil {
					for rows.Next() {
					}
					err = rows.Err()
				}
				require.Equal(t, "25006", codeOf(err))
			})
			require.Equal(t, replaced, session(nothing) != old, options)
			require.Zero(t, db.Stats().Lost)
		}
	})
}
