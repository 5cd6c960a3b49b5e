package backend

import "context"

// Login is how a connection is to log in, see db.BeforeConnect.
type Login struct {
	Host, Port               string // of the server that is tried, on PostgreSQL the first of the URL; Host is a path for a Unix socket. Changes are without effect
	User, Password, Database string
}

// Authenticator is a [Dialect] whose connections log in.
type Authenticator interface {
	Dialect
	// ConnectorBefore is Connector with a function that is called before each connection is opened,
	// and may change how it logs in. Its error is that of the attempt.
	ConnectorBefore(u *URL, before func(ctx context.Context, login *Login) error) (Connector, error)
}
