package backend

import "context"

// Login is how a connection logs in, see db.BeforeConnect.
type Login struct {
	// Host and Port are the address of the server to connect to, on PostgreSQL of the first host of
	// the URL. Host is a path for a Unix socket. Changing them has no effect.
	Host, Port               string
	User, Password, Database string
}

// Authenticator is a [Dialect] whose connections log in.
type Authenticator interface {
	Dialect
	// ConnectorBefore is Dialect.Connector for a Connector that calls before for each connection
	// that it opens. before may change how the connection logs in. If before fails, connecting
	// fails with its error.
	ConnectorBefore(u *URL, before func(ctx context.Context, login *Login) error) (Connector, error)
}
