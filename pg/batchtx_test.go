package pg

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// A batchSender can send a batch.
type batchSender interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// A batch can begin a transaction, as with pgx: BEGIN is its first statement, with a result of its
// own, and the transaction goes on after the batch.
func TestBatchThatBeginsATransaction(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		target.MustQuery(t, "create table t (id int)")
		everywhere := func(fn func(q batchSender)) {
			fn(db)
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			fn(s)
			s.Release()
		}
		everywhere(func(q batchSender) {
			for _, commit := range []bool{true, false} {
				b := &pgx.Batch{}
				b.BeginTx(pgx.TxOptions{IsoLevel: pgx.Serializable})
				level := ""
				b.Queue("show transaction_isolation").QueryRow(func(row pgx.Row) error { return row.Scan(&level) })
				b.Queue("insert into t values ($1)", 1)
				br := q.SendBatch(ctx, b)
				tx := br.Tx()
				require.NotNil(t, tx)
				tag, err := br.Exec()
				require.NoError(t, err)
				require.Equal(t, "BEGIN", tag.String())
				require.NoError(t, br.Close())
				require.Equal(t, "serializable", level)
				_, err = tx.Exec(ctx, "insert into t values (2)")
				require.NoError(t, err)
				if commit {
					require.NoError(t, tx.Commit(ctx))
				} else {
					require.NoError(t, tx.Rollback(ctx))
				}
				require.ErrorIs(t, tx.Rollback(ctx), pgx.ErrTxClosed)
				require.Equal(t, "2", target.MustQuery(t, "select count(*) from t"))
			}
			target.MustQuery(t, "truncate t")

			b := &pgx.Batch{}
			b.BeginTx(pgx.TxOptions{BeginQuery: "begin read only", CommitQuery: "commit and no chain"})
			br := q.SendBatch(ctx, b)
			require.NoError(t, br.Close())
			require.Equal(t, "commit and no chain", br.Tx().(*Tx).commit)
			_, err := br.Tx().Exec(ctx, "insert into t values (1)")
			require.Equal(t, "25006", codeOf(err))
			require.ErrorIs(t, br.Tx().Commit(ctx), pgx.ErrTxCommitRollback)
		})
	})
}

// If the batch can't begin the transaction, that is over. If a later statement fails, the
// transaction's owner must end it.
func TestBatchThatFailsToBeginATransaction(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		gone, cancel := context.WithCancel(ctx)
		cancel()
		for name, one := range map[string]struct {
			ctx   context.Context
			begin string
			value any
		}{"begin": {ctx, "begin nonsense", 1}, "encoding": {ctx, "begin", struct{}{}}, "context": {gone, "begin", 1}} {
			b := &pgx.Batch{}
			b.BeginTx(pgx.TxOptions{BeginQuery: one.begin})
			b.Queue("select $1::int", one.value)
			br := db.SendBatch(one.ctx, b)
			err := br.Close()
			require.Error(t, err, name)
			require.NotNil(t, br.Tx(), name)
			require.ErrorIs(t, br.Tx().Rollback(ctx), pgx.ErrTxClosed, name)
			_, err = br.Tx().Exec(ctx, "select 1")
			require.ErrorIs(t, err, pgx.ErrTxClosed, name)
			tx, err := db.Begin(ctx)
			require.NoError(t, err, "the session is free")
			require.NoError(t, tx.Rollback(ctx))
		}

		b := &pgx.Batch{}
		b.BeginTx(pgx.TxOptions{})
		b.Queue("select 1 / $1::int", 0)
		br := db.SendBatch(ctx, b)
		var failed *BatchError
		require.ErrorAs(t, br.Close(), &failed)
		require.Equal(t, 1, failed.Index)
		_, err := br.Tx().Exec(ctx, "select 1")
		require.Equal(t, "25P02", codeOf(err))
		require.NoError(t, br.Tx().Rollback(ctx))

		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		b = &pgx.Batch{}
		b.BeginTx(pgx.TxOptions{})
		br = tx.SendBatch(ctx, b)
		require.ErrorContains(t, br.Close(), "savepoint")
		require.ErrorIs(t, br.Tx().Rollback(ctx), pgx.ErrTxClosed)
		require.NoError(t, tx.Rollback(ctx))
		b = &pgx.Batch{}
		b.Queue("select 1")
		br = db.SendBatch(ctx, b)
		require.NoError(t, br.Close())
		require.Nil(t, br.Tx(), "without BeginTx there is none")
	})
}

// Batches also know the names that Prepare has given.
func TestPreparedNamesInBatches(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for _, mode := range []string{"", "&default_query_exec_mode=exec", "&default_query_exec_mode=cache_describe", "&pipeline=off"} {
			db, _ := open(t, "&pool_sessions=1"+mode)
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			_, err = s.Prepare(ctx, "plus", "select $1::int + 1")
			require.NoError(t, err)
			check := func(q batchSender, name string) {
				b := &pgx.Batch{}
				var got [3]int
				for i := range got {
					b.Queue(name, i*10).QueryRow(func(row pgx.Row) error { return row.Scan(&got[i]) })
				}
				require.NoError(t, q.SendBatch(ctx, b).Close(), mode)
				require.Equal(t, [3]int{1, 11, 21}, got)
			}
			check(s, "plus")
			tx, err := s.Begin(ctx)
			require.NoError(t, err)
			check(tx, "plus")
			require.NoError(t, tx.Commit(ctx))
			s.Release()
			tx, err = db.Begin(ctx)
			require.NoError(t, err)
			_, err = tx.Prepare(ctx, "more", "select $1::int + 1")
			require.NoError(t, err)
			check(tx, "more")
			b := &pgx.Batch{}
			b.Queue("plus", 1)
			require.Equal(t, "42601", codeOf(tx.SendBatch(ctx, b).Close()), "it was the other owner's")
			require.NoError(t, tx.Rollback(ctx))
		}
	})
}

// An unsupported call says so, and nothing panics.
func TestWhatIsntSupportedSaysSo(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		b := &pgx.Batch{}
		b.Queue("select $1::int", Timeout(1e9), 1)
		require.ErrorIs(t, db.SendBatch(ctx, b).Close(), errors.ErrUnsupported)
		_, err := db.Exec(ctx, "copy (select 1) to stdout")
		require.ErrorIs(t, err, errors.ErrUnsupported)
	})
}
