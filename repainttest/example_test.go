package repainttest_test

import (
	"context"
	"testing"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/sqlite"
	"github.com/seed1239206e/repaint/repainttest"
)

func ExampleExplore() {
	// In a test file:
	_ = func(t *testing.T) {
		repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
			sum := 0
			g := repaint.NewGroup(ctx)
			for i := range 10 {
				g.Go(func(ctx context.Context) error {
					if err := repaint.Sleep(ctx, 0); err != nil {
						return err
					}
					sum += i // no lock: tasks of one loop take turns
					return nil
				})
			}
			if err := g.Wait(); err != nil || sum != 45 {
				t.Errorf("the sum is %d, error %v", sum, err)
			}
		})
	}
}

func ExampleDialect() {
	// In a test file of a dialect, here of SQLite with a database in memory for each case:
	_ = func(t *testing.T) {
		repainttest.Dialect(t, repainttest.Subject{
			Open: func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error) {
				return db.Open(ctx, "sqlite://", opts...)
			},
			Types: repainttest.Types{
				Key: "integer primary key", Small: "integer", Integer: "integer", Float: "real", Decimal: "text",
				Text: "text", Bytes: "blob", Bool: "boolean", Moment: "timestamp", Local: "datetime", Date: "date",
				Duration: "integer", UUID: "text", JSON: "text",
			},
			Capabilities: repainttest.Capabilities{
				Returning: true, UpdateReturning: true, LastInsertID: true, Stream: true, ZeroByte: true,
				DDLInTx: true, Serialization: true, CancelKeepsConn: true, Precision: time.Nanosecond,
			},
		})
	}
}
