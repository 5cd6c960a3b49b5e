package pg

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func TestBatch(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1")
		_, err := db.Exec(ctx, "create table t (id int primary key, name text)")
		require.NoError(t, err)
		b := new(pgx.Batch)
		for i := range 5 {
			b.Queue("insert into t values ($1, $2)", i, "x")
		}
		b.Queue("select id from t order by id")
		b.Queue("select name from t where id = $1", 3)
		br := db.SendBatch(ctx, b)
		for range 5 {
			tag, err := br.Exec()
			require.NoError(t, err)
			require.EqualValues(t, 1, tag.RowsAffected())
		}
		rows, err := br.Query()
		require.NoError(t, err)
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int])
		require.NoError(t, err)
		require.Equal(t, []int{0, 1, 2, 3, 4}, ids)
		var name string
		require.NoError(t, br.QueryRow().Scan(&name))
		require.Equal(t, "x", name)
		_, err = br.Exec()
		require.ErrorIs(t, err, errNoMore)
		require.NoError(t, br.Close())
		require.NoError(t, br.Close())
		_, err = br.Exec()
		require.ErrorIs(t, err, ErrClosed)

		// With functions.
		b = new(pgx.Batch)
		called := 0
		b.Queue("select 1").QueryRow(func(r pgx.Row) error { called++; return r.Scan(new(int)) })
		b.Queue("insert into t values (10, 'y')").Exec(func(tag pgconn.CommandTag) error { called++; return nil })
		b.Queue("select id from t").Query(func(rows pgx.Rows) error { called++; return nil })
		require.NoError(t, db.SendBatch(ctx, b).Close())
		require.Equal(t, 3, called)
		require.NoError(t, db.SendBatch(ctx, new(pgx.Batch)).Close())
	})
}

// The failing statement is named, and none has had an effect.
func TestBatchThatFails(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1")
		_, err := db.Exec(ctx, "create table t (id int primary key)")
		require.NoError(t, err)
		for range 2 { // the second time everything is prepared
			b := new(pgx.Batch)
			b.Queue("insert into t values ($1)", 1)
			b.Queue("insert into t values ($1)", 2)
			b.Queue("select 1 / (id - $1) from t where id = 2", 2)
			b.Queue("insert into t values ($1)", 3)
			err = db.SendBatch(ctx, b).Close()
			var pgErr *pgconn.PgError
			require.ErrorAs(t, err, &pgErr)
			require.Equal(t, "22012", pgErr.Code)
			require.ErrorContains(t, err, "statement 3 of the batch's 4")
			require.ErrorContains(t, err, "select 1 / (id")
			require.Equal(t, 0, count(t, ctx, db, "t"))
		}
		b := new(pgx.Batch)
		b.Queue("select 1")
		b.Queue("select nonsense")
		br := db.SendBatch(ctx, b)
		_, err = br.Exec()
		require.ErrorContains(t, err, "statement 2 of the batch's 2")
		require.ErrorContains(t, br.Close(), "nonsense")
		// The same in a transaction, whose first statement is the batch.
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		b = new(pgx.Batch)
		b.Queue("insert into t values ($1)", 1)
		b.Queue("insert into t values ($1)", 1)
		require.ErrorContains(t, tx.SendBatch(ctx, b).Close(), "statement 2 of the batch's 2")
		require.ErrorIs(t, tx.Commit(ctx), pgx.ErrTxCommitRollback)
		tx, err = db.Begin(ctx)
		require.NoError(t, err)
		b = new(pgx.Batch)
		b.Queue("insert into t values ($1)", 1)
		b.Queue("select id from t")
		br = tx.SendBatch(ctx, b)
		_, err = br.Exec()
		require.NoError(t, err)
		var id int
		require.NoError(t, br.QueryRow().Scan(&id))
		require.Equal(t, 1, id)
		require.NoError(t, tx.Commit(ctx))
		require.Equal(t, 1, count(t, ctx, db, "t"))
	})
}

// A stale plan doesn't make a batch fail.
func TestBatchWithStalePlans(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1")
		_, err := db.Exec(ctx, "create table t (id int)")
		require.NoError(t, err)
		for i, ddl := range []string{"select 1", "alter table t add column a int", "alter table t alter column id type text"} {
			_, err := db.Exec(ctx, ddl)
			require.NoError(t, err)
			b := new(pgx.Batch)
			b.Queue("insert into t (id) values (1)")
			b.Queue("select * from t")
			br := db.SendBatch(ctx, b)
			_, err = br.Exec()
			require.NoError(t, err)
			rows, err := br.Query()
			require.NoError(t, err)
			n := 0
			for rows.Next() {
				n++
			}
			require.Equal(t, i+1, n)
			require.NoError(t, br.Close())
		}
	})
}

// errors.As finds the failing statement, wherever it fails. An error that no statement causes isn't
// attributed to one.
func TestBatchErrorSaysWhich(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1&pool_sessions=1")
		_, err := db.Exec(ctx, "create table t (id int primary key)")
		require.NoError(t, err)
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		send := map[string]func(b *pgx.Batch) error{
			"db":      func(b *pgx.Batch) error { return db.SendBatch(ctx, b).Close() },
			"session": func(b *pgx.Batch) error { return s.SendBatch(ctx, b).Close() },
			"transaction": func(b *pgx.Batch) error {
				tx, err := s.Begin(ctx)
				require.NoError(t, err)
				defer tx.Rollback(ctx)
				return tx.SendBatch(ctx, b).Close()
			},
		}
		for _, test := range []struct {
			index int
			fill  func(b *pgx.Batch)
		}{
			{1, func(b *pgx.Batch) { b.Queue("select 1"); b.Queue("selec 1"); b.Queue("select 1") }},
			{2, func(b *pgx.Batch) { b.Queue("select 1"); b.Queue("select 1"); b.Queue("select 1/$1::int", 0) }},
			{0, func(b *pgx.Batch) { b.Queue("select $1::int", "no number"); b.Queue("select 1") }},
			{1, func(b *pgx.Batch) { b.Queue("select 1"); b.Queue("select $1::int", 1, 2) }},
			{0, func(b *pgx.Batch) { b.Queue("select 1/0") }},
		} {
			for on, send := range send {
				b := new(pgx.Batch)
				test.fill(b)
				err := send(b)
				var which *BatchError
				require.ErrorAs(t, err, &which)
				require.Equal(t, []int{test.index, b.Len()}, []int{which.Index, which.Count}, "%s: %v", on, err)
				var statement *StatementError
				require.ErrorAs(t, err, &statement)
				require.Equal(t, shorten(b.QueuedQueries[test.index].SQL), statement.SQL)
			}
		}
		s.Release()

		var which *BatchError
		gone, cancel := context.WithCancel(ctx)
		cancel()
		err = db.SendBatch(gone, batchOf("select 1", "select 2")).Close()
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorAs(t, err, &which)

		wait := c.start(ctx, func(ctx context.Context) error {
			return db.SendBatch(ctx, batchOf("select 1", "select pg_sleep(60)")).Close()
		})
		running(t, ctx, target, "pg_sleep(60)")
		target.MustQuery(t, "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(60)%' and pid <> pg_backend_pid()")
		err = wait()
		require.ErrorIs(t, err, ErrConnLost)
		require.NotErrorAs(t, err, &which)
	})
}
