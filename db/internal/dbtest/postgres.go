package dbtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/dbconform"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// PostgresURL returns the URL by which conformance tests reach a database: by the socket, because
// hundreds of passwords cost more than all else, and on a server that finds deadlocks soon.
func PostgresURL(at testserver.Target) string {
	return at.SocketURL() + "&options=-c%20deadlock_timeout%3D20ms"
}

// PostgresReader makes a user who may select from tables that are made later in the database, and
// returns the database for that user. By TCP, the server asks for the user's password.
func PostgresReader(t testing.TB, at testserver.Target) testserver.Target {
	name := at.DBName + "_reader"
	at.MustQuery(t, fmt.Sprintf("create role %s login password '%s'; alter default privileges grant select on tables to %[1]s; revoke create on schema public from public", name, dbconform.ReaderPassword))
	t.Cleanup(func() { at.MustQuery(t, fmt.Sprintf("drop owned by %s; drop role %[1]s", name)) })
	reader := at
	reader.User = name
	return reader
}

// Postgres returns what is the same for all drivers of a PostgreSQL database, for dbconform.Run.
// open opens an Engine with a URL.
func Postgres(t testing.TB, at testserver.Target, open func(t testing.TB, ctx context.Context, url string, opts ...db.Option) (*db.Engine, error)) dbconform.Subject {
	reader := PostgresReader(t, at)
	return dbconform.Subject{
		Open: func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error) {
			return open(t, ctx, PostgresURL(at), opts...)
		},
		Impatient: func(t testing.TB, ctx context.Context, _ *db.Engine, opts ...db.Option) (*db.Engine, error) {
			return open(t, ctx, PostgresURL(at)+"&lock_timeout=20ms", opts...)
		},
		Reader: func(t testing.TB, ctx context.Context, password string, opts ...db.Option) (*db.Engine, error) {
			reader := reader
			reader.Password = password
			return open(t, ctx, reader.URL(), opts...)
		},
		Network: func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, dbconform.Network, error) {
			over, network := Network(t, at)
			e, err := open(t, ctx, over.URL()+"&application_name=network", opts...)
			return e, network, err
		},
		Cut: func(t testing.TB, ctx context.Context, q db.Querier) {
			id, err := db.Scalar[int](ctx, q, "select pg_backend_pid()")
			require.NoError(t, err)
			at.Terminate(t, fmt.Sprintf("pid = %d", id))
		},
		Types: dbconform.Types{
			Key: "bigint generated always as identity primary key", Small: "smallint", Integer: "bigint", Float: "double precision",
			Decimal: "numeric(24,4)", Text: "text", Bytes: "bytea", Bool: "boolean", Moment: "timestamptz", Local: "timestamp",
			Date: "date", Duration: "interval", UUID: "uuid", JSON: "jsonb",
		},
		Capabilities: dbconform.Capabilities{
			Returning:       true,
			UpdateReturning: true,
			Stream:          true,
			Arrays:          true,
			Strict:          true,
			ParallelWrites:  true,
			DDLInTx:         true,
			ErrorFailsTx:    true,
			Serialization:   true,
			Deadlocks:       true,
			ConstraintNames: true,
			ColumnNames:     true,
			SlowQuery:       "select pg_sleep(100)",
			OwnText:         "select current_query()",
			CancelKeepsConn: true,
			Precision:       time.Microsecond,
			Writer: func(function, table string) string {
				return "create function " + function + "() returns int language plpgsql as $$ begin insert into " + table + " values (1, 'x'); return 1; end $$"
			},
			FailsLate: "select 1/(900 - n) from generate_series(1, 900) n",
			Procedure: func(name, does string) string {
				return "create procedure " + name + "() language plpgsql as $$ begin " + does + "; end $$"
			},
			Settings:     "set work_mem = '1234kB'",
			ShowSettings: "show work_mem",
		},
	}
}

// TrustingPostgres returns a database of a server that asks for no passwords, for tests that make
// thousands of connections by TCP.
func TrustingPostgres(t testing.TB) testserver.Target {
	return testserver.Postgres(t, testserver.HBA("local all all trust", "host all all 127.0.0.1/32 trust"), testserver.Config("max_connections=500")).Database(t)
}
