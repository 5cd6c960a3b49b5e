package thirdparty_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/seed1239206e/repaint/internal/thirdparty"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/dbconform"
)

func TestADialectOfAnotherModuleConforms(t *testing.T) {
	file := func(t testing.TB) string {
		return "lite:///" + filepath.ToSlash(filepath.Join(t.TempDir(), "x.db")) + "?busy_timeout=10s"
	}
	dbconform.Run(t, dbconform.Subject{
		Open: func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error) {
			return db.Open(ctx, file(t), opts...)
		},
		URL: file(t),
		Impatient: func(t testing.TB, ctx context.Context, e *db.Engine, opts ...db.Option) (*db.Engine, error) {
			u := *e.URL()
			u.Options = map[string][]string{"busy_timeout": {"20ms"}}
			return db.OpenURL(ctx, &u, opts...)
		},
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
			Precision:       time.Nanosecond,
			Settings:        "pragma cache_size = 123",
			ShowSettings:    "pragma cache_size",
		},
	})
}
