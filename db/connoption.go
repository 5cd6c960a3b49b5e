package db

import "github.com/seed1239206e/repaint/db/internal/telling"

// ConnOption is an option of one Conn, for [Engine.Connect].
type ConnOption interface{ conn(*connConfig) }

// ConnSetting is an option of a Conn that can also be given to [Open]. There it is the default of
// all Conns, and holds for the Engine's own statements.
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

// ShowParameters makes errors and logs show the values of parameters, and the messages of the
// database and its driver as they are. Without it they show names and Go types. A message then
// leaves out what it quotes, which may be a value, unless that is part of the statement or a name.
// errors.As finds what the driver returned in any case.
func ShowParameters() ConnSetting {
	return connSetting(func(c *connConfig) { c.telling = telling.Values })
}

// HideParameters keeps parameters out of errors, events and logs altogether, also their names and
// types. A message that may have values in it is replaced by the condition, the code and the place.
// errors.As still finds what the driver returned.
func HideParameters() ConnSetting {
	return connSetting(func(c *connConfig) { c.telling = telling.Nothing })
}

// LogToken names the request, or whatever else the statements of a Conn or Engine belong to. Events
// and logs show it.
func LogToken(token string) ConnSetting {
	return connSetting(func(c *connConfig) { c.token = token })
}

// AutoBegin makes a Conn on which nothing lasts until it is committed, as SQLAlchemy's Connection
// does. Its first statement begins a transaction, [Conn.Commit] and [Conn.Rollback] end it, and the
// next statement begins another one. Close rolls back. Without AutoBegin each statement of a Conn
// commits by itself.
func AutoBegin() ConnOption { return onlyConn(func(c *connConfig) { c.begin = true }) }

type onlyConn func(*connConfig)

func (o onlyConn) conn(c *connConfig) { o(c) }
