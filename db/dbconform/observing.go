package dbconform

import (
	"context"
	"errors"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// heard collects the events.
type heard struct {
	mu  sync.Mutex
	all []string
}

func (h *heard) add(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, what)
}

// take returns the events since the last call.
func (h *heard) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.all
	h.all = nil
	return all
}

var observing = []test{
	{"before and after each statement", func(c *run) {
		var h heard
		var last *db.Execution
		e := c.engine(db.OnEvents(db.Events{
			BeforeExecute: func(_ context.Context, x *db.Execution) error {
				h.add("before " + x.Op)
				x.Data = "mine"
				return nil
			},
			AfterExecute: func(_ context.Context, x *db.Execution) {
				h.add("after " + x.Op)
				last = x
			},
		}))
		table := c.table("id integer primary key", "value varchar(100)")
		h.take()
		query := "insert into " + table + " (id, value) values (:id, :value)"
		c.exec(e, query, itemOf(1))
		require.Equal(c, []string{"before exec", "after exec"}, h.take())
		require.Equal(c, query, last.Statement)
		require.EqualValues(c, 1, last.Affected)
		require.Equal(c, "mine", last.Data)
		require.Len(c, last.Params, 2)
		require.Positive(c, last.Duration)
		require.False(c, last.InTx)
		_, err := e.Query(c.ctx, "select * from "+table)
		require.NoError(c, err)
		require.Equal(c, []string{"before query", "after query"}, h.take())
		require.Equal(c, 1, last.Rows)
		_, err = e.Exec(c.ctx, "select * from dbconform_nothing")
		c.is(err, db.ErrUndefinedTable)
		require.ErrorIs(c, last.Err, db.ErrUndefinedTable)
	}},
	{"an event can refuse a statement", func(c *run) {
		refuse := false
		c.engine(db.OnEvents(db.Events{BeforeExecute: func(_ context.Context, x *db.Execution) error {
			if refuse {
				return errOfTheCase
			}
			return nil
		}}))
		table := c.table("id integer")
		refuse = true
		_, err := c.engine().Exec(c.ctx, "insert into "+table+" values (1)")
		require.ErrorIs(c, err, errOfTheCase)
		refuse = false
		require.Zero(c, c.count(c.engine(), table))
	}},
	{"transactions and savepoints", func(c *run) {
		var h heard
		on := func(what string) func(context.Context, db.TxEvent) {
			return func(_ context.Context, x db.TxEvent) {
				if x.Err != nil {
					what += " failed"
				}
				h.add(what)
			}
		}
		e := c.engine(db.OnEvents(db.Events{Begin: on("begin"), Savepoint: on("savepoint"), Commit: on("commit"), Rollback: on("rollback")}))
		require.NoError(c, e.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.exec(tx, "select 1")
			return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return nil })
		}))
		require.Equal(c, []string{"begin", "savepoint", "commit", "commit"}, h.take())
		require.ErrorIs(c, e.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error { return errOfTheCase }), errOfTheCase)
		require.Equal(c, []string{"begin", "rollback"}, h.take())
	}},
	{"statements in a transaction say so", func(c *run) {
		var in []bool
		e := c.engine(db.OnEvents(db.Events{AfterExecute: func(_ context.Context, x *db.Execution) { in = append(in, x.InTx) }}))
		require.NoError(c, e.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.exec(tx, "select 1")
			return nil
		}))
		c.exec(e, "select 1")
		require.Equal(c, []bool{true, false}, in)
	}},
	{"a connection is set up before its first use, and stays so", func(c *run) {
		c.needs("Settings")
		e := c.engine(db.OnEvents(db.Events{Connect: func(ctx context.Context, conn *db.Conn) error {
			_, err := conn.Exec(ctx, c.Settings)
			return err
		}}))
		plain := c.another()
		show := func(q db.Querier) string {
			v, err := db.Scalar[string](c.ctx, q, c.ShowSettings)
			require.NoError(c, err)
			return v
		}
		usual := show(plain)
		for range 3 {
			require.NotEqual(c, usual, show(e), "statements of the engine's own see it, too")
			conn := c.conn(e)
			require.NotEqual(c, usual, show(conn))
			c.close(conn)
		}
	}},
	{"checkout and checkin", func(c *run) {
		var h heard
		var id int64
		e := c.engine(db.OnEvents(db.Events{
			Checkout: func(_ context.Context, x db.ConnInfo) { id = x.ID; h.add("out") },
			Checkin:  func(_ context.Context, x db.ConnInfo) { require.Equal(c, id, x.ID); h.add("in") },
		}))
		h.take()
		conn := c.conn(e)
		require.Equal(c, []string{"out"}, h.take())
		c.close(conn)
		require.Equal(c, []string{"in"}, h.take())
		require.Positive(c, id)
	}},
	{"errors are heard once, and can be rewritten", func(c *run) {
		n := 0
		e := c.engine(db.OnEvents(db.Events{Error: func(_ context.Context, err *db.Error) error {
			n++
			if errors.Is(err, db.ErrUndefinedTable) {
				return errOfTheCase
			}
			return nil
		}}))
		_, err := e.Exec(c.ctx, "select * from dbconform_nothing")
		require.True(c, err == errOfTheCase)
		require.Equal(c, 1, n)
		_, err = e.Exec(c.ctx, "selec")
		c.is(err, db.ErrSyntax)
		require.Equal(c, 2, n)
		err = e.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "select * from dbconform_nothing")
			return err
		})
		require.ErrorIs(c, err, errOfTheCase)
		require.Equal(c, 3, n)
	}},
	{"events know the token, and not what is hidden", func(c *run) {
		var last *db.Execution
		e := c.engine(db.OnEvents(db.Events{AfterExecute: func(_ context.Context, x *db.Execution) { last = x }}))
		table := c.table("id integer")
		conn := c.conn(e, db.LogToken("import"), db.HideParameters())
		c.exec(conn, "insert into "+table+" values (:id)", named("id", 1))
		require.Equal(c, "import", last.Token)
		require.Nil(c, last.Params)
		c.close(conn)
	}},
	{"many rows are statements, too", func(c *run) {
		n := 0
		e := c.engine(db.OnEvents(db.Events{AfterExecute: func(_ context.Context, x *db.Execution) { n++ }}))
		table := c.table("id integer primary key", "value varchar(100)")
		n = 0
		_, err := db.ExecMany(c.ctx, e, "update "+table+" set value = :value where id = :id", itemsTo(5))
		require.NoError(c, err)
		require.Equal(c, 5, n)
	}},
}
