package mysql_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// emulating runs a test on an Engine that emulates every RETURNING.
func emulating(t *testing.T, fn func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour)) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		fn(t, ctx, dbtest.Open(t, ctx, server.Database(t).URL()+"?returning=emulated"), c)
	})
}

// An emulated statement returns what the server's own RETURNING does.
func TestEmulatedReturningIsTheServersOwn(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		schema := []string{
			"create table auto(id bigint auto_increment primary key, v varchar(20) not null default 'none', n int)",
			"create table small(n int, `the key` smallint unsigned not null auto_increment, v varchar(20), unique(`the key`))",
			"create table words(word varchar(50) collate utf8mb4_general_ci primary key, v varchar(20) default 'd')",
			"create table pairs(a int, b varchar(20), v date, primary key(b, a))",
			"create table kinds(id varbinary(16) primary key, j json, u uuid, d decimal(20,5), e enum('x', 'y'), b bit(9), f float, t timestamp(6))",
			"insert into auto(v, n) values ('one', 1), ('two', 2), ('three', 3), ('four', 4)",
			"insert into pairs values (1, 'x', '2024-01-02'), (2, 'x', null), (2, 'Y', '2024-12-31')",
			"create table returning_(returning_ int primary key, `returning` int)",
			"insert into returning_ values (1, 10), (2, 20)",
		}
		var results [2][]string
		for i, option := range []string{"native", "emulated"} {
			e := dbtest.Open(t, ctx, server.Database(t).URL()+"?returning="+option)
			dbtest.Exec(t, ctx, e, schema...)
			for _, c := range []struct {
				text string
				args []any
			}{
				{"insert into auto(v) values (:v) returning id, v, n", []any{db.Named("v", "a")}},
				{"insert into auto values (null, 'a', 7), (default, 'b', n) returning *", nil},
				{"insert into auto() values () returning id as v, v as id, auto.n", nil},
				{"insert into auto(n, v) value (1, 'x'), (2 + :n, concat('(', :v, ',')), (3, 'z') returning v, id, :n + n", []any{db.Named("n", 5), db.Named("v", "it's")}},
				{"insert into auto(id, v) values (:id, 'given') returning *", []any{db.Named("id", 100)}},
				{"insert into auto(id, v) values (:id, 'given'), (102, 'b'), (101, 'c') returning v, id, :id + 1", []any{db.Named("id", 103)}},
				{"insert into auto(id, v) values (:id, 'made') returning *", []any{db.Named("id", nil)}},
				{"insert into auto(id, v) values (-7, 'below') returning *", nil},
				{"replace into auto(id, v) values (1, 'new'), (50, 'fifty') returning *", nil},
				{"insert into `small` (v, `n`) values ('a', 1), ('b', 2) returning n, `the key` k, v", nil},
				{"insert low_priority into small values (1, 30, 'c') returning *", nil},
				{"insert into words(word) values (:w) returning *", []any{db.Named("w", "Straße")}},
				{"insert into words values ('b', 'x'), (:w, default), ('a', null) returning *", []any{db.Named("w", "ö  x")}},
				{"insert into pairs values (:a, 'z', '2024-02-29'), (1, 'ü', null), (1, 'b', null) returning a, b, v", []any{db.Named("a", 7)}},
				{"insert into kinds values (x'00ff', '{\"a\": 1}', '00112233-4455-6677-8899-aabbccddeeff', 1.5, 'y', b'100000001', 1.5, '2024-01-02 03:04:05.678901') returning *", nil},
				{"delete from auto where v in (:list) returning id, v", []any{db.Named("list", []string{"one", "four"})}},
				{"delete from auto where n = :n order by id desc limit 1 returning *", []any{db.Named("n", 2)}},
				{"delete from pairs where b = 'x' returning a, b, :x", []any{db.Named("x", "y")}},
				{"delete from words where v = 'nothing' returning *", nil},
				{"insert into returning_ values (3, 30) returning `returning`, returning_", nil},
				{"delete from returning_ where `returning` = 30 or returning_.returning = 10 returning *", nil},
			} {
				rows, err := e.Query(ctx, c.text, c.args...)
				require.NoError(t, err, c.text)
				text := fmt.Sprint(rows.Columns())
				text += all(t, rows)
				results[i] = append(results[i], c.text+" "+text)
			}
			for _, table := range []string{"auto", "small", "words", "pairs", "kinds", "returning_"} {
				rows, err := e.Query(ctx, "select * from "+table+" order by 1, 2")
				require.NoError(t, err)
				results[i] = append(results[i], table+" "+all(t, rows))
			}
		}
		require.Equal(t, results[0], results[1])
	})
}

// all returns rows as text.
func all(t *testing.T, rows *db.Rows) string {
	text := ""
	for rows.Next() {
		values, err := rows.Values()
		require.NoError(t, err)
		text += fmt.Sprintf(" %#v", values)
	}
	require.NoError(t, rows.Close())
	return text
}

func TestUpdateReturning(t *testing.T) {
	emulating(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e,
			"create table t(a int, b int, v varchar(20), n int, primary key(a, b))", "create table s(id bigint unsigned primary key, v varchar(20), `returning` int)",
			"insert into t values (1, 1, 'x', 1), (1, 2, 'y', 2), (2, 1, 'z', 3)", "insert into s values (1, 'a', 1), (18446744073709551615, 'b', 2)")
		type row struct {
			A, B, N int
			V       string
		}
		got, err := db.All[row](ctx, e, "update t set v = concat(v, :more), n = n * 10 where a = :a returning *", db.Named("more", "!"), db.Named("a", 1))
		require.NoError(t, err)
		require.ElementsMatch(t, []row{{1, 1, 10, "x!"}, {1, 2, 20, "y!"}}, got)
		got, err = db.All[row](ctx, e, "update t as x set x.n = -1 order by x.b desc, a limit 1 returning x.a, x.b, n, v")
		require.NoError(t, err)
		require.Equal(t, []row{{1, 2, -1, "y!"}}, got)
		got, err = db.All[row](ctx, e, "update t set n = 5 where n = 5 returning *")
		require.NoError(t, err)
		require.Empty(t, got)

		v, err := db.One[string](ctx, e, "update s set s.v = (select max(x.v) from (select v from s) x) where id > :id returning v", db.Named("id", uint64(1<<63)))
		require.NoError(t, err)
		require.Equal(t, "b", v)
		result, err := e.Exec(ctx, "update s set `returning` = s.returning + 1, v = v where `returning` > 0 returning id")
		require.NoError(t, err)
		require.EqualValues(t, 2, result.RowsAffected())
		result, err = e.Exec(ctx, "update s set v = 'none', `returning` = :r", db.Named("r", 9))
		require.NoError(t, err)
		require.EqualValues(t, 2, result.RowsAffected())

		id, err := db.First[uint64](ctx, e, "update s set v = 'c' order by id returning id")
		require.NoError(t, err)
		require.EqualValues(t, 1, id)
		stream, err := e.Stream(ctx, "update s set v = 'd' returning id")
		require.NoError(t, err)
		n := 0
		for _, err := range db.Each[uint64](stream) {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, 2, n)
		many, err := db.QueryMany[int](ctx, e, "update t set n = :n where a = :a and b = :b returning n", []map[string]any{{"n": 7, "a": 2, "b": 1}, {"n": 8, "a": 1, "b": 1}})
		require.NoError(t, err)
		require.Equal(t, []int{7, 8}, many)
	})
}

// If it can't be exact, the emulation fails without an effect, and says why and what to do instead.
func TestReturningThatCantBeEmulated(t *testing.T) {
	emulating(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e,
			"create table t(id int auto_increment primary key, n int unique)", "create table none(n int)", "insert into t values (1, 10), (2, 20)",
			"create table made(id varchar(36) default (uuid()) primary key, n int)",
			"create table moved(id int auto_increment primary key, n int)", "create trigger moves before insert on moved for each row set new.id = new.id + 1000",
			"create table tree(id int primary key, parent int, foreign key (parent) references tree(id) on delete cascade)",
			"insert into tree values (1, null), (2, 1)", "create table day(d date primary key)")
		count := func() int {
			n, err := db.Scalar[int](ctx, e, "select (select count(*) from t) + (select coalesce(sum(n), 0) from t) + (select count(*) from none) + "+
				"(select count(*) from made) + (select count(*) from moved) + (select count(*) from tree) + (select count(*) from day)")
			require.NoError(t, err)
			return n
		}
		before := count()
		for _, c := range []struct{ text, why, instead string }{
			{"insert into t(n) select 5 returning id", "INSERT … SELECT", "VALUES"},
			{"insert into t set n = 5 returning id", "INSERT … SET", "VALUES"},
			{"insert ignore into t(n) values (10), (11) returning id", "IGNORE", "RowsAffected"},
			{"insert into t(n) values (10) on duplicate key update n = n + 1 returning id", "ON DUPLICATE KEY UPDATE", "last_insert_id"},
			{"insert into t(id, n) values (null, 5), (7, 6) returning id", "some of the rows", "two statements"},
			{"insert into t(id, n) values (0, 5) returning id", "given as 0", "leave it out"},
			{"insert into t(id, n) values (3 + 4, 5) returning id", "given as 3 + 4", "integer"},
			{"insert into t(n) values (5), ((select 6)) returning id", "subquery", "one row at a time"},
			{"insert into t(n) values (5) returning (select max(n) from none)", "subquery", "apart"},
			{"insert into none values (1) returning n", "no primary key", "Exec"},
			{"insert into made(n) values (1) returning id", "the key id isn't given", "parameter"},
			{"insert into made values (uuid(), 1) returning id", "the key id isn't given", "parameter"},
			{"insert into moved(id, n) values (5, 1) returning id", "of 1 rows that were to be returned 0", "trigger"},
			{"insert into day values ('2024-01-02 03:04:05'), ('2025-01-01') returning d", "of 2 rows that were to be returned 1", "stored otherwise"},
			{"update t set id = id + 10 returning id", "changes the key id", "new keys"},
			{"update t set n = 5, `id` = 6 where id = 1 returning id", "changes the key id", "Exec"},
			{"update t, none set t.n = 1 returning id", "more than one table", "for update"},
			{"update t join none on true set t.n = 1 returning id", "more than one table", "for update"},
			{"update ignore t set n = 1 returning id", "IGNORE", "leave"},
			{"update t set n = 1 where id in (select n from none) returning id", "subquery", "for update"},
			{"update t set n = (@x := 1) where (@x := id) returning id", "sets variables", "before"},
			{"update none set n = 1 returning n", "no primary key", "Exec"},
			{"delete t from t join none on true returning id", "more than one table", "for update"},
			{"delete from t using t join none returning id", "more than one table", "for update"},
			{"delete from none returning n", "no primary key", "Exec"},
			{"delete from tree order by id returning id", "of 2 rows 1 were deleted", "in a transaction"},
			{"insert /*! ignore */ into t(n) values (10) returning id", "can't be read", "comments"},
		} {
			for _, how := range []string{"engine", "tx"} {
				run := func(q db.Querier) error {
					_, err := q.Exec(ctx, c.text)
					return err
				}
				var err error
				if how == "engine" {
					err = run(e)
				} else {
					require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
						err = run(tx)
						_, after := db.Scalar[int](ctx, tx, "select 1") // checks that the transaction goes on
						return after
					}))
				}
				require.ErrorIs(t, err, db.ErrUnsupported, c.text)
				require.ErrorContains(t, err, c.why, c.text)
				require.ErrorContains(t, err, c.instead, c.text)
				require.ErrorContains(t, err, "[SQL: "+c.text)
				require.Equal(t, before, count(), c.text)
			}
		}
	})
}

// After an error of the server, nothing of an emulated statement remains, and the transaction goes
// on.
func TestAnEmulatedReturningIsAllOrNothing(t *testing.T) {
	emulating(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table t(id int auto_increment primary key, n int unique)", "insert into t values (1, 10), (2, 20)")
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		for _, text := range []string{"insert into t(n) values (30), (10) returning id", "update t set n = 10 returning id"} {
			_, err := conn.Query(ctx, text)
			require.ErrorIs(t, err, db.ErrUnique)
		}
		for _, text := range []string{"insert into t(n) values (30) returning nope", "update t set n = n + 1 returning nope", "update t set n = 1 where false returning nope", "delete from t returning nope"} {
			_, err := conn.Query(ctx, text)
			require.ErrorIs(t, err, db.ErrUndefinedColumn, text)
			require.NoError(t, conn.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Query(ctx, text)
				require.ErrorIs(t, err, db.ErrUndefinedColumn)
				n, err := db.Scalar[int](ctx, tx, "select sum(n) from t")
				require.Equal(t, 30, n, text)
				return err
			}))
		}
		n, err := db.Scalar[int](ctx, conn, "select sum(n) from t")
		require.NoError(t, err)
		require.Equal(t, 30, n)
		// Outside of a transaction, the statement is committed by itself; inside, only with the
		// transaction.
		_, err = db.One[int](ctx, conn, "insert into t(n) values (30) returning id")
		require.NoError(t, err)
		tx, err := conn.BeginTx(ctx)
		require.NoError(t, err)
		_, err = db.One[int](ctx, tx, "insert into t(n) values (40) returning id")
		require.NoError(t, err)
		n, err = db.Scalar[int](ctx, e, "select sum(n) from t")
		require.NoError(t, err)
		require.Equal(t, 60, n)
		require.NoError(t, tx.Rollback(ctx))
	})
}

// Each caller gets the keys of its own rows, whatever other callers insert at the same time, and
// with any distance between keys.
func TestKeysMadeForSeveralAtOnce(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		at := server.Database(t)
		e := dbtest.Open(t, ctx, at.URL()+"?returning=emulated", db.OnEvents(db.Events{Connect: func(ctx context.Context, conn *db.Conn) error {
			_, err := conn.Exec(ctx, "set session auto_increment_increment = 7, session auto_increment_offset = 3")
			return err
		}}))
		dbtest.Exec(t, ctx, e, "create table t(id bigint auto_increment primary key, v varchar(40))")
		type row struct {
			ID int64
			V  string
		}
		var mu sync.Mutex
		all := map[int64]string{}
		require.NoError(t, c.Together(ctx, 8, func(ctx context.Context, i int) error {
			for round := range 10 {
				rows := make([]row, 1+(i+round)%5)
				for j := range rows {
					rows[j].V = fmt.Sprint(i, " ", round, " ", j)
				}
				got, err := db.QueryMany[row](ctx, e, "insert into t(v) values (:v) returning id, v", rows)
				if err != nil {
					return err
				}
				for j, r := range got {
					if r.V != rows[j].V {
						return fmt.Errorf("row %d is %q instead of %q", j, r.V, rows[j].V)
					}
					mu.Lock()
					all[r.ID] = r.V
					mu.Unlock()
				}
			}
			return nil
		}))
		stored, err := db.All[row](ctx, e, "select id, v from t")
		require.NoError(t, err)
		require.Len(t, all, len(stored))
		for _, r := range stored {
			require.Equal(t, all[r.ID], r.V)
		}
	})
}

// If a context ends during an emulated statement, nothing of the statement remains, and the
// connection stays.
func TestAnEmulatedReturningThatIsCancelled(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		at := server.Database(t)
		e := dbtest.Open(t, ctx, at.URL()+"?returning=emulated")
		dbtest.Exec(t, ctx, e, "create table t(id int auto_increment primary key, n int)", "insert into t values (1, 10), (2, 20)")
		holder, err := e.BeginTx(ctx)
		require.NoError(t, err)
		dbtest.Exec(t, ctx, holder, "update t set n = 11 where id = 1")
		for _, text := range []string{"update t set n = n + 1 returning id", "delete from t returning id", "insert into t(id, n) values (3, 5), (1, 5) returning id"} {
			ended, cancel := context.WithTimeout(ctx, 50e6)
			_, err = e.Exec(ended, text)
			require.ErrorIs(t, err, db.ErrTimeout, text)
			require.ErrorIs(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				ended, cancel := context.WithTimeout(ctx, 50e6)
				defer cancel()
				_, err := tx.Exec(ctx, "insert into t(id, n) values (50, 50)")
				require.NoError(t, err)
				_, err = tx.Exec(ended, text)
				_, again := tx.Exec(ctx, "select 1")
				require.ErrorIs(t, again, db.ErrTxFailed, "nobody knows what it did")
				return err
			}), db.ErrTimeout, text)
			cancel()
		}
		require.NoError(t, holder.Rollback(ctx))
		ns, err := db.All[int](ctx, e, "select n from t order by id")
		require.NoError(t, err)
		require.Equal(t, []int{10, 20}, ns)
		require.Zero(t, e.Stats().Discarded)
		ids, err := db.All[int](ctx, e, "update t set n = n + 1 returning id")
		require.NoError(t, err)
		require.Len(t, ids, 2)
	})
}
