package dbconform

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// sqlDoor are the cases about Engine.SQL: code written for database/sql, on the connections of an
// Engine.
var sqlDoor = []test{
	{"statements, results and rows", func(c *run) {
		table, door := c.items(0), c.engine().SQL()
		require.Same(c, door, c.engine().SQL())
		for id := 1; id <= 3; id++ {
			result, err := door.ExecContext(c.ctx, c.native("insert into "+table+" (id, value) values (?, ?)"), id, fmt.Sprint("value ", id))
			require.NoError(c, err)
			n, err := result.RowsAffected()
			require.NoError(c, err)
			require.EqualValues(c, 1, n)
		}
		rows, err := door.QueryContext(c.ctx, c.native("select id, value from "+table+" where id > ? order by id"), 1)
		require.NoError(c, err)
		defer rows.Close()
		columns, err := rows.Columns()
		require.NoError(c, err)
		require.Equal(c, []string{"id", "value"}, columns)
		var got []item
		for rows.Next() {
			var it item
			require.NoError(c, rows.Scan(&it.ID, &it.Value))
			got = append(got, it)
		}
		require.NoError(c, rows.Err())
		require.Equal(c, []item{itemOf(2), itemOf(3)}, got)
		require.ErrorIs(c, door.QueryRowContext(c.ctx, "select id from "+table+" where 1 = 0").Scan(new(int)), sql.ErrNoRows)
		require.NoError(c, door.PingContext(c.ctx))
		_, err = door.ExecContext(c.ctx, " -- nothing")
		require.NoError(c, err)
		require.Equal(c, 3, c.count(c.engine(), table), "both see the same")
	}},
	{"the key that was made", func(c *run) {
		table := c.table("id "+c.Key, "value varchar(100)")
		result, err := c.engine().SQL().ExecContext(c.ctx, "insert into "+table+" (value) values ('a')")
		require.NoError(c, err)
		id, err := result.LastInsertId()
		if !c.can("LastInsertID") {
			require.ErrorContains(c, err, "returning")
			return
		}
		require.NoError(c, err)
		require.EqualValues(c, 1, id)
		for _, text := range []string{"update " + table + " set value = 'b'", "delete from " + table} {
			result, err := c.engine().SQL().ExecContext(c.ctx, text)
			require.NoError(c, err)
			id, err := result.LastInsertId()
			require.NoError(c, err, "it made no key")
			require.Zero(c, id)
		}
	}},
	{"prepared statements are shared", func(c *run) {
		table, door := c.items(20), c.engine().SQL()
		st, err := door.PrepareContext(c.ctx, c.native("select value from "+table+" where id = ?"))
		require.NoError(c, err)
		defer st.Close()
		require.NoError(c, c.together(20, func(ctx context.Context, i int) error {
			var value string
			if err := st.QueryRowContext(ctx, i+1).Scan(&value); err != nil || value != itemOf(i+1).Value {
				return fmt.Errorf("row %d: %q, %w", i+1, value, err)
			}
			return nil
		}))
		_, err = st.QueryContext(c.ctx)
		require.ErrorIs(c, err, db.ErrParameter, "an argument is missing")
		faulty, err := door.PrepareContext(c.ctx, "select id from dbconform_nothing")
		if err == nil {
			defer faulty.Close()
			_, err = faulty.ExecContext(c.ctx)
		}
		require.ErrorIs(c, err, db.ErrUndefinedTable)
	}},
	{"values are those of database/sql", func(c *run) {
		table := c.table("id integer primary key", "n "+c.Integer, "f "+c.Float, "t "+c.Text, "b "+c.Bytes, "y "+c.Bool, "m "+c.Moment)
		door := c.engine().SQL()
		moment := time.Date(2024, 2, 29, 12, 30, 15, 0, time.UTC)
		insert := c.native("insert into " + table + " values (?, ?, ?, ?, ?, ?, ?)")
		_, err := door.ExecContext(c.ctx, insert, 1, int64(1)<<60, 2.5, "text", []byte{0, 1}, true, moment)
		require.NoError(c, err)
		_, err = door.ExecContext(c.ctx, insert, 2, nil, sql.NullFloat64{}, (*string)(nil), []byte(nil), sql.NullBool{}, nil)
		require.NoError(c, err)
		rows, err := door.QueryContext(c.ctx, "select n, f, t, b, y, m from "+table+" order by id")
		require.NoError(c, err)
		defer rows.Close()
		var (
			n sql.NullInt64
			f sql.NullFloat64
			t sql.NullString
			b []byte
			y sql.NullBool
			m sql.NullTime
		)
		require.True(c, rows.Next())
		require.NoError(c, rows.Scan(&n, &f, &t, &b, &y, &m))
		require.Equal(c, int64(1)<<60, n.Int64)
		require.Equal(c, 2.5, f.Float64)
		require.Equal(c, "text", t.String)
		require.Equal(c, []byte{0, 1}, b)
		require.True(c, y.Bool)
		require.WithinDuration(c, moment, m.Time, 0)
		require.True(c, rows.Next())
		require.NoError(c, rows.Scan(&n, &f, &t, &b, &y, &m))
		require.False(c, n.Valid || f.Valid || t.Valid || y.Valid || m.Valid)
		require.Nil(c, b)
		require.False(c, rows.Next())
		require.NoError(c, rows.Err())
		got, err := db.Scalar[time.Time](c.ctx, c.engine(), "select m from "+table+" where id = 1")
		require.NoError(c, err)
		require.True(c, moment.Equal(got), "package db reads the same")
	}},
	{"the types of columns", func(c *run) {
		table := c.items(1)
		rows, err := c.engine().SQL().QueryContext(c.ctx, "select id, value from "+table)
		require.NoError(c, err)
		defer rows.Close()
		types, err := rows.ColumnTypes()
		require.NoError(c, err)
		require.Len(c, types, 2)
		require.Contains(c, strings.ToUpper(types[0].DatabaseTypeName()), "INT")
		require.Contains(c, strings.ToUpper(types[1].DatabaseTypeName()), "CHAR")
		require.True(c, rows.Next(), "the rows come all the same")
	}},
	{"transactions", func(c *run) {
		table, door := c.items(0), c.engine().SQL()
		insert := func(tx *sql.Tx, id int) {
			_, err := tx.ExecContext(c.ctx, c.native("insert into "+table+" (id, value) values (?, 'x')"), id)
			require.NoError(c, err)
		}
		tx, err := door.BeginTx(c.ctx, nil)
		require.NoError(c, err)
		insert(tx, 1)
		rows, err := tx.QueryContext(c.ctx, "select id from "+table)
		require.NoError(c, err)
		insert(tx, 2) // while rows are open
		require.True(c, rows.Next())
		require.NoError(c, rows.Close())
		require.NoError(c, tx.Commit())
		require.ErrorIs(c, tx.Commit(), sql.ErrTxDone)
		tx, err = door.BeginTx(c.ctx, nil)
		require.NoError(c, err)
		insert(tx, 3)
		require.NoError(c, tx.Rollback())
		require.Equal(c, 2, c.count(c.engine(), table))

		tx, err = door.BeginTx(c.ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelSerializable})
		require.NoError(c, err)
		_, err = tx.ExecContext(c.ctx, "delete from "+table)
		require.ErrorIs(c, err, db.ErrReadOnly)
		require.NoError(c, tx.Rollback())
		_, err = door.BeginTx(c.ctx, &sql.TxOptions{Isolation: sql.LevelLinearizable})
		require.ErrorIs(c, err, errors.ErrUnsupported)
		for _, text := range []string{"begin", "commit", "rollback"} {
			_, err = door.ExecContext(c.ctx, text)
			require.ErrorIs(c, err, db.ErrMisuse, text)
		}
		for range 3 { // each new transaction finds a free connection
			tx, err := door.BeginTx(c.ctx, nil)
			require.NoError(c, err)
			insert(tx, 3)
			require.NoError(c, tx.Rollback())
		}
	}},
	{"savepoints as texts", func(c *run) {
		table, door := c.items(0), c.engine().SQL()
		tx, err := door.BeginTx(c.ctx, nil)
		require.NoError(c, err)
		defer tx.Rollback()
		do := func(texts ...string) {
			for _, text := range texts {
				_, err := tx.ExecContext(c.ctx, text)
				require.NoError(c, err, text)
			}
		}
		insert := func(id int) string { return fmt.Sprintf("insert into %s (id, value) values (%d, 'x')", table, id) }
		do(insert(1), "SAVEPOINT a", insert(2), "savepoint B", insert(3), "rollback to savepoint b", insert(4), "release savepoint b")
		_, err = tx.ExecContext(c.ctx, insert(1))
		require.ErrorIs(c, err, db.ErrUnique)
		do("rollback to a", insert(5), "savepoint c", insert(6))
		_, err = tx.ExecContext(c.ctx, "rollback to nowhere")
		require.ErrorIs(c, err, db.ErrUndefined)
		require.NoError(c, tx.Commit(), "with two savepoints open")
		ids, err := db.All[int](c.ctx, c.engine(), "select id from "+table+" order by id")
		require.NoError(c, err)
		require.Equal(c, []int{1, 5, 6}, ids)
		_, err = door.ExecContext(c.ctx, "savepoint a")
		require.ErrorIs(c, err, db.ErrMisuse)
	}},
	{"an error in a savepoint counts in the commit", func(c *run) {
		table, door := c.items(1), c.engine().SQL()
		tx, err := door.BeginTx(c.ctx, nil)
		require.NoError(c, err)
		_, err = tx.ExecContext(c.ctx, "savepoint a")
		require.NoError(c, err)
		_, err = tx.ExecContext(c.ctx, "insert into "+table+" (id, value) values (1, 'again')")
		require.ErrorIs(c, err, db.ErrUnique)
		if err = tx.Commit(); c.can("ErrorFailsTx") {
			require.ErrorIs(c, err, db.ErrTxFailed)
		} else {
			require.NoError(c, err)
		}
	}},
	{"a transaction ends with its context", func(c *run) {
		table, door := c.items(0), c.engine().SQL()
		ctx, cancel := context.WithCancel(c.ctx)
		defer cancel()
		tx, err := door.BeginTx(ctx, nil)
		require.NoError(c, err)
		_, err = tx.ExecContext(ctx, "insert into "+table+" (id, value) values (1, 'x')")
		require.NoError(c, err)
		cancel()
		require.Error(c, tx.Commit())
		// The rollback may come from a goroutine of database/sql.
		c.until("the transaction's connection is back", func() bool { return c.engine().Stats().InUse == 0 })
		require.Zero(c, c.count(c.engine(), table))
	}},
	{"a connection keeps what is left on it until it is closed", func(c *run) {
		c.needs("Settings")
		door := c.engine().SQL()
		show := func(q interface {
			QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
		}) (v string) {
			require.NoError(c, q.QueryRowContext(c.ctx, c.ShowSettings).Scan(&v))
			return v
		}
		before := show(door)
		conn, err := door.Conn(c.ctx)
		require.NoError(c, err)
		_, err = conn.ExecContext(c.ctx, c.Settings)
		require.NoError(c, err)
		after := show(conn)
		require.NotEqual(c, before, after)
		tx, err := conn.BeginTx(c.ctx, nil)
		require.NoError(c, err)
		require.Equal(c, after, show(tx))
		require.NoError(c, tx.Commit())
		require.Equal(c, 1, c.engine().Stats().InUse)
		require.NoError(c, conn.Close())
		require.Zero(c, c.engine().Stats().InUse)
		for range 3 {
			require.Equal(c, before, show(door))
		}
		_, err = door.ExecContext(c.ctx, c.Settings)
		require.NoError(c, err)
		require.Equal(c, before, show(door), "through the sql.DB it has no effect on others")
	}},
	{"one pool behind every door", func(c *run) {
		e := c.engine(db.PoolSize(1), db.MaxOverflow(0))
		table, door := c.items(1), e.SQL()
		tx, err := door.BeginTx(c.ctx, nil)
		require.NoError(c, err)
		_, err = tx.ExecContext(c.ctx, "update "+table+" set value = 'x'")
		require.NoError(c, err)
		require.Equal(c, 1, e.Stats().InUse)
		begun := c.start(c.ctx, func(ctx context.Context) error {
			return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "update "+table+" set value = 'y'")
				return err
			})
		})
		c.until("the Engine's transaction waits", func() bool { return e.Stats().Waiting == 1 })
		require.NoError(c, tx.Commit())
		require.NoError(c, begun())
		value, err := db.Scalar[string](c.ctx, e, "select value from "+table)
		require.NoError(c, err)
		require.Equal(c, "y", value)
	}},
	{"many callers at once", func(c *run) {
		table, door := c.items(0), c.engine().SQL()
		require.NoError(c, c.together(100, func(ctx context.Context, i int) error {
			if i%2 == 0 {
				_, err := door.ExecContext(ctx, c.native("insert into "+table+" (id, value) values (?, 'x')"), i)
				return err
			}
			tx, err := door.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if _, err := tx.ExecContext(ctx, c.native("insert into "+table+" (id, value) values (?, 'x')"), i); err != nil {
				return err
			}
			return tx.Commit()
		}))
		require.Equal(c, 100, c.count(c.engine(), table))
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"rows as they are read", func(c *run) {
		c.needs("Stream")
		table, door := c.items(2000), c.engine().SQL()
		ctx, cancel := context.WithCancel(db.StreamSQL(c.ctx))
		defer cancel()
		rows, err := door.QueryContext(ctx, "select id from "+table+" order by id")
		require.NoError(c, err)
		require.Equal(c, 1, c.engine().Stats().InUse, "they have a connection")
		n := 0
		for rows.Next() {
			var id int
			require.NoError(c, rows.Scan(&id))
			n++
			require.Equal(c, n, id)
		}
		require.NoError(c, rows.Err())
		require.NoError(c, rows.Close())
		require.Equal(c, 2000, n)
		rows, err = door.QueryContext(ctx, "select id from "+table+" where id < 500")
		require.NoError(c, err)
		require.True(c, rows.Next())
		require.NoError(c, rows.Close())
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"errors are those of package db", func(c *run) {
		table, door := c.items(1), c.engine().SQL()
		_, err := door.ExecContext(c.ctx, c.native("insert into "+table+" (id, value) values (?, ?)"), 1, "again")
		e := c.is(err, db.ErrUnique)
		require.Contains(c, e.Statement, "insert into "+table)
		require.NotContains(c, err.Error(), "again")
		_, err = door.QueryContext(c.ctx, "select 1; select 2")
		require.ErrorIs(c, err, db.ErrMisuse)
		_, err = door.ExecContext(c.ctx, c.native("delete from "+table+" where id = ?")+"; delete from "+table, 1)
		require.ErrorIs(c, err, db.ErrSyntax)
		_, err = door.ExecContext(c.ctx, c.native("insert into "+table+" (id, value) values (2, ?)"), make(chan int))
		require.Error(c, err)
		ctx, cancel := context.WithCancel(c.ctx)
		cancel()
		_, err = door.ExecContext(ctx, "delete from "+table)
		require.ErrorIs(c, err, context.Canceled)
		require.Equal(c, 1, c.count(c.engine(), table))
	}},
	{"a slow query ends with its context", func(c *run) {
		c.needs("SlowQuery")
		ctx, cancel := context.WithTimeout(c.ctx, 50*time.Millisecond)
		defer cancel()
		_, err := c.engine().SQL().ExecContext(ctx, c.SlowQuery)
		require.ErrorIs(c, err, context.DeadlineExceeded)
		require.NoError(c, c.engine().SQL().PingContext(c.ctx))
	}},
	{"what is lost is repeated only if nothing can have been applied", func(c *run) {
		c.needs("Cut")
		door := c.engine().SQL()
		table := c.items(0)
		tx, err := door.BeginTx(c.ctx, nil)
		require.NoError(c, err)
		_, err = tx.ExecContext(c.ctx, "insert into "+table+" (id, value) values (1, 'x')")
		require.NoError(c, err)
		conn, err := door.Conn(c.ctx)
		require.NoError(c, err)
		require.NoError(c, conn.Raw(func(v any) error {
			own, err := v.(*db.VirtualConn).Conn(c.ctx)
			if err == nil {
				c.Cut(c.T, c.ctx, own)
			}
			return err
		}))
		_, err = conn.ExecContext(c.ctx, "insert into "+table+" (id, value) values (2, 'x')")
		require.Error(c, err, "the sql.Conn is that connection")
		require.False(c, errors.Is(err, driver.ErrBadConn) && errors.Is(err, db.ErrUnknownOutcome), err)
		_ = conn.Close()
		require.NoError(c, tx.Commit(), "it has another one")
		require.Equal(c, 1, c.count(c.engine(), table))
		_, err = door.ExecContext(c.ctx, "insert into "+table+" (id, value) values (3, 'x')")
		require.NoError(c, err)
	}},
	{"Raw shows the Engine's connection", func(c *run) {
		table, door := c.items(0), c.engine().SQL()
		conn, err := door.Conn(c.ctx)
		require.NoError(c, err)
		require.NoError(c, conn.Raw(func(v any) error {
			virtual := v.(*db.VirtualConn)
			require.Same(c, c.engine(), virtual.Engine())
			require.Nil(c, virtual.Tx())
			own, err := virtual.Conn(c.ctx)
			require.NoError(c, err)
			c.insert(own, table, 1)
			return nil
		}))
		tx, err := conn.BeginTx(c.ctx, nil)
		require.NoError(c, err)
		require.NoError(c, conn.Raw(func(v any) error {
			virtual := v.(*db.VirtualConn)
			c.insert(virtual.Tx(), table, 2)
			_, err := virtual.Conn(c.ctx)
			require.ErrorIs(c, err, db.ErrMisuse)
			return nil
		}))
		require.NoError(c, tx.Rollback())
		require.NoError(c, conn.Close())
		require.Equal(c, 1, c.count(c.engine(), table))
	}},
	{"what would tell of another statement is refused", func(c *run) {
		for _, text := range []string{"select last_insert_id()", "select changes()", "select lastval()"} {
			_, err := c.engine().SQL().QueryContext(c.ctx, text)
			require.ErrorIs(c, err, db.ErrMisuse, text)
		}
	}},
	{"it ends with the Engine, not the other way round", func(c *run) {
		e := c.another()
		door := e.SQL()
		require.NoError(c, door.PingContext(c.ctx))
		require.NoError(c, door.Close())
		require.Error(c, door.PingContext(c.ctx))
		require.NoError(c, e.SQL().PingContext(c.ctx), "it is another one")
		conn, err := e.SQL().Conn(c.ctx)
		require.NoError(c, err)
		require.NoError(c, e.Close(c.ctx))
		_, err = conn.ExecContext(c.ctx, "select 1")
		assert.Error(c, err)
		assert.Error(c, e.SQL().PingContext(c.ctx))
		_ = conn.Close()
	}},
}

// native writes a text with the database's own placeholders.
func (c *run) native(text string) string {
	d := c.engine().Dialect()
	var b strings.Builder
	n := 0
	for _, r := range text {
		if r == '?' {
			n++
			b.WriteString(d.Placeholder(n))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
