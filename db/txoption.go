package db

import "database/sql"

// The isolation levels. A database may give more than it is asked for: SQLite's transactions are
// always serializable, and PostgreSQL's never read uncommitted rows. sql.LevelSnapshot is
// RepeatableRead, which is snapshot isolation on MySQL and PostgreSQL. Other levels are refused with
// [ErrUnsupported].
const (
	DefaultIsolation IsolationLevel = sql.LevelDefault // what the database is set to
	ReadUncommitted  IsolationLevel = sql.LevelReadUncommitted
	ReadCommitted    IsolationLevel = sql.LevelReadCommitted
	RepeatableRead   IsolationLevel = sql.LevelRepeatableRead
	Serializable     IsolationLevel = sql.LevelSerializable
)

// TxOption is an option of a transaction, for InTx and BeginTx.
type TxOption interface{ tx(*TxOptions) }

// Setting is an option of a transaction that can also be given to [Engine.Connect], for all
// transactions of the Conn, and to [Open], for all of the Engine. A Setting of InTx or BeginTx takes
// precedence over one of Connect, which takes precedence over one of Open.
type Setting interface {
	TxOption
	ConnOption
	Option
}

type setting func(*TxOptions)

func (s setting) tx(o *TxOptions)    { s(o) }
func (s setting) conn(c *connConfig) { s(&c.tx) }
func (s setting) engine(c *config)   { s(&c.conn.tx) }

// ReadOnly makes writing an error, [ErrReadOnly], in a transaction, or in everything that a Conn or
// an Engine runs. Where the database can do that, a transaction that only reads waits for no writer,
// and no writer waits for it. The database itself refuses writes, also those that no text shows: of
// a function, or in Raw.
func ReadOnly() Setting { return setting(func(o *TxOptions) { o.ReadOnly = true }) }

// ReadWrite takes back a [ReadOnly] that was given to Connect or Open.
func ReadWrite() Setting { return setting(func(o *TxOptions) { o.ReadOnly = false }) }

// Deferrable sets [TxOptions.Deferrable].
func Deferrable() Setting { return setting(func(o *TxOptions) { o.Deferrable = true }) }

// Isolation sets the isolation level. Each transaction asks for it when it begins, so the
// connection doesn't keep it for its next user.
func Isolation(level IsolationLevel) Setting {
	return setting(func(o *TxOptions) { o.Isolation = level })
}

// checkIsolation refuses a level that isn't known. Otherwise it would silently become the database's
// default, which is weaker.
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
