package dbconform_test

import (
	"context"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/dbconform"
	_ "github.com/seed1239206e/repaint/db/sqlite"
)

func ExampleRun() {
	// This belongs in a test file of a dialect. Here it tests SQLite, with a database in memory for
	// each case.
	_ = func(t *testing.T) {
		dbconform.Run(t, dbconform.Subject{
			Open: func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error) {
				return db.Open(ctx, "sqlite://", opts...)
			},
			URL: "sqlite://",
			Lacks: map[string]string{
				"Cut":       "there is no server",
				"Network":   "there is no server",
				"Reader":    "there are no users",
				"Impatient": "nobody else can be in the database",
				"SlowQuery": "left out of the example",
				"Settings":  "left out of the example",
			},
			Types: dbconform.Types{
				Key: "integer primary key", Small: "integer", Integer: "integer", Float: "real", Decimal: "text",
				Text: "text", Bytes: "blob", Bool: "boolean", Moment: "timestamp", Local: "datetime", Date: "date",
				Duration: "integer", UUID: "text", JSON: "text",
			},
			Capabilities: dbconform.Capabilities{
				Returning: true, UpdateReturning: true, LastInsertID: true, Stream: true, ZeroByte: true,
				DDLInTx: true, Serialization: true, CancelKeepsConn: true, Precision: time.Nanosecond,
			},
		})
	}
}
