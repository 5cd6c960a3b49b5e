package dbconform

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// commits are the cases about acknowledged commits: a commit succeeds only if the whole transaction
// was committed.
var commits = []test{
	{"a commit after a stream whose rest fails", func(c *run) {
		c.needs("Stream")
		c.needs("FailsLate")
		c.whole(func(ctx context.Context, tx *db.Tx, _ string) {
			rows, err := tx.Stream(ctx, c.FailsLate)
			require.NoError(c, err)
			require.True(c, rows.Next())
			_ = rows.Close()
		})
	}},
	{"a commit after a stream that fails", func(c *run) {
		c.needs("Stream")
		c.needs("FailsLate")
		c.whole(func(ctx context.Context, tx *db.Tx, _ string) {
			rows, err := tx.Stream(ctx, c.FailsLate)
			require.NoError(c, err)
			for rows.Next() {
			}
			require.Error(c, rows.Err())
		})
	}},
	{"a commit after a query that fails in rows that aren't wanted", func(c *run) {
		c.needs("FailsLate")
		c.whole(func(ctx context.Context, tx *db.Tx, _ string) {
			_, _ = db.First[int](ctx, tx, c.FailsLate)
		})
	}},
	{"a commit after a statement that was refused", func(c *run) {
		c.whole(func(ctx context.Context, tx *db.Tx, table string) {
			c.is(c.tryInsert(ctx, tx, table, 1), db.ErrUnique)
		})
	}},
	{"a commit after a savepoint in which a statement was refused", func(c *run) {
		c.whole(func(ctx context.Context, tx *db.Tx, table string) {
			nested, err := tx.BeginTx(ctx)
			require.NoError(c, err)
			c.is(c.tryInsert(ctx, nested, table, 1), db.ErrUnique)
			if nested.Commit(ctx) != nil {
				_ = nested.Rollback(ctx)
			}
		})
	}},
	{"a commit after a cancelled query", func(c *run) {
		c.whole(func(_ context.Context, tx *db.Tx, _ string) {
			c.stops(func(ctx context.Context) error {
				_, err := tx.Query(ctx, c.SlowQuery)
				return err
			})
		})
	}},
	{"a commit after a savepoint with a cancelled query", func(c *run) {
		c.whole(func(ctx context.Context, tx *db.Tx, _ string) {
			nested, err := tx.BeginTx(ctx)
			if err != nil {
				return
			}
			c.stops(func(ctx context.Context) error {
				_, err := nested.Query(ctx, c.SlowQuery)
				return err
			})
			if nested.Commit(ctx) != nil {
				_ = nested.Rollback(ctx)
			}
		})
	}},
	{"a commit after a transaction's first statement was cancelled", func(c *run) {
		table := c.items(0)
		tx, err := c.engine().BeginTx(c.ctx)
		require.NoError(c, err)
		c.stops(func(ctx context.Context) error {
			_, err := tx.Query(ctx, c.SlowQuery)
			return err
		})
		c.commitsWholly(tx, table, c.insertsIfItCan(tx, table))
	}},
	{"a commit after a transaction's first statement was cancelled at some time", func(c *run) {
		table := c.items(0)
		for range 20 {
			tx, err := c.engine().BeginTx(c.ctx)
			require.NoError(c, err)
			ctx, cancel := context.WithCancel(c.ctx)
			stop := c.start(ctx, func(context.Context) error { cancel(); return nil })
			_, _ = tx.Query(ctx, "select count(*) from "+table)
			require.NoError(c, stop())
			c.commitsWholly(tx, table, c.insertsIfItCan(tx, table))
			c.exec(c.engine(), "delete from "+table)
		}
	}},
	{"a commit after the connection was lost", func(c *run) {
		c.needs("Cut")
		table := c.items(0)
		tx, err := c.engine().BeginTx(c.ctx)
		require.NoError(c, err)
		c.insert(tx, table, 1)
		c.Cut(c.T, c.ctx, tx)
		require.Error(c, tx.Commit(c.ctx)) // the caller may not know the outcome
		require.Zero(c, c.count(c.engine(), table))
	}},
	{"a commit after a procedure that ends the transaction", func(c *run) {
		c.needs("Procedure")
		for _, does := range []string{"commit", "rollback"} {
			name := "dbconform_" + does
			c.exec(c.engine(), "drop procedure if exists "+name)
			c.exec(c.engine(), c.Procedure(name, does))
			calls := map[string]func(ctx context.Context, tx *db.Tx) error{
				"exec":   func(ctx context.Context, tx *db.Tx) error { _, err := tx.Exec(ctx, "call "+name+"()"); return err },
				"query":  func(ctx context.Context, tx *db.Tx) error { _, err := tx.Query(ctx, "call "+name+"()"); return err },
				"stream": func(ctx context.Context, tx *db.Tx) error { _, err := tx.Stream(ctx, "call "+name+"()"); return err },
				"script": func(ctx context.Context, tx *db.Tx) error {
					_, err := tx.Exec(ctx, "call "+name+"(); select 1")
					return err
				},
				"savepoint": func(ctx context.Context, tx *db.Tx) error {
					return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
						_, err := tx.Exec(ctx, "call "+name+"()")
						return err
					})
				},
			}
			for how, call := range calls {
				table := c.items(0)
				tx, err := c.engine().BeginTx(c.ctx)
				require.NoError(c, err)
				c.insert(tx, table, 1)
				if err = call(c.ctx, tx); how != "savepoint" { // otherwise the transaction may go on
					require.Error(c, err, "%s: %s", how, does)
				}
				rows := 1 + c.insertsIfItCan(tx, table)
				err = tx.Commit(c.ctx)
				found := c.count(c.engine(), table)
				if err == nil {
					require.Equal(c, rows, found, "%s: %s", how, does)
				} else {
					c.is(err, db.ErrTxFailed)
					require.Equal(c, 1, rows, "%s: %s: the second row isn't in the transaction", how, does)
					require.LessOrEqual(c, found, 1, "%s: %s", how, does)
				}
			}
			c.exec(c.engine(), "drop procedure "+name)
		}
	}},
}

// whole runs fn in a transaction, and then commits. The commit must succeed with all of the
// transaction's rows, or fail with none, whatever fn did. whole checks that with another statement
// after fn and without.
func (c *run) whole(fn func(ctx context.Context, tx *db.Tx, table string)) {
	c.Helper()
	for _, more := range []bool{true, false} {
		table := c.items(0)
		tx, err := c.engine().BeginTx(c.ctx)
		require.NoError(c, err)
		c.insert(tx, table, 1)
		fn(c.ctx, tx, table)
		rows := 1
		if more {
			rows += c.insertsIfItCan(tx, table)
		}
		c.commitsWholly(tx, table, rows)
		require.Zero(c, c.engine().Stats().InUse)
	}
}

// insertsIfItCan inserts a second row and returns 1, or returns 0 if the insert is refused.
func (c *run) insertsIfItCan(tx *db.Tx, table string) int {
	if c.tryInsert(c.ctx, tx, table, 2) == nil {
		return 1
	}
	return 0
}

// commitsWholly commits a transaction. The table must then have the given number of rows, or after
// an error none.
func (c *run) commitsWholly(tx *db.Tx, table string, rows int) {
	c.Helper()
	err := tx.Commit(c.ctx)
	found := c.count(c.engine(), table)
	if err == nil {
		require.Equal(c, rows, found, "the commit was acknowledged")
		return
	}
	require.NotErrorIs(c, err, db.ErrUnknownOutcome)
	require.Zero(c, found, "the commit failed: %v", err)
}
