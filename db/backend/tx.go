package backend

import "database/sql"

// TxOptions are the options of a transaction.
type TxOptions struct {
	ReadOnly  bool
	Isolation IsolationLevel
	// Deferrable is for PostgreSQL: a transaction that is serializable and read-only waits
	// until others can't make it fail. Other databases ignore it.
	Deferrable bool
}

// IsolationLevel says how much a transaction sees of others that run at the same time. Package db
// has constants for the levels.
type IsolationLevel = sql.IsolationLevel
