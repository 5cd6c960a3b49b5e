package dbtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/repainttest"
)

// PostgresURL is how conformance tests reach a database: by the socket, because hundreds
// of passwords cost more than all else, and with a server that finds deadlocks soon.
func PostgresURL(at testserver.Target) string {
	return at.SocketURL() + "&options=-c%20deadlock_timeout%3D20ms"
}

// Postgres returns what is the same for all drivers of a PostgreSQL database, for
// repainttest.Dialect. It lacks Open.
func Postgres(at testserver.Target) repainttest.Subject {
	return repainttest.Subject{
		Cut: func(t testing.TB, ctx context.Context, q db.Querier) {
			id, err := db.Scalar[int](ctx, q, "select pg_backend_pid()")
			require.NoError(t, err)
			at.MustQuery(t, fmt.Sprintf("select pg_terminate_backend(%d, 10000)", id))
		},
		Types: repainttest.Types{
			Key: "bigint generated always as identity primary key", Small: "smallint", Integer: "bigint", Float: "double precision",
			Decimal: "numeric(24,4)", Text: "text", Bytes: "bytea", Bool: "boolean", Moment: "timestamptz", Local: "timestamp",
			Date: "date", Duration: "interval", UUID: "uuid", JSON: "jsonb",
		},
		Capabilities: repainttest.Capabilities{
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
			CancelKeepsConn: true,
			Precision:       time.Microsecond,
			Settings:        "set work_mem = '1234kB'",
			ShowSettings:    "show work_mem",
		},
	}
}
