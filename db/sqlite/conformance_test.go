package sqlite_test

import (
	"context"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/dbconform"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

func subject() dbconform.Subject {
	return dbconform.Subject{
		Lacks: map[string]string{
			"Cut":     "there is no server",
			"Network": "there is no server",
			"Reader":  "SQLite has no users",
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
			FailsLate:       "with recursive n(i) as (select 1 union all select i + 1 from n where i < 900) select abs(case i when 900 then -9223372036854775808 else i end) from n",
			Precision:       time.Nanosecond,
			Settings:        "pragma cache_size = 123",
			ShowSettings:    "pragma cache_size",
		},
	}
}

func TestConformance(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		s := subject()
		s.URL = "sqlite://"
		s.Lacks["Impatient"] = "a database in memory is seen by one Engine only"
		s.Open = func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error) {
			return db.Open(ctx, s.URL, opts...)
		}
		dbconform.Run(t, s)
	})
	t.Run("file", func(t *testing.T) {
		s := subject()
		s.URL = dbtest.File(t)
		s.Open = func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error) {
			return db.Open(ctx, dbtest.File(t), opts...)
		}
		s.Impatient = func(t testing.TB, ctx context.Context, e *db.Engine, opts ...db.Option) (*db.Engine, error) {
			return db.Open(ctx, e.URL().Reveal()+"&busy_timeout=20ms", opts...)
		}
		dbconform.Run(t, s)
	})
}
