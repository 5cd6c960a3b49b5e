package backend

import "database/sql"

// TxOptions are the options of a transaction.
type TxOptions struct {
	ReadOnly  bool
	Isolation IsolationLevel
	// Deferrable is for PostgreSQL: a transaction that is serializable and read-only waits
	// until it can be sure not to fail because of others. Elsewhere it means nothing.
	Deferrable bool
}

// IsolationLevel says how much a transaction sees of others that run beside it. db.Isolation says
// which levels there are.
type IsolationLevel = sql.IsolationLevel
