package ncrucestest

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/dbconform"
	"github.com/seed1239206e/repaint/db/sqlite"
)

func TestConformance(t *testing.T) {
	for name, dsn := range map[string]func(t testing.TB) string{
		"file":   func(t testing.TB) string { return "file:" + filepath.ToSlash(filepath.Join(t.TempDir(), "test.db")) },
		"memory": func(testing.TB) string { return ":memory:" }, // every connection would have its own database
	} {
		t.Run(name, func(t *testing.T) {
			s := subject()
			s.OneConn = name == "memory"
			s.Open = func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error) {
				pool, err := sql.Open("sqlite3", dsn(t))
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, pool.Close()) })
				return sqlite.OpenDB(ctx, pool, opts...)
			}
			dbconform.Run(t, s)
		})
	}
}

func subject() dbconform.Subject {
	return dbconform.Subject{
		Lacks: map[string]string{
			"URL":       "the Engine is opened on a *sql.DB",
			"Cut":       "there is no server",
			"Network":   "there is no server",
			"Reader":    "SQLite has no users",
			"Impatient": "the dialect sets busy_timeout on the connections that it is given",
		},
		Types: dbconform.Types{
			Key: "integer primary key", Small: "integer", Integer: "integer", Float: "real", Decimal: "text", Text: "text", Bytes: "blob",
			Bool: "boolean", Moment: "timestamp", Local: "datetime", Date: "date", Duration: "integer", UUID: "text", JSON: "text",
		},
		Capabilities: dbconform.Capabilities{
			Returning:       true,
			UpdateReturning: true,
			LastInsertID:    true,
			Stream:          true,
			ZeroByte:        true,
			DDLInTx:         true,
			Serialization:   true,
			SlowQuery:       "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
			CancelKeepsConn: true,
			Precision:       time.Nanosecond,
			Settings:        "pragma cache_size = 123",
			ShowSettings:    "pragma cache_size",
		},
	}
}
