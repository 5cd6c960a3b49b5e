package backend

import (
	"database/sql/driver"
	"reflect"
	"sync/atomic"
)

// Statement is a text with :name parameters that was parsed once and rendered for the dialect. Its
// exported fields don't change any more, so any number of goroutines can read them.
type Statement struct {
	Source string   // as the caller wrote it
	Text   string   // with the database's placeholders, and \: replaced by a colon
	Params []string // the name of each argument to send, in order
	Parts  []string // of a script: the Text of each statement
	Traits

	// Pace says whether the statement is short. It is measured only for loops.
	Pace Pace

	columns atomic.Pointer[[]Column] // of the latest result; see Call.Describe
}

// Call is a statement on its way to a [Session], and its outcome. It belongs to one call of the
// Session at a time.
type Call struct {
	Statement *Statement
	Args      []any // one for each of Statement.Params
	Rows      bool  // whether the caller wants rows
	MaxRows   int   // how many rows to fetch at most; 0 means no limit
	// ReadOnly says that the caller may only read. Outside of a transaction, the Session or
	// [Shared] makes the database refuse writes, as in a read-only transaction, because a function
	// may write without showing it in the text. In a transaction the TxOptions apply instead.
	ReadOnly bool
	// Bound are the Args as a database/sql driver wants them; nil before a [Converter] or
	// Session has converted them. See RoomForArgs.
	Bound []driver.NamedValue
	// Checked says that a prepared statement of the driver has converted Args to Bound.
	Checked bool
	// Native says that the call comes through database/sql, see db.Engine.SQL. Text is as its
	// caller wrote it, with the database's own placeholders. Args are the caller's, with a
	// sql.NamedArg for each argument that has a name. Values and Types should be as with the
	// database's usual database/sql driver. From a Session that ignores Native, callers get the
	// values of package db.
	Native bool

	Columns  []Column       // read-only; see Describe
	Values   []driver.Value // row after row; the Session must not change them later. See Room
	Affected int64          // rows changed
	LastID   int64          // the key of the last row inserted, if the database reports it
	HasID    bool
	Types    []ColumnType // for a Native call: the driver's description of Columns; otherwise nil

	// Room for a few values and arguments, so that they need no allocation.
	values [4]driver.Value
	args   [4]driver.NamedValue
}

// Column describes a column of a result.
type Column struct {
	Name string
	Type string // the database's name for the type, in upper case; "" if unknown
}

// ColumnType is what a database/sql driver says about a column of a result.
type ColumnType struct {
	Scan                    reflect.Type // nil if unknown
	Length                  int64
	Precision, Scale        int64
	Nullable                bool
	HasLength               bool // whether Length is known, …
	HasPrecision, KnowsNull bool
}

// Count returns the number of rows in Values.
func (c *Call) Count() int {
	if len(c.Columns) == 0 {
		return 0
	}
	return len(c.Values) / len(c.Columns)
}

// Room returns an empty slice with room for n values, which a Session can use for the call's
// Values. It may share memory with a slice that Room returned before for the same call.
func (c *Call) Room(n int) []driver.Value {
	if n <= len(c.values) {
		return c.values[:0]
	}
	return make([]driver.Value, 0, n)
}

// RoomForArgs returns an empty slice with room for n converted arguments, for Bound.
func (c *Call) RoomForArgs(n int) []driver.NamedValue {
	if n <= len(c.args) {
		return c.args[:0]
	}
	return make([]driver.NamedValue, 0, n)
}

// DriverArgs returns the values of Bound.
func (c *Call) DriverArgs() []driver.Value {
	args := make([]driver.Value, len(c.Bound))
	for i, a := range c.Bound {
		args[i] = a.Value
	}
	return args
}

// Describe sets Columns to n columns. If they equal those of the statement's latest result, it
// allocates nothing.
func (c *Call) Describe(n int, column func(i int) Column) {
	if last := c.Statement.columns.Load(); last != nil && len(*last) == n {
		same := true
		for i := 0; i < n && same; i++ {
			same = (*last)[i] == column(i)
		}
		if same {
			c.Columns = *last
			return
		}
	}
	columns := make([]Column, n)
	for i := range columns {
		columns[i] = column(i)
	}
	c.Columns = columns
	c.Statement.columns.Store(&columns)
}

// Forget drops the arguments, which needn't live as long as the rows. Package db calls it after the
// statement.
func (c *Call) Forget() {
	c.Args, c.Bound, c.Checked, c.args = nil, nil, false, [4]driver.NamedValue{}
}
