package backend

import "context"

// Login is how a connection logs in, see db.BeforeConnect.
type Login struct {
	// Host and Port are the address of the server to connect to, on PostgreSQL of the first host of
	// the URL. Host is a path for a Unix socket. Changing them has no effect.
	Host, Port               string
	User, Password, Database string
}

// Authenticator is a [Dialect] whose connections log in. Without it, db.Open refuses
// db.BeforeConnect.
type Authenticator interface {
	Dialect
	// ConnectorBefore takes the place of Dialect.Connector if the user has given db.BeforeConnect.
	// The Connector calls before for each connection that it opens, each time with a Login of its
	// own that says what the URL says. before may change it. If before fails, connecting fails with
	// its error.
	ConnectorBefore(u *URL, before func(ctx context.Context, login *Login) error) (Connector, error)
}
