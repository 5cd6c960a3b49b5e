package db

import "github.com/seed1239206e/repaint/db/internal/telling"

// ConnOption is an option of one Conn, for [Engine.Connect].
type ConnOption interface{ conn(*connConfig) }

// ConnSetting is an option of a Conn that can also be given to [Open], as the
// default of all of the Engine's.
type ConnSetting interface {
	ConnOption
	Option
}

// connConfig is what the options of a Conn set.
type connConfig struct {
	tx      TxOptions // the default of its transactions
	telling telling.Level
	begin   bool   // AutoBegin
	token   string // LogToken

	dialect Dialect // that of the Engine
}

type connSetting func(*connConfig)

func (s connSetting) conn(c *connConfig) { s(c) }
func (s connSetting) engine(c *config)   { s(&c.conn) }

// ShowParameters has errors and logs show the values of parameters, and the messages of the
// database and its driver as they are. Without it they tell names and Go types, and what a message
// quotes is left out, unless it is a part of the statement or a name: it may be a value.
// errors.As finds what the driver returned in any case.
func ShowParameters() ConnSetting {
	return connSetting(func(c *connConfig) { c.telling = telling.Values })
}

// HideParameters keeps parameters out of errors, events and logs altogether, their names and types
// as well. Where the database or its driver may have put values into a message, the condition, the
// code and the place are told in its stead; errors.As still finds what they returned.
func HideParameters() ConnSetting {
	return connSetting(func(c *connConfig) { c.telling = telling.Nothing })
}

// LogToken names what the statements of a Conn, or Engine, are part of. Events and
// logs have it.
func LogToken(token string) ConnSetting {
	return connSetting(func(c *connConfig) { c.token = token })
}

// AutoBegin makes a Conn on which nothing lasts until it is committed: its first
// statement begins a transaction, [Conn.Commit] and [Conn.Rollback] end it, and
// the next statement begins another one. Close rolls back. Without it each
// statement of a Conn commits by itself.
func AutoBegin() ConnOption { return onlyConn(func(c *connConfig) { c.begin = true }) }

type onlyConn func(*connConfig)

func (o onlyConn) conn(c *connConfig) { o(c) }
