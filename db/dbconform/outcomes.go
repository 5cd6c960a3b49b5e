package dbconform

import (
	"context"
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// outcomes are the cases about errors after which the caller doesn't know whether a statement was
// applied.
var outcomes = []test{
	{"a commit whose answer is lost has an unknown outcome", func(c *run) {
		c.needs("Network")
		table := c.items(0)
		e, network := c.network()
		tx, err := e.BeginTx(c.ctx)
		require.NoError(c, err)
		c.insert(tx, table, 1)
		network.Deafen()
		commit := c.start(c.ctx, tx.Commit)
		c.until("the commit", func() bool { return c.count(c.engine(), table) == 1 })
		network.Cut()
		c.unknown(commit(), db.ErrDisconnected)
		require.Zero(c, e.Stats().InUse)
	}},
	{"a write of the engine's own whose answer is lost has an unknown outcome", func(c *run) {
		c.needs("Network")
		table := c.items(0)
		e, network := c.network(db.PoolSize(1), db.MaxOverflow(0))
		c.insert(e, table, 1) // so that the next insert needs only one round trip
		network.Deafen()
		insert := c.start(c.ctx, func(ctx context.Context) error { return c.tryInsert(ctx, e, table, 2) })
		c.until("the insert", func() bool { return c.count(c.engine(), table) == 2 })
		network.Cut()
		c.unknown(insert(), db.ErrDisconnected)
		require.Zero(c, e.Stats().InUse)
		c.insert(e, table, 3)
	}},
	{"a write whose deadline passes on a silent network has an unknown outcome", func(c *run) {
		c.needs("Network")
		table := c.items(0)
		e, network := c.network(db.PoolSize(1), db.MaxOverflow(0))
		c.insert(e, table, 1)
		network.Deafen()
		ctx, cancel := context.WithCancelCause(c.ctx)
		insert := c.start(ctx, func(ctx context.Context) error { return c.tryInsert(ctx, e, table, 2) })
		c.until("the insert", func() bool { return c.count(c.engine(), table) == 2 })
		cancel(errNoLonger)
		c.unknown(insert(), errNoLonger)
		network.Cut()
	}},
	{"what is lost in a transaction is known: it was rolled back", func(c *run) {
		c.needs("Network")
		table := c.items(0)
		e, network := c.network()
		tx, err := e.BeginTx(c.ctx)
		require.NoError(c, err)
		c.insert(tx, table, 1)
		network.Deafen()
		insert := c.start(c.ctx, func(ctx context.Context) error { return c.tryInsert(ctx, tx, table, 2) })
		time.AfterFunc(20*time.Millisecond, network.Cut)
		err = insert()
		c.is(err, db.ErrDisconnected)
		require.NotErrorIs(c, err, db.ErrUnknownOutcome)
		err = tx.Commit(c.ctx)
		c.is(err, db.ErrTxFailed)
		require.NotErrorIs(c, err, db.ErrUnknownOutcome)
		require.Zero(c, c.count(c.engine(), table))
	}},
	{"what the database refuses is known", func(c *run) {
		table := c.items(1)
		err := c.tryInsert(c.ctx, c.engine(), table, 1)
		c.is(err, db.ErrUnique)
		require.NotErrorIs(c, err, db.ErrUnknownOutcome)
		ctx, cancel := context.WithCancel(c.ctx)
		cancel()
		require.NotErrorIs(c, c.tryInsert(ctx, c.engine(), table, 2), db.ErrUnknownOutcome)
	}},
	{"Retry doesn't repeat what has an unknown outcome unless it is told to", func(c *run) {
		c.needs("Network")
		table := c.items(0)
		for _, policy := range []db.RetryPolicy{{}, {Unknown: true}} {
			c.exec(c.engine(), "delete from "+table)
			e, network := c.network()
			rounds := 0
			retry := c.start(c.ctx, func(ctx context.Context) error {
				return policy.InTx(ctx, e, func(ctx context.Context, tx *db.Tx) error {
					if rounds++; rounds == 2 {
						return nil
					}
					err := c.tryInsert(ctx, tx, table, 1)
					network.Deafen()
					return err
				})
			})
			c.until("the commit", func() bool { return c.count(c.engine(), table) == 1 })
			network.Cut()
			if err := retry(); policy.Unknown {
				require.NoError(c, err)
				require.Equal(c, 2, rounds)
			} else {
				c.unknown(err, db.ErrDisconnected)
				require.Equal(c, 1, rounds)
			}
		}
	}},
}

// network opens an engine that reaches the database through a network that the case can break.
func (c *run) network(opts ...db.Option) (*db.Engine, Network) {
	c.Helper()
	c.engine() // this engine drops the tables
	e, network, err := c.Network(c.T, c.ctx, opts...)
	require.NoError(c, err)
	c.opened = append(c.opened, e)
	c.unlock = append(c.unlock, func(context.Context) { network.Cut() }) // so that the server releases the locks of silent connections
	return e, network
}

// tryInsert is insert, but may fail.
func (c *run) tryInsert(ctx context.Context, q db.Querier, table string, id int) error {
	_, err := q.Exec(ctx, "insert into "+table+" (id, value) values (:id, :value)", itemOf(id))
	return err
}

// unknown fails the case unless err says that the statement may have been applied, and why.
func (c *run) unknown(err, why error) {
	c.Helper()
	c.is(err, db.ErrUnknownOutcome)
	require.ErrorIs(c, err, why)
	require.ErrorContains(c, err, "applied")
	require.False(c, errors.Is(err, db.ErrConflict))
}
