package dbconform

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/db"
)

// Subject describes a dialect, or a driver under one, with a database for [Run]. The suite calls
// its functions in the goroutine or task of a case.
type Subject struct {
	// Open opens an Engine for one case. All Engines may be on the same database, or each on a new
	// one. The names of the suite's tables begin with dbconform_, and the suite drops them. The
	// suite closes the Engine. Servers must run before Run is called, because a case that leaves
	// goroutines behind fails.
	Open func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error)

	// URL is the URL of a database, for the cases about URLs. It is empty if Open doesn't use one.
	URL string

	// Cut breaks the connection of a Conn or Tx from outside, as a broken network or an
	// administrator does. When it returns, the Conn or Tx can't be used any more. It is nil if
	// there is nothing to cut.
	Cut func(t testing.TB, ctx context.Context, q db.Querier)

	// Impatient opens another Engine on the database of e, which Open has opened. It has a timeout
	// for locks: a statement that waits for one gives up soon. It is nil if no other user can be in
	// that database.
	Impatient func(t testing.TB, ctx context.Context, e *db.Engine, opts ...db.Option) (*db.Engine, error)

	// Reader opens an Engine on the database for a user who may select from the suite's tables and
	// do nothing else there. The user's password is ReaderPassword; the suite also tries a wrong
	// one. It is nil if the database has no users.
	Reader func(t testing.TB, ctx context.Context, password string, opts ...db.Option) (*db.Engine, error)

	// Network opens an Engine on the same database, through a network that the suite can break. It
	// is nil if there is no network.
	Network func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, Network, error)

	// Lacks says why the Subject has no URL, Cut, Impatient, Reader, Network, SlowQuery or
	// Settings, for each of them that isn't set. Cases that need one skip with that reason. Run
	// refuses a Subject in which one is neither set nor listed here.
	//
	// A database that only resembles another one may also lack the subject of a case, named
	// area/rule, or of a whole area. Lacks then gives the reason under that name.
	Lacks map[string]string

	Types
	Capabilities
}

// Network is the network between an Engine and its database. Its methods may be called from any
// goroutine.
type Network interface {
	// Deafen holds back everything that the database sends from now on. Messages to the database
	// arrive.
	Deafen()
	// Cut breaks all connections, and drops what was held back. Connections that are opened later
	// work.
	Cut()
	// Swallow makes the open connections silent for good: nothing that is sent on them arrives, and
	// neither does their end. Connections that are opened later work.
	Swallow()
}

// ReaderPassword is the password of the user of [Subject].Reader.
const ReaderPassword = "may-only-read"

// Types names the types of columns, as CREATE TABLE takes them.
type Types struct {
	Key      string // an integer primary key that the database generates: "integer primary key"
	Small    string // integers of 16 bits
	Integer  string // integers of 64 bits
	Float    string // floats of 64 bits
	Decimal  string // decimals of at least 20 digits, 4 of them after the point
	Text     string // at least 1 MB
	Bytes    string // at least 1 MB
	Bool     string
	Moment   string // a time that is the same moment for every client
	Local    string // a date and time without a zone
	Date     string
	Duration string
	UUID     string
	JSON     string
}

// Capabilities says what a database, with its driver, can do. If a field is false, the suite
// expects a clear error, or what the field's comment says.
type Capabilities struct {
	Returning       bool // INSERT … RETURNING and DELETE … RETURNING work; otherwise they are db.ErrUnsupported
	UpdateReturning bool // the same for UPDATE … RETURNING
	LastInsertID    bool // Result.LastInsertID works; otherwise it is db.ErrMisuse
	Stream          bool // Stream works; otherwise it is db.ErrUnsupported
	Arrays          bool // columns of type "integer[]" and "text[]" take slices; otherwise a slice is db.ErrParameter
	BigUnsigned     bool // columns of type "bigint unsigned" take integers from 2^63 to 2^64-1; otherwise such an argument is an error
	ZeroByte        bool // text may have a zero byte; otherwise that is db.ErrData
	Strict          bool // a value that a column's type can't hold is db.ErrData; otherwise the database doesn't check types

	ParallelWrites bool // two transactions can write at the same time; otherwise the second waits for the first
	DDLInTx        bool // a rollback undoes CREATE and DROP TABLE; otherwise they are db.ErrMisuse in a transaction
	ErrorFailsTx   bool // after an error, a transaction can only be rolled back, as a whole or to a savepoint; otherwise it goes on
	Serialization  bool // if two serializable transactions each read what the other writes, one ends with db.ErrConflict or waits for the other
	Deadlocks      bool // the database detects deadlocks

	ConstraintNames bool // errors name the violated constraint
	ColumnNames     bool // errors about missing values name the column

	// SlowQuery is a query that takes more than a minute. It is empty if there is none.
	SlowQuery string
	// CancelKeepsConn says that a connection can still be used after the context of a statement has
	// ended.
	CancelKeepsConn bool
	// OwnText is a query that returns one value: its own text, as it came to the server. It is
	// empty if the database can't show that.
	OwnText string
	// Writer returns a statement that creates a function with the given name. The function inserts
	// the row (1, 'x') into a table with the columns id and value, and returns 1. All Engines must
	// then be on the same database. Writer is nil if a query can't call a function that writes.
	Writer func(function, table string) string
	// FailsLate is a query of one column that returns several hundred rows, fewer than a thousand,
	// and then fails. It is empty if there is none.
	FailsLate string
	// Procedure returns a statement that creates a procedure with the given name. The procedure
	// only executes "commit" or "rollback", whichever does is. All Engines must then be on the same
	// database. Procedure is nil if no procedure can do that.
	Procedure func(name, does string) string
	// Precision is the precision of times, such as time.Nanosecond or time.Microsecond.
	Precision time.Duration
	// OneConn says that there is a single connection for everything.
	OneConn bool
	// Settings is a statement that changes a setting of its connection. ShowSettings is a query for
	// one value, which then differs from that of a new connection. Settings is empty if connections
	// have no settings.
	Settings, ShowSettings string
}

// test is a case. Its name is the rule that it checks.
type test struct {
	name string
	fn   func(c *run)
}

type area struct {
	name  string
	tests []test
}

var areas = []area{
	{"connecting", connecting},
	{"statements", statements},
	{"parameters", parameters},
	{"lists", lists},
	{"results", results},
	{"streams", streams},
	{"types", types},
	{"errors", failures},
	{"transactions", transactions},
	{"savepoints", savepoints},
	{"commits", commits},
	{"isolation", isolation},
	{"read-only", readOnly},
	{"locks", locks},
	{"permissions", permissions},
	{"many", many},
	{"upserts", upserts},
	{"inspecting", inspecting},
	{"nesting", nesting},
	{"cancelling", cancelling},
	{"outcomes", outcomes},
	{"silence", silence},
	{"pool", pooling},
	{"concurrency", concurrency},
	{"events", observing},
	{"hiding", hiding},
	{"database-sql", sqlDoor},
	{"late calls", late},
	{"closing", closing},
}

// Run tests that a dialect keeps what package db promises. Each case is a subtest named
// area/rule/colour, in the colours "goroutine" and "task". A case fails if it leaves a goroutine, a
// greenlet or a connection behind. A case that the Subject can't run skips and says why. A last
// subtest fails if the Subject declares something that no case has exercised.
func Run(t *testing.T, s Subject) {
	t.Helper()
	if s.Open == nil || s.Key == "" || s.Precision == 0 {
		t.Fatal("dbconform: a Subject needs at least Open, Types and Precision")
	}
	l := newLedger(&s)
	if err := l.declared(&s); err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, a := range areas {
		cases += len(a.tests)
		t.Run(a.name, func(t *testing.T) {
			if reason := s.Lacks[a.name]; reason != "" {
				t.Skip(reason)
			}
			for _, k := range a.tests {
				t.Run(strings.ReplaceAll(k.name, "/", " "), func(t *testing.T) {
					if reason := s.Lacks[a.name+"/"+k.name]; reason != "" {
						t.Skip(reason)
					}
					inBothColours(t, &s, l, k.fn)
				})
			}
		})
	}
	t.Run("all that is declared was exercised", func(t *testing.T) { l.exercised(t, cases*len(colours)) })
}
