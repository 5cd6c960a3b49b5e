package mysql_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/dbconform"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestConformance(t *testing.T) {
	conforms(t, "")
}

// MySQL has no RETURNING: the emulation must do the same.
func TestConformanceOfEmulatedReturning(t *testing.T) {
	conforms(t, "?returning=emulated")
}

func conforms(t *testing.T, options string) {
	at := testserver.MariaDB(t).Database(t)
	reader := at
	reader.User = at.DBName + "_r"
	at.MustQuery(t, fmt.Sprintf("create user %s@'%%' identified by '%s'; grant select on %s.* to %[1]s@'%%'", reader.User, dbconform.ReaderPassword, at.DBName))
	t.Cleanup(func() { at.MustQuery(t, "drop user "+reader.User+"@'%'") })
	dbconform.Run(t, dbconform.Subject{
		URL: at.URL() + options,
		Open: func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error) {
			return db.Open(ctx, at.URL()+options, opts...)
		},
		Impatient: func(t testing.TB, ctx context.Context, _ *db.Engine, opts ...db.Option) (*db.Engine, error) {
			return db.Open(ctx, at.URL()+options, append(opts, db.OnEvents(db.Events{Connect: func(ctx context.Context, conn *db.Conn) error {
				_, err := conn.Exec(ctx, "set session innodb_lock_wait_timeout = 0") // a timeout of 0 means no wait at all
				return err
			}}))...)
		},
		Reader: func(t testing.TB, ctx context.Context, password string, opts ...db.Option) (*db.Engine, error) {
			reader := reader
			reader.Password = password
			return db.Open(ctx, reader.URL()+options, opts...)
		},
		Network: func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, dbconform.Network, error) {
			over, network := dbtest.Network(t, at)
			u, err := db.ParseURL(over.URL() + options)
			require.NoError(t, err)
			u.Options.Set("cancel_timeout", "100ms") // how long to wait on a silent connection
			e, err := db.OpenURL(ctx, u, opts...)
			return e, network, err
		},
		Cut: func(t testing.TB, ctx context.Context, q db.Querier) {
			id, err := db.Scalar[int](ctx, q, "select connection_id()")
			require.NoError(t, err)
			at.MustQuery(t, fmt.Sprintf("kill connection %d", id))
		},
		Types: dbconform.Types{
			Key: "bigint auto_increment primary key", Small: "smallint", Integer: "bigint", Float: "double", Decimal: "decimal(24,4)", Text: "longtext", Bytes: "longblob",
			Bool: "boolean", Moment: "datetime(6)", Local: "datetime(6)", Date: "date", Duration: "time(6)", UUID: "uuid", JSON: "json",
		},
		Capabilities: dbconform.Capabilities{
			Returning:       true,
			UpdateReturning: true,
			LastInsertID:    true,
			Stream:          true,
			BigUnsigned:     true,
			ZeroByte:        true,
			Strict:          true,
			ParallelWrites:  true,
			Serialization:   true,
			Deadlocks:       true,
			ConstraintNames: true,
			ColumnNames:     true,
			SlowQuery:       "select sleep(100) from (values (1), (2)) t",
			CancelKeepsConn: true,
			OwnText:         "select info from information_schema.processlist where id = connection_id()",
			Precision:       time.Microsecond,
			Writer: func(function, table string) string {
				return "create function " + function + "() returns int modifies sql data begin insert into " + table + " values (1, 'x'); return 1; end"
			},
			FailsLate: "with recursive n(i) as (select 1 union all select i + 1 from n where i < 900) select (select t.i from n t where t.i = n.i or n.i = 900) from n",
			Procedure: func(name, does string) string {
				return "create procedure " + name + "() begin " + does + "; end"
			},
			Settings:     "set session group_concat_max_len = 12345",
			ShowSettings: "select @@group_concat_max_len",
		},
	})
}
