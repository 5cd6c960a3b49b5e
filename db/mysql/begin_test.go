package mysql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"sync/atomic"
	"testing"

	gomysql "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/db/mysql"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// An isolation level from before a failed BEGIN would hold for the next transaction, which may be
// another caller's.
func TestALevelDoesNotOutliveABeginThatFails(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		config, err := gomysql.ParseDSN(server.Database(t).DSN())
		require.NoError(t, err)
		real, err := gomysql.NewConnector(config)
		require.NoError(t, err)
		refusing := &refusingBegin{Connector: real}
		pool := sql.OpenDB(refusing)
		defer pool.Close()
		pool.SetMaxOpenConns(1)
		e, err := mysql.OpenDB(ctx, pool)
		require.NoError(t, err)
		dbtest.Exec(t, ctx, e, "create table t(id integer)", "insert into t values (1)")
		levelOf := func(opts ...db.TxOption) (level string, err error) {
			err = e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				// The transaction has a row in innodb_trx after its first read. But InnoDB repeats
				// its previous answer if that is less than 100 ms old.
				if _, err := tx.Query(ctx, "select sleep(0.11), t.* from t"); err != nil {
					return err
				}
				level, err = db.Scalar[string](ctx, tx, "select trx_isolation_level from information_schema.innodb_trx where trx_mysql_thread_id = connection_id()")
				return err
			}, opts...)
			return level, err
		}
		const usual = "REPEATABLE READ"
		level, err := levelOf()
		require.NoError(t, err)
		require.Equal(t, usual, level)

		for range 3 {
			refusing.next.Store(true)
			_, err = levelOf(db.Isolation(db.Serializable))
			var refusal *gomysql.MySQLError
			require.ErrorAs(t, err, &refusal)
			require.EqualValues(t, 1290, refusal.Number)
			require.False(t, refusing.next.Load(), "the BEGIN was refused")
			level, err = levelOf()
			require.NoError(t, err)
			require.Equal(t, usual, level)
		}
		require.EqualValues(t, 1, refusing.connects.Load(), "it is the same connection")
		level, err = levelOf(db.Isolation(db.Serializable))
		require.NoError(t, err)
		require.Equal(t, "SERIALIZABLE", level)
		require.NoError(t, e.Close(ctx))
	})
}

// refusingBegin connects to a server that refuses the next BEGIN when the test asks for that.
type refusingBegin struct {
	driver.Connector
	next     atomic.Bool
	connects atomic.Int64
}

func (r *refusingBegin) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := r.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	r.connects.Add(1)
	return &refusingConn{c.(mysqlConn), r}, nil
}

// A mysqlConn has the methods of go-sql-driver's connections.
type mysqlConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type refusingConn struct {
	mysqlConn
	of *refusingBegin
}

func (c *refusingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if strings.HasPrefix(query, "start transaction") && c.of.next.CompareAndSwap(true, false) {
		return nil, &gomysql.MySQLError{Number: 1290, Message: "refused by the test"}
	}
	return c.mysqlConn.ExecContext(ctx, query, args)
}
