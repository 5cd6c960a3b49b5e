package mysql_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// A comment that the server executes is part of the statement, whichever way it is sent.
func TestCommentsThatAreExecuted(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, server.Database(t).URL())
		dbtest.Exec(t, ctx, e, "create table t(id int, v int)")
		left := func(q db.Querier) []int {
			ids, err := db.All[int](ctx, q, "select id from t order by id /*!40000 desc */")
			require.NoError(t, err)
			return ids
		}
		deletes := []struct {
			text string
			args []any
		}{
			{"delete from t where id > 0 /*!40000 and v = 3 */", nil},
			{"/*!40000 delete from t where id > 0 and v = 3 */", nil},
			{"/*! delete */ from t where id > 0 /*M! and v = :v */", []any{db.Named("v", 3)}},
			{"delete from t where id > 0 /*!40000 and v in (:v) */ -- that's all", []any{db.Named("v", []int{3})}},
			{"delete from t where id > 0 /*!40000 and v = ':v */' or v = 3 */;", nil},
		}
		runs := func(q db.Querier) {
			for _, d := range deletes {
				_, err := q.Exec(ctx, "truncate t")
				if _, ok := q.(*db.Tx); ok {
					_, err = q.Exec(ctx, "delete from t")
				}
				require.NoError(t, err)
				_, err = q.Exec(ctx, "insert into t values (1, 1), (2, 2), (3, 3) /*!40000 , (4, 4) */")
				require.NoError(t, err)
				_, err = q.Exec(ctx, d.text, d.args...)
				require.NoError(t, err, d.text)
				require.Equal(t, []int{4, 2, 1}, left(q), d.text)
			}
		}
		runs(e)
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		runs(conn)
		require.NoError(t, conn.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			runs(tx)
			return nil
		}))
		require.NoError(t, conn.Close())

		_, err = db.ExecMany(ctx, e, "insert into t values (:id, :v) /*!40000 on duplicate key update v = 0 */", []map[string]any{{"id": 5, "v": 5}, {"id": 6, "v": 6}})
		require.NoError(t, err)
		rows, err := e.Stream(ctx, "select id from t where id > 0 /*!40000 and id > 4 */")
		require.NoError(t, err)
		n := 0
		for _, err := range db.Each[int](rows) {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, 2, n)
		// Each statement of a script is sent unchanged.
		_, err = e.Exec(ctx, "/*!40101 set @x = 1 */; delete from t where id > 0 /*!40000 and id < 6 */; /* nothing */ ; /*!99999 drop table t */;")
		require.NoError(t, err)
		require.Equal(t, []int{6}, left(e))
	})
}

// An emulated RETURNING keeps the comments and hints of the original statement.
func TestEmulatedReturningKeepsComments(t *testing.T) {
	server := testserver.MariaDB(t)
	at := server.Database(t)
	at.MustQuery(t, "set global log_output = 'TABLE'; set global general_log = 1")
	t.Cleanup(func() { at.MustQuery(t, "set global general_log = 0") })
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, server.Database(t).URL()+"?returning=emulated")
		dbtest.Exec(t, ctx, e, "create table t(id int auto_increment primary key, v int)", "create table p(a int, b int, primary key(a, b))")
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		thread, err := db.Scalar[int](ctx, conn, "select connection_id()")
		require.NoError(t, err)
		for i, s := range []struct {
			verb, text string
		}{
			{"insert", "/* begin %d */ insert /*+ MAX(1) */ into t (v) /* in */ values (1), (2) returning id, v /* end */"},
			{"insert", "-- begin %d\ninsert /*+ MAX(1) */ into p /* in */ values (1, 2), (3, 4) returning a -- end"},
			{"replace", "/* begin %d */ replace /*+ MAX(1) */ into p /* in */ values (1, 2) returning a; /* end */"},
			{"update", "/* begin %d */ update /*+ MAX(1) */ low_priority t /* in */ set v = 3 /* set */ where v > 0 -- it's\n returning id /* end */;"},
			{"delete", "/* begin %d */ delete /*+ MAX(1) */ quick from t /* in */ where v = 3 /* where */ order by id returning id -- end"},
		} {
			text := fmt.Sprintf(s.text, i)
			rows, err := conn.Query(ctx, text)
			require.NoError(t, err, text)
			require.NotEmpty(t, all(t, rows))
			made := at.MustQuery(t, fmt.Sprintf("select replace(argument, '\\n', '~') from mysql.general_log where thread_id = %d and command_type in ('Query', 'Execute') and argument like '%%begin %d%%'", thread, i))
			statements := strings.Split(strings.TrimSpace(made), "\n")
			require.Greater(t, len(statements), 1, made)
			own := 0
			for _, one := range statements {
				require.True(t, strings.HasPrefix(one, text[:5]), one)
				require.Regexp(t, "end( \\*/)?$", one)
				if strings.Contains(one, s.verb+" /*+ MAX(1) */") {
					require.Contains(t, one, "/* in */")
					own++
				}
			}
			require.Equal(t, 1, own, made)
		}
		require.NoError(t, conn.Close())
	})
}

// With a comment that the server executes, the parts of the statement aren't known.
func TestEmulatedReturningRefusesCommentsThatAreExecuted(t *testing.T) {
	emulating(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table t(id int auto_increment primary key, v varchar(20))")
		_, err := e.Query(ctx, "insert into t (v) values (1) /*!40000 , (2) */ returning id")
		require.ErrorIs(t, err, db.ErrUnsupported)
		require.ErrorContains(t, err, "comments that are executed")
		v, err := db.Scalar[string](ctx, e, "insert into t (v) values ('/*! */') returning v")
		require.NoError(t, err, "it is no comment")
		require.Equal(t, "/*! */", v)
	})
}
