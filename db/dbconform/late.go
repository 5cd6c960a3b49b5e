package dbconform

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// late are the cases about calls that come after a transaction, Conn or Rows has ended, or while it
// ends. They must not reach the next owner of the connection.
var late = []test{
	{"a call on a transaction that has ended hits no other", func(c *run) {
		table := c.alone(0)
		for _, how := range []string{"commit", "rollback", "close"} {
			conn := c.conn(c.engine())
			tx, err := conn.BeginTx(c.ctx)
			require.NoError(c, err)
			c.exec(tx, "delete from "+table)
			nested, err := tx.BeginTx(c.ctx)
			require.NoError(c, err)
			c.exec(nested, "delete from "+table)
			switch how {
			case "commit":
				require.NoError(c, nested.Commit(c.ctx))
				require.NoError(c, tx.Commit(c.ctx))
			case "rollback":
				require.NoError(c, tx.Rollback(c.ctx), "with what is nested in it")
			}
			c.close(conn)

			next, err := c.engine().BeginTx(c.ctx)
			require.NoError(c, err)
			c.insert(next, table, 1)
			inner, err := next.BeginTx(c.ctx)
			require.NoError(c, err)
			c.insert(inner, table, 2)
			for _, tx := range []*db.Tx{tx, nested} {
				for name, call := range c.callsOfTx(tx, table) {
					c.isEnded(name, call())
				}
			}
			for name, call := range c.callsOfConn(conn, table) {
				c.isEnded(name, call())
			}
			require.NoError(c, inner.Commit(c.ctx))
			require.NoError(c, next.Commit(c.ctx))
			c.finds(table, "id > 0", []int{1, 2})
			c.exec(c.engine(), "delete from "+table)
		}
	}},
	{"a statement whose argument takes its time is its owner's", func(c *run) {
		table := c.alone(0)
		begin := func(conn *db.Conn) (db.Querier, func() error) {
			tx, err := conn.BeginTx(c.ctx)
			require.NoError(c, err)
			return tx, func() error { return tx.Rollback(c.ctx) }
		}
		owners := map[string]func(conn *db.Conn) (db.Querier, func() error){
			"a transaction's first": begin,
			"a transaction's second": func(conn *db.Conn) (db.Querier, func() error) {
				q, end := begin(conn)
				c.exec(q, "delete from "+table)
				return q, end
			},
			"a transaction's, whose Conn is closed": func(conn *db.Conn) (db.Querier, func() error) {
				q, _ := begin(conn)
				return q, conn.Close
			},
		}
		for name, owner := range owners {
			conn := c.conn(c.engine())
			q, end := owner(conn)
			value := newSlow(1)
			wait := c.start(c.ctx, func(ctx context.Context) error {
				_, err := q.Exec(ctx, "insert into "+table+" (id, value) values (:id, 'x')", named("id", value))
				return err
			})
			require.NoError(c, value.asked.wait(c.ctx))
			c.is(end(), db.ErrInUse)
			value.open.give()
			_ = wait() // the insert has run in its own transaction, or not at all
			_ = end()
			c.close(conn)
			require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error { return nil }))
			require.Zero(c, c.count(c.engine(), table), name)
			require.Zero(c, c.engine().Stats().InUse, name)
		}
	}},
	{"a transaction that was given up while its statement was on its way leaves nothing", func(c *run) {
		table := c.alone(0)
		value := newSlow(1)
		var wait func() error
		err := c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			wait = c.start(c.ctx, func(ctx context.Context) error {
				_, err := tx.Exec(ctx, "insert into "+table+" (id, value) values (:id, 'x')", named("id", value))
				return err
			})
			require.NoError(c, value.asked.wait(ctx))
			return errOfTheCase
		})
		require.ErrorIs(c, err, errOfTheCase)
		value.open.give()
		_ = wait()
		c.insert(c.engine(), table, 2)
		c.finds(table, "id > 0", []int{2})
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"a stream's rows keep their connection", func(c *run) {
		c.needs("Stream")
		table := c.alone(3000)
		conn := c.conn(c.engine())
		rows, err := conn.Stream(c.ctx, "select * from "+table)
		require.NoError(c, err)
		require.True(c, rows.Next())
		c.is(conn.Close(), db.ErrInUse)
		n := 1
		for rows.Next() {
			n++
		}
		require.NoError(c, rows.Err())
		require.Equal(c, 3000, n)
		require.Zero(c, c.engine().Stats().InUse, "it went back with the last row")
		next := c.conn(c.engine())
		require.False(c, rows.Next())
		require.NoError(c, rows.Close())
		require.Equal(c, 3000, c.count(next, table))
		c.close(next)
	}},
	{"a stream's rows are read by one task at a time", func(c *run) {
		c.needs("Stream")
		c.needs("Network")
		if !c.inLoop {
			c.Skip("the race detector finds goroutines that share rows")
		}
		table := c.items(1000)
		for _, close := range []bool{true, false} {
			e, network, err := c.Network(c.T, c.ctx, db.PoolSize(1))
			require.NoError(c, err)
			c.opened = append(c.opened, e)
			rows, err := e.Stream(c.ctx, "select a.value from "+table+" a, "+table+" b")
			require.NoError(c, err)
			require.True(c, rows.Next())
			network.Deafen()
			wait := c.start(c.ctx, func(ctx context.Context) error {
				for rows.Next() {
				}
				return rows.Err()
			})
			// This task has control until it waits.
			if close {
				c.is(rows.Close(), db.ErrInUse)
			} else {
				require.False(c, rows.Next())
				c.is(rows.Err(), db.ErrInUse)
			}
			require.Equal(c, 1, e.Stats().InUse)
			network.Cut()
			if err := wait(); !close {
				require.Error(c, err)
			}
			require.NoError(c, rows.Close())
			require.Zero(c, e.Stats().InUse)
		}
	}},
	{"Events.Connect can't keep the connection", func(c *run) {
		table := c.items(1)
		open := c.onTheDatabaseOf(table)
		leave := map[string]func(conn *db.Conn){}
		value := newSlow(2)
		var wait func() error
		leave["a call"] = func(conn *db.Conn) {
			wait = c.start(c.ctx, func(ctx context.Context) error {
				_, err := conn.Exec(ctx, "insert into "+table+" (id, value) values (:id, 'x')", named("id", value))
				return err
			})
			require.NoError(c, value.asked.wait(c.ctx))
		}
		var rows *db.Rows
		leave["a stream"] = func(conn *db.Conn) {
			var err error
			rows, err = conn.Stream(c.ctx, "select * from "+table)
			require.NoError(c, err)
		}
		var tx *db.Tx
		leave["a transaction"] = func(conn *db.Conn) {
			var err error
			tx, err = conn.BeginTx(c.ctx)
			require.NoError(c, err)
			c.insert(tx, table, 2)
		}
		for what, leave := range leave {
			if what == "a stream" && !c.can("Stream") {
				continue
			}
			_, err := open(db.PoolSize(1), db.OnEvents(db.Events{Connect: func(ctx context.Context, conn *db.Conn) error {
				leave(conn)
				return nil
			}}))
			require.ErrorIs(c, err, db.ErrMisuse, what)
		}
		value.open.give()
		require.Error(c, wait())
		if rows != nil {
			_ = rows.Close() // Close may report that the connection is gone
			require.False(c, rows.Next())
		}
		c.is(tx.Commit(c.ctx), db.ErrTxDone)
		require.Equal(c, 1, c.count(c.engine(), table))

		var kept *db.Conn
		e := c.another(db.PoolSize(1), db.OnEvents(db.Events{Connect: func(ctx context.Context, conn *db.Conn) error { kept = conn; return nil }}))
		next := c.conn(e)
		for name, call := range c.callsOfConn(kept, table) {
			c.isEnded(name, call())
		}
		c.close(next)
	}},
	{"what Raw showed is of no use after its Conn", func(c *run) {
		c.unless("OneConn") // the database may live in the one connection
		table := c.alone(0)
		var kept any
		conn := c.conn(c.engine())
		if err := conn.Raw(c.ctx, func(ctx context.Context, raw any) error { kept = raw; return nil }); err != nil {
			c.close(conn)
			c.is(err, db.ErrUnsupported)
			c.Skip("the dialect doesn't show its connections")
		}
		c.close(conn)
		next, err := c.engine().BeginTx(c.ctx)
		require.NoError(c, err)
		c.insert(next, table, 1)
		if on, ok := kept.(driver.ExecerContext); ok {
			require.Error(c, tooLate(func() error {
				_, err := on.ExecContext(c.ctx, "insert into "+table+" (id, value) values (2, 'x')", nil)
				return err
			}))
		}
		require.NoError(c, next.Commit(c.ctx))
		c.finds(table, "id > 0", []int{1})
	}},
	meeting,
}

// alone opens the case's engine with one connection for everything, or with two if one is reserved
// for the writer. It makes a table with the given number of items.
func (c *run) alone(items int) string {
	c.Helper()
	c.engine(db.PoolSize(1))
	return c.items(items)
}

// tooLate calls a closed connection of a driver. If the driver panics, tooLate returns that as an
// error.
func tooLate(call func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the driver's connection panicked: %v", r)
		}
	}()
	return call()
}

// onTheDatabaseOf returns a function that opens another Engine on the database of the case's table.
// If there can be no other Engine, it skips the case.
func (c *run) onTheDatabaseOf(table string) func(opts ...db.Option) (*db.Engine, error) {
	c.Helper()
	if c.can("Impatient") {
		return func(opts ...db.Option) (*db.Engine, error) { return c.Impatient(c.T, c.ctx, c.engine(), opts...) }
	}
	if _, err := c.another().Query(c.ctx, "select * from "+table); err != nil {
		c.is(err, db.ErrUndefinedTable)
		c.Skip("each Engine has a database of its own")
	}
	return func(opts ...db.Option) (*db.Engine, error) { return c.Open(c.T, c.ctx, opts...) }
}

// isEnded fails the case unless an error says that the called object has ended.
func (c *run) isEnded(name string, err error) {
	c.Helper()
	require.Error(c, err, name)
	var own *db.Error
	require.ErrorAs(c, err, &own, name)
	if own.Condition != db.ErrTxDone {
		require.ErrorIs(c, err, db.ErrClosed, name)
	}
}

// callsOfTx returns every call that a transaction has.
func (c *run) callsOfTx(tx *db.Tx, table string) map[string]func() error {
	calls := c.callsOf(tx, table)
	calls["Commit"] = func() error { return tx.Commit(c.ctx) }
	calls["Rollback"] = func() error { return tx.Rollback(c.ctx) }
	calls["BeginTx"] = func() error { _, err := tx.BeginTx(c.ctx); return err }
	calls["Stream"] = func() error { _, err := tx.Stream(c.ctx, "select * from "+table); return err }
	calls["Raw"] = func() error { return tx.Raw(c.ctx, func(context.Context, any) error { return nil }) }
	if c.inLoop {
		calls["red Exec"] = func() error { _, err := await(c.ctx, tx.Async().Exec(c.ctx, "delete from "+table)); return err }
		calls["red Rollback"] = func() error { _, err := await(c.ctx, tx.Async().Rollback(c.ctx)); return err }
	}
	return calls
}

// callsOfConn returns every call that a Conn has.
func (c *run) callsOfConn(conn *db.Conn, table string) map[string]func() error {
	calls := c.callsOf(conn, table)
	calls["BeginTx"] = func() error { _, err := conn.BeginTx(c.ctx); return err }
	calls["Stream"] = func() error { _, err := conn.Stream(c.ctx, "select * from "+table); return err }
	calls["Raw"] = func() error { return conn.Raw(c.ctx, func(context.Context, any) error { return nil }) }
	if c.inLoop {
		calls["red Exec"] = func() error { _, err := await(c.ctx, conn.Async().Exec(c.ctx, "delete from "+table)); return err }
	}
	return calls
}

func (c *run) callsOf(q db.Querier, table string) map[string]func() error {
	return map[string]func() error{
		"Exec":     func() error { _, err := q.Exec(c.ctx, "delete from "+table); return err },
		"Query":    func() error { _, err := q.Query(c.ctx, "select * from "+table); return err },
		"QueryRow": func() error { return q.QueryRow(c.ctx, "select count(*) from "+table).Err() },
		"Begin":    func() error { return q.InTx(c.ctx, func(context.Context, *db.Tx) error { return nil }) },
		"ExecMany": func() error {
			_, err := db.ExecMany(c.ctx, q, "insert into "+table+" (id, value) values (:id, :value)", []item{itemOf(98), itemOf(99)})
			return err
		},
	}
}

// slow is an argument whose Value method signals that it was called, and returns only when the test
// allows it.
type slow struct {
	value       int64
	asked, open signal
}

func newSlow(value int64) *slow { return &slow{value, newSignal(), newSignal()} }

// Value implements driver.Valuer.
func (s *slow) Value() (driver.Value, error) {
	s.asked.give()
	return s.value, s.open.wait(context.Background())
}
