package dbconform

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/db"
)

// Subject is a dialect, or a driver under one, together with a database, for [Run].
type Subject struct {
	// Open opens an Engine, for one case. All may be on the same database, or each on a new one;
	// the names of the suite's tables begin with dbconform_, and it drops them. The suite closes
	// the Engine. Servers must run before Run is called, because a case fails that leaves
	// goroutines behind.
	Open func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error)

	// URL is that of a database, for the cases that are about URLs; empty if Open doesn't use one.
	URL string

	// Cut ends, from outside, what is between a Conn or Tx and the server, as a broken network or
	// an administrator does. When it returns they can't be used any more. Nil if there is nothing
	// to cut.
	Cut func(t testing.TB, ctx context.Context, q db.Querier)

	// Impatient opens another Engine on the database of e, which Open has opened, with a timeout
	// for locks: a statement that waits for one gives up soon. Nil if no other user can be in that
	// database.
	Impatient func(t testing.TB, ctx context.Context, e *db.Engine, opts ...db.Option) (*db.Engine, error)

	// Reader opens an Engine on the database for a user who may select from the suite's tables and
	// do nothing else there. The user's password is ReaderPassword; the suite also tries another
	// one. Nil if the database has no users.
	Reader func(t testing.TB, ctx context.Context, password string, opts ...db.Option) (*db.Engine, error)

	// Network opens an Engine on the same database, through a network that the suite can break. Nil
	// if there is no network.
	Network func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, Network, error)

	// Lacks says, for each of URL, Cut, Impatient, Reader, Network, SlowQuery and Settings that
	// isn't set, why there is none. Cases that need it skip with that reason. Run refuses a Subject
	// in which one is neither set nor listed here.
	//
	// A database that only resembles another one can also lack what a case, named area/rule, or a
	// whole area is about.
	Lacks map[string]string

	Types
	Capabilities
}

// Network is what lies between an Engine and its database. Its methods may be called from any
// goroutine.
type Network interface {
	// Deafen holds up what the database answers from now on. What it is sent arrives.
	Deafen()
	// Cut breaks all connections, and what was held up is lost. Those that are opened later work.
	Cut()
	// Swallow makes the connections that are open silent for good: nothing that is sent arrives,
	// and no end of them either. Those that are opened later work.
	Swallow()
}

// ReaderPassword is the password of the user that [Subject].Reader is for.
const ReaderPassword = "may-only-read"

// Types has the types of columns, as CREATE TABLE takes them.
type Types struct {
	Key      string // an integer primary key that the database makes: "integer primary key"
	Small    string // integers of 16 bits
	Integer  string // integers of 64 bits
	Float    string // of 64 bits
	Decimal  string // at least 20 digits, of which 4 are after the point
	Text     string // at least 1 MB
	Bytes    string // at least 1 MB
	Bool     string
	Moment   string // a time that means the same moment for everyone
	Local    string // a date and time in no zone
	Date     string
	Duration string
	UUID     string
	JSON     string
}

// Capabilities says what a database, with its driver, can do. Where a field is false the suite
// expects a clear error instead, or what its comment says.
type Capabilities struct {
	Returning       bool // INSERT … RETURNING and DELETE … RETURNING; or else db.ErrUnsupported
	UpdateReturning bool // UPDATE … RETURNING, likewise
	LastInsertID    bool // or else Result.LastInsertID is db.ErrMisuse
	Stream          bool // or else Stream is db.ErrUnsupported
	Arrays          bool // slices as values of columns of type "integer[]" and "text[]"; or else db.ErrParameter
	BigUnsigned     bool // integers from 2^63 to 2^64-1 in columns of type "bigint unsigned"; or else an argument that large is an error
	ZeroByte        bool // text may have a zero byte; or else db.ErrData
	Strict          bool // a value that a column's type can't hold is db.ErrData; or else types aren't checked by the database

	ParallelWrites bool // two transactions can write at the same time; or else the second one waits for the first
	DDLInTx        bool // what creates and drops tables is rolled back, too; or else it is db.ErrMisuse in a transaction
	ErrorFailsTx   bool // after an error in a transaction it can only be rolled back, or to a savepoint; or else it goes on
	Serialization  bool // serializable transactions that read what the other one writes end with db.ErrConflict, or one waits for the other
	Deadlocks      bool // they are detected

	ConstraintNames bool // errors have the names of constraints
	ColumnNames     bool // those for missing values have the names of columns

	// SlowQuery is a query that takes more than a minute; empty if there is none.
	SlowQuery string
	// CancelKeepsConn: when the context of a statement ends, its connection can still be used.
	CancelKeepsConn bool
	// OwnText is a query for one value, the text of the statement that is being executed, as it
	// came to the server. Empty if that can't be asked for.
	OwnText string
	// Writer returns a statement that makes a function, so named, which inserts the row (1, 'x')
	// into a table with the columns id and value, and returns 1. Nil if a query can call no
	// function that writes. All Engines must be on the same database then.
	Writer func(function, table string) string
	// FailsLate is a query of one column that has several hundred rows, less than a thousand, and
	// then fails. Empty if there is none.
	FailsLate string
	// Procedure returns a statement that makes a procedure, so named, which does nothing but
	// "commit" or "rollback". Nil if there are none that can. All Engines must be on the same
	// database then.
	Procedure func(name, does string) string
	// Precision is that of times: nanoseconds, microseconds.
	Precision time.Duration
	// OneConn: there is a single connection for everything.
	OneConn bool
	// Settings is a statement that changes something about its connection, which ShowSettings, a
	// query for one value, shows as something else than in a new one. Empty if a connection has
	// nothing of the kind.
	Settings, ShowSettings string
}

// test is a case. Its name is the rule that it holds.
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

// Run holds a dialect to what package db promises. Each case is a subtest named area/rule/colour,
// in the colours "goroutine" and "task", and fails if it leaves a goroutine, a greenlet or a
// connection behind. A case that the Subject can't run skips and says why. A last subtest fails if
// the Subject declares something that no case has exercised.
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
