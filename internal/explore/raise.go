package explore

import "fmt"

// RaisePostgres returns a statement by which PostgreSQL reports an error.
func RaisePostgres(state string) string {
	return fmt.Sprintf("do $fault$begin raise sqlstate '%s' using message = '%s'; end$fault$", state, meanings[state])
}

// RaiseMySQL returns a statement by which MySQL and MariaDB report an error. A real error would
// have rolled back the transaction too, so the caller must do that.
func RaiseMySQL(state string) string {
	number := 1213 // a serialization failure is a deadlock there
	return fmt.Sprintf("signal sqlstate '%s' set mysql_errno = %d, message_text = '%s'", "40001", number, meanings[state])
}

var meanings = map[string]string{
	SerializationFailure: "could not serialize access (a fault of the schedule)",
	DeadlockDetected:     "deadlock detected (a fault of the schedule)",
}

// SQLSTATEs of PostgreSQL.
const (
	SerializationFailure = "40001"
	DeadlockDetected     = "40P01"
)
