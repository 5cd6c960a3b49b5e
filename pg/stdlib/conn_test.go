package stdlib_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

func TestOpenByName(t *testing.T) {
	url := testserver.Postgres(t).Database(t).URL()
	db, err := sql.Open("repaint", url)
	require.NoError(t, err)
	require.NoError(t, db.Ping())
	assert.Equal(t, 42, one[int](t, db, context.Background(), "select $1::int", 42))
	require.NoError(t, db.Close())
	require.ErrorContains(t, db.Ping(), "closed")

	_, err = sql.Open("repaint", "postgres://%zz")
	require.Error(t, err, "a bad connection string is refused at once")

	config, err := pg.ParseConfig(url)
	require.NoError(t, err)
	config.Conn.RuntimeParams["application_name"] = "registered"
	name := stdlib.RegisterConfig(config)
	db, err = sql.Open(stdlib.Name, name)
	require.NoError(t, err)
	assert.Equal(t, "registered", one[string](t, db, context.Background(), "show application_name"))
	require.NoError(t, db.Close())
	stdlib.UnregisterConfig(name)
	_, err = sql.Open(stdlib.Name, name)
	require.Error(t, err)
}

func TestStatementsOfManyCallersShareLanes(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		d.exec(t, "create table t (id int primary key)")
		fns := make([]func(context.Context), 200)
		for i := range fns {
			fns[i] = func(ctx context.Context) {
				_, err := d.ExecContext(ctx, "insert into t values ($1)", i)
				assert.NoError(t, err)
				assert.Equal(t, i, one[int](t, d, ctx, "select id from t where id = $1", i))
			}
		}
		d.run(fns...)
		assert.Equal(t, 200, one[int](t, d, d.ctx, "select count(*) from t"))
		assert.Zero(t, d.pg.Stats().SessionOpens, "sessions")
	}, func(c *pg.Config) { c.Lanes = 2 })
}

func TestResult(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		d.exec(t, "create table t (id int generated always as identity, v int)")
		r, err := d.ExecContext(d.ctx, "insert into t (v) values (1), (2), (3)")
		require.NoError(t, err)
		n, err := r.RowsAffected()
		require.NoError(t, err)
		assert.EqualValues(t, 3, n)
		_, err = r.LastInsertId()
		assert.ErrorContains(t, err, "RETURNING")
		assert.Equal(t, 4, one[int](t, d, d.ctx, "insert into t (v) values (4) returning id"))
	})
}

func TestErrors(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		d.exec(t, "create table t (id int primary key)")
		d.exec(t, "insert into t values (1)")
		var server *pgconn.PgError
		_, err := d.ExecContext(d.ctx, "insert into t values (1)")
		require.ErrorAs(t, err, &server)
		assert.Equal(t, "23505", server.Code)
		// An error that comes in place of the first row is the query's, a later one that of the rows.
		_, err = d.QueryContext(d.ctx, "select 1/0")
		require.ErrorAs(t, err, &server)
		assert.Equal(t, "22012", server.Code)

		ctx, cancel := context.WithTimeout(d.ctx, 50*time.Millisecond)
		defer cancel()
		_, err = d.ExecContext(ctx, "select pg_sleep(30)")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = d.QueryContext(ctx, "select 1")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, d.PingContext(d.ctx))
		assert.ErrorIs(t, d.QueryRowContext(d.ctx, "select 1 where false").Scan(new(int)), sql.ErrNoRows)
	})
}

func TestPreparedStatements(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		faulty, err := d.PrepareContext(d.ctx, "select nothing from nowhere")
		if repaint.InGreenlet() {
			require.NoError(t, err)
			_, err = faulty.ExecContext(d.ctx)
			require.NoError(t, faulty.Close())
		}
		var server *pgconn.PgError
		require.ErrorAs(t, err, &server)
		assert.Equal(t, "42P01", server.Code)

		s, err := d.PrepareContext(d.ctx, "select $1::int + $2::int")
		require.NoError(t, err)
		defer s.Close()
		fns := make([]func(context.Context), 50)
		for i := range fns {
			fns[i] = func(ctx context.Context) {
				var sum int
				assert.NoError(t, s.QueryRowContext(ctx, i, 1).Scan(&sum))
				assert.Equal(t, i+1, sum)
			}
		}
		d.run(fns...)
		_, err = s.QueryContext(d.ctx, 1)
		assert.ErrorContains(t, err, "expected 2 arguments, got 1")
		assert.Zero(t, d.pg.Stats().SessionOpens, "sessions")

		tx, err := d.BeginTx(d.ctx, nil)
		require.NoError(t, err)
		defer tx.Rollback()
		_, err = tx.ExecContext(d.ctx, "create temp table t (id int) on commit drop")
		require.NoError(t, err)
		in, err := tx.PrepareContext(d.ctx, "insert into t values ($1)")
		require.NoError(t, err, "what the transaction has made is known")
		_, err = in.ExecContext(d.ctx, 5)
		require.NoError(t, err)
		var sum int
		require.NoError(t, tx.StmtContext(d.ctx, s).QueryRowContext(d.ctx, 2, 3).Scan(&sum))
		assert.Equal(t, 5, sum)
		require.NoError(t, tx.Commit())
	})
}

func TestTransactions(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		d.exec(t, "create table t (id int)")
		tx, err := d.BeginTx(d.ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(d.ctx, "insert into t values (1)")
		require.NoError(t, err)
		assert.Zero(t, one[int](t, d, d.ctx, "select count(*) from t"), "others don't see it yet")
		require.NoError(t, tx.Commit())
		assert.ErrorIs(t, tx.Commit(), sql.ErrTxDone)
		assert.Equal(t, 1, one[int](t, d, d.ctx, "select count(*) from t"))

		tx, err = d.BeginTx(d.ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(d.ctx, "insert into t values (2)")
		require.NoError(t, err)
		require.NoError(t, tx.Rollback())
		assert.Equal(t, 1, one[int](t, d, d.ctx, "select count(*) from t"))

		for level, want := range map[sql.IsolationLevel]string{
			sql.LevelDefault: "read committed", sql.LevelReadUncommitted: "read uncommitted", sql.LevelReadCommitted: "read committed",
			sql.LevelRepeatableRead: "repeatable read", sql.LevelSnapshot: "repeatable read", sql.LevelSerializable: "serializable",
		} {
			tx, err := d.BeginTx(d.ctx, &sql.TxOptions{Isolation: level, ReadOnly: true})
			require.NoError(t, err)
			assert.Equal(t, want, one[string](t, tx, d.ctx, "show transaction_isolation"))
			_, err = tx.ExecContext(d.ctx, "insert into t values (3)")
			assert.ErrorContains(t, err, "read-only")
			require.NoError(t, tx.Rollback())
		}
		for _, level := range []sql.IsolationLevel{sql.LevelLinearizable, sql.LevelWriteCommitted, 99} {
			_, err := d.BeginTx(d.ctx, &sql.TxOptions{Isolation: level})
			assert.ErrorContains(t, err, "isolation")
		}

		// A failed transaction can't be committed.
		tx, err = d.BeginTx(d.ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(d.ctx, "select 1/0")
		require.Error(t, err)
		assert.Error(t, tx.Commit())
		assert.Equal(t, d.pg.Stats().Sessions, d.pg.Stats().IdleSessions, "every session has come back")
	})
}

func TestATransactionEndsWithItsContext(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		d.exec(t, "create table t (id int)")
		ctx, cancel := context.WithCancel(d.ctx)
		tx, err := d.BeginTx(ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(ctx, "insert into t values (1)")
		require.NoError(t, err)
		cancel()
		// It is rolled back by a goroutine of database/sql, after which the only session is free.
		tx, err = d.BeginTx(d.ctx, nil)
		require.NoError(t, err)
		assert.Zero(t, one[int](t, tx, d.ctx, "select count(*) from t"))
		require.NoError(t, tx.Commit())
	}, func(c *pg.Config) { c.Sessions = 1 })
}

func TestAStatementThatLeavesSomethingBehindGetsASession(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		conn, err := d.Conn(d.ctx)
		require.NoError(t, err)
		for _, s := range []string{
			"set statement_timeout = '1234ms'",
			"create temp table mine (id int)",
			"listen news",
			"select pg_advisory_lock(7)",
		} {
			_, err = conn.ExecContext(d.ctx, s)
			require.NoError(t, err, s)
		}
		assert.Equal(t, "1234ms", one[string](t, conn, d.ctx, "show statement_timeout"))
		assert.Zero(t, one[int](t, conn, d.ctx, "select count(*) from mine"))
		assert.False(t, one[bool](t, d, d.ctx, "select pg_try_advisory_xact_lock(7)"))
		assert.Equal(t, "0", one[string](t, d, d.ctx, "show statement_timeout"))
		require.NoError(t, conn.Close())

		// All of it has gone with the sql.Conn, also for the next one, which has the same session.
		conn, err = d.Conn(d.ctx)
		require.NoError(t, err)
		_, err = conn.ExecContext(d.ctx, "set extra_float_digits = 1")
		require.NoError(t, err)
		assert.Equal(t, "0", one[string](t, conn, d.ctx, "show statement_timeout"))
		assert.True(t, one[bool](t, conn, d.ctx, "select pg_try_advisory_xact_lock(7)"))
		_, err = conn.ExecContext(d.ctx, "select * from mine")
		assert.ErrorContains(t, err, "mine")
		require.NoError(t, conn.Close())
		assert.EqualValues(t, 1, d.pg.Stats().SessionOpens)
	}, func(c *pg.Config) { c.Sessions = 1 })
}

func TestTransactionsOnAConnThatOwnsASession(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		d.exec(t, "create table t (id int)")
		conn, err := d.Conn(d.ctx)
		require.NoError(t, err)
		_, err = conn.ExecContext(d.ctx, "create temp table mine (id int)")
		require.NoError(t, err)
		tx, err := conn.BeginTx(d.ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(d.ctx, "insert into mine values (1)")
		require.NoError(t, err)
		require.NoError(t, tx.Commit())
		assert.Equal(t, 1, one[int](t, conn, d.ctx, "select count(*) from mine"))
		// A BEGIN as text stays open until the sql.Conn is closed.
		_, err = conn.ExecContext(d.ctx, "begin")
		require.NoError(t, err)
		_, err = conn.ExecContext(d.ctx, "insert into t values (1)")
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		assert.Zero(t, one[int](t, d, d.ctx, "select count(*) from t"))
	})
}

func TestRaw(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		d.exec(t, "create table t (id int)")
		conn, err := d.Conn(d.ctx)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.Raw(func(c any) error {
			s, err := c.(*stdlib.Conn).Session(d.ctx)
			if err != nil {
				return err
			}
			_, err = s.CopyFrom(d.ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{1}, {2}}))
			return err
		}))
		assert.Equal(t, 2, one[int](t, conn, d.ctx, "select count(*) from t"))

		other, err := d.Conn(d.ctx)
		require.NoError(t, err)
		defer other.Close()
		tx, err := other.BeginTx(d.ctx, nil)
		require.NoError(t, err)
		require.NoError(t, other.Raw(func(c any) error {
			assert.Same(t, d.pg, c.(*stdlib.Conn).DB())
			_, err := c.(*stdlib.Conn).Session(d.ctx)
			assert.ErrorContains(t, err, "use Tx")
			b := &pgx.Batch{}
			b.Queue("insert into t values (3)")
			b.Queue("insert into t values (4)")
			return c.(*stdlib.Conn).Tx().SendBatch(d.ctx, b).Close()
		}))
		require.NoError(t, tx.Rollback())
		assert.Equal(t, 2, one[int](t, conn, d.ctx, "select count(*) from t"))
	})
}

// Where database/sql may repeat a call it gets driver.ErrBadConn, and only there.
func TestLostConnections(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		d.exec(t, "create table t (id int)")
		conn, err := d.Conn(d.ctx)
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.ExecContext(d.ctx, "set extra_float_digits = 1")
		require.NoError(t, err)
		_, err = conn.ExecContext(d.ctx, "insert into t values (1); select pg_terminate_backend(pg_backend_pid())")
		require.Error(t, err)
		assert.NotErrorIs(t, err, driver.ErrBadConn, "what may have been applied isn't repeated")

		tx, err := d.BeginTx(d.ctx, nil)
		require.NoError(t, err)
		pid := one[int](t, tx, d.ctx, "select pg_backend_pid()")
		d.exec(t, "select pg_terminate_backend($1)", pid)
		_, err = tx.ExecContext(d.ctx, "insert into t values (2)")
		require.Error(t, err)
		assert.Error(t, tx.Commit())
		require.NoError(t, d.PingContext(d.ctx))
	})
	t.Run("unreachable", func(t *testing.T) {
		db, err := sql.Open("repaint", "postgres://127.0.0.1:1/x?connect_timeout=2")
		require.NoError(t, err)
		defer db.Close()
		err = db.PingContext(t.Context())
		require.Error(t, err)
		assert.NotEqual(t, driver.ErrBadConn.Error(), err.Error(), "it says why")
	})
}

func TestAnOpenTransactionEndsWithItsConnection(t *testing.T) {
	url := testserver.Postgres(t).Database(t).URL()
	c, err := (&stdlib.Driver{}).Open(url)
	require.NoError(t, err)
	tx, err := c.(driver.ConnBeginTx).BeginTx(t.Context(), driver.TxOptions{})
	require.NoError(t, err)
	assert.False(t, c.(driver.Validator).IsValid())
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	assert.ErrorIs(t, tx.Commit(), pgx.ErrTxClosed)
	assert.ErrorIs(t, tx.Rollback(), pgx.ErrTxClosed)
	_, err = c.Prepare("select 1")
	assert.ErrorIs(t, err, driver.ErrBadConn)
	_, err = c.(driver.ConnBeginTx).BeginTx(t.Context(), driver.TxOptions{})
	assert.ErrorIs(t, err, driver.ErrBadConn)
	assert.ErrorIs(t, c.(driver.SessionResetter).ResetSession(t.Context()), driver.ErrBadConn)
}

func TestScanOfManyRowsWithContextThatEnds(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		ctx, cancel := context.WithCancel(d.ctx)
		rows, err := d.QueryContext(ctx, "select generate_series(1, 1000)")
		require.NoError(t, err)
		require.True(t, rows.Next())
		cancel()
		for rows.Next() { // until a goroutine of database/sql has closed them
		}
		if err := rows.Err(); err != nil {
			assert.ErrorIs(t, err, context.Canceled)
		}
		require.NoError(t, d.PingContext(d.ctx))
	})
}
