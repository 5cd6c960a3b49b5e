package db

import "database/sql"

// The levels that the databases here have. A database may give more than it is
// asked for: SQLite's transactions are always serializable, PostgreSQL's read at least what
// is committed. sql.LevelSnapshot is RepeatableRead, which is snapshot isolation on MySQL and
// PostgreSQL. Other levels are refused with ErrUnsupported.
const (
	DefaultIsolation IsolationLevel = sql.LevelDefault // what the database is set to
	ReadUncommitted  IsolationLevel = sql.LevelReadUncommitted
	ReadCommitted    IsolationLevel = sql.LevelReadCommitted
	RepeatableRead   IsolationLevel = sql.LevelRepeatableRead
	Serializable     IsolationLevel = sql.LevelSerializable
)

// TxOption is an option of a transaction: of Begin and BeginTx.
type TxOption interface{ tx(*TxOptions) }

// Setting is an option of a transaction that can also be given to
// [Engine.Connect], for all transactions of the Conn, and to [Open], for all of
// the Engine. What is given to InTx holds against Connect, and that against Open.
type Setting interface {
	TxOption
	ConnOption
	Option
}

type setting func(*TxOptions)

func (s setting) tx(o *TxOptions)    { s(o) }
func (s setting) conn(c *connConfig) { s(&c.tx) }
func (s setting) engine(c *config)   { s(&c.conn.tx) }

// ReadOnly makes a transaction in which writing is an error. It waits for no
// writer, and none waits for it, where the database can do that. For a Conn or an
// Engine it makes every write an error. It is the database that refuses it, also
// where the text doesn't show that something writes: in a function, or in Raw.
func ReadOnly() Setting { return setting(func(o *TxOptions) { o.ReadOnly = true }) }

// ReadWrite takes back a [ReadOnly] that was given to Connect or Open.
func ReadWrite() Setting { return setting(func(o *TxOptions) { o.ReadOnly = false }) }

// Deferrable sets [TxOptions.Deferrable].
func Deferrable() Setting { return setting(func(o *TxOptions) { o.Deferrable = true }) }

// Isolation sets the isolation level. It is asked for at the beginning of each
// transaction, so nothing of it stays in a connection that goes on to another caller.
func Isolation(level IsolationLevel) Setting {
	return setting(func(o *TxOptions) { o.Isolation = level })
}

// checkIsolation refuses an isolation level that no database here has. One that isn't known would
// otherwise become the database's default, which is weaker, in silence.
func checkIsolation(op string, o TxOptions) error {
	switch o.Isolation {
	case DefaultIsolation, ReadUncommitted, ReadCommitted, RepeatableRead, Serializable, sql.LevelSnapshot:
		return nil
	}
	err := fail(op, ErrUnsupported, "there is no isolation level %q", o.Isolation)
	err.Hint = "ask for ReadUncommitted, ReadCommitted, RepeatableRead or Serializable; sql.LevelSnapshot is RepeatableRead"
	return err
}

func (c *connConfig) txOptions(opts []TxOption) TxOptions {
	o := c.tx
	for _, opt := range opts {
		opt.tx(&o)
	}
	return o
}
