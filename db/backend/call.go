package backend

import (
	"database/sql/driver"
	"reflect"
	"sync/atomic"
)

// Statement is a text with :name parameters, read once and rendered for the dialect. What it says doesn't
// change any more.
type Statement struct {
	Source string   // as the caller wrote it
	Text   string   // as the database wants it: as it is written, but for parameters and \:
	Params []string // the name of each argument to send, in order
	Parts  []string // of a script, its statements as the database wants them
	Traits

	// Pace is how long the statement takes, as far as a loop has asked for it.
	Pace Pace

	columns atomic.Pointer[[]Column] // of the last result; see Call.Describe
}

// Call is a statement on its way to a [Session], and its outcome.
type Call struct {
	Statement *Statement
	Args      []any // one for each of Statement.Params
	Rows      bool  // whether rows are wanted
	MaxRows   int   // fetch no more rows than this; 0 is all
	// ReadOnly: the statement is one of an Engine or Conn that may only read. Outside of a
	// transaction, the Session or [Shared] makes the database refuse what writes, as in a
	// read-only transaction: a function may write, which the text doesn't show. In a transaction
	// its own TxOptions count.
	ReadOnly bool
	// Bound are the Args as a driver of database/sql wants them; nil before a [Converter] or
	// Session has converted them. See RoomForArgs.
	Bound []driver.NamedValue
	// Checked: Bound is what a prepared statement of the driver has made of Args.
	Checked bool
	// Native: the call is one of database/sql, see db.Engine.SQL. Text is as its caller wrote it,
	// with the database's own placeholders; Args are the caller's, a sql.NamedArg where one has a
	// name. Values and Types are to be those that callers of database/sql know of the database's
	// driver. A Session that ignores it has them get the values of package db.
	Native bool

	Columns  []Column       // must not be changed; see Describe
	Values   []driver.Value // row after row; the Session doesn't touch them again. See Room
	Affected int64          // rows changed
	LastID   int64          // of the last row inserted, where the database has that
	HasID    bool
	Types    []ColumnType // of a Native call: what the driver says about Columns; else nil

	// Room for a few values and arguments, so that they cost no allocation of their own.
	values [4]driver.Value
	args   [4]driver.NamedValue
}

// Column describes a column of a result.
type Column struct {
	Name string
	Type string // the database's name of the type, in upper case; "" if unknown
}

// ColumnType is what a driver of database/sql says about a column of a result.
type ColumnType struct {
	Scan                    reflect.Type // nil if unknown
	Length                  int64
	Precision, Scale        int64
	Nullable                bool
	HasLength               bool // whether Length is known, …
	HasPrecision, KnowsNull bool
}

// Count returns the number of rows.
func (c *Call) Count() int {
	if len(c.Columns) == 0 {
		return 0
	}
	return len(c.Values) / len(c.Columns)
}

// Room returns an empty slice for so many values, which a Session can make the call's Values. A
// slice that it returned before for the same call is of no use then.
func (c *Call) Room(n int) []driver.Value {
	if n <= len(c.values) {
		return c.values[:0]
	}
	return make([]driver.Value, 0, n)
}

// RoomForArgs returns an empty slice for so many converted arguments, which can be made Bound.
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

// Describe sets Columns. If they are those of the statement's last result, that costs no memory.
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

// Forget lets go of the arguments, which needn't live as long as the rows. Package db calls it
// after the statement.
func (c *Call) Forget() {
	c.Args, c.Bound, c.Checked, c.args = nil, nil, false, [4]driver.NamedValue{}
}
