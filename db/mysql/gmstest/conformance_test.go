package gmstest

import (
	"context"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/dbconform"
)

// These are the reasons why the server can't pass a test.
const (
	noSavepoints = "its tables in memory have no savepoints"
	noIsolation  = "its tables in memory isolate no transactions"
	noNumbers    = "its error has no number that tells what it is"
	noIn         = "it can't read the IN in: n in (1) = true"
)

func TestConformance(t *testing.T) {
	url := serve(t)
	dbconform.Run(t, dbconform.Subject{
		URL: url,
		Open: func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error) {
			return db.Open(ctx, url, opts...)
		},
		Lacks: map[string]string{
			"Cut":       "KILL CONNECTION waits for a connection's statement to end",
			"Impatient": "tables in memory have no locks",
			"Reader":    "the server has been started without users",
			"Network":   "the network is not what differs",
			"SlowQuery": "a query can't be made slow without its tables",
			"Settings":  "the server doesn't act on them",

			// Transactions on its tables in memory aren't isolated, and have no savepoints.
			"savepoints":  noSavepoints,
			"isolation":   noIsolation,
			"concurrency": noIsolation,
			"commits":     noSavepoints,
			"late calls":  noSavepoints,
			"statements/a function that takes a Querier runs alone, on a connection and in a transaction": noSavepoints,
			"transactions/with AutoBegin a transaction is a savepoint":                                    noSavepoints,
			"transactions/two transactions write at the same time, or one after the other":                noIsolation,
			"events/transactions and savepoints":                                                          noSavepoints,
			"events/errors are heard once, and can be rewritten":                                          noSavepoints,
			"many/as a part of a transaction":                                                             noSavepoints,
			"upserts/many rows, as a part of a transaction":                                               noSavepoints,
			"upserts/many callers count, and lose nothing":                                                noIsolation,
			"database-sql/savepoints as texts":                                                            noSavepoints,
			"database-sql/an error in a savepoint counts in the commit":                                   noSavepoints,
			"database-sql/many callers at once":                                                           noIsolation,
			"inspecting/generated columns":                                                                "its information_schema doesn't tell their expressions",
			"inspecting/indexes":                                                                          "it refuses an index on an expression without a number",
			"inspecting/views":                                                                            "its information_schema has no views in a database's name",
			"read-only/reading goes on as it does elsewhere":                                              noSavepoints,
			"pool/a temporary table is its connection's":                                                  "tables in memory can't be temporary",

			// Its errors have no number except 1105.
			"errors/check":              noNumbers,
			"errors/syntax":             noNumbers,
			"errors/undefined column":   noNumbers,
			"errors/undefined function": noNumbers,
			"hiding/no error, log line or event tells the value of a hidden parameter": noNumbers,
			"types/a string that is too long is an error":                              noNumbers,
			"types/an integer that the column can't hold is an error":                  noNumbers,
			"types/what is no number, date or truth is an error":                       noNumbers,

			"streams/a stream that is closed early gives its connection back": "KILL QUERY among the rows ends the connection",
			"types/durations": "it drops what a time has below a second",
			"lists/NULL is in no empty list, and not in it":                                                           noIn,
			"lists/a list does what its elements in the text do, an empty one what one of nothing that is there does": noIn,
			"many/RETURNING in the order of the rows":                                                                 "RETURNING is made of several statements between savepoints",
			"many/the rest of the statement stays":                                                                    "it counts more parameters than there are",
		},
		Types: dbconform.Types{
			Key: "bigint auto_increment primary key", Small: "smallint", Integer: "bigint", Float: "double", Decimal: "decimal(24,4)", Text: "longtext", Bytes: "longblob",
			Bool: "boolean", Moment: "datetime(6)", Local: "datetime(6)", Date: "date", Duration: "time(6)", UUID: "varchar(36)", JSON: "json",
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
			CancelKeepsConn: true,
			Precision:       time.Microsecond,
		},
	})
}
