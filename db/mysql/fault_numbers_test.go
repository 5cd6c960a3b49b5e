package mysql_test

import (
	"fmt"
	"testing"

	driver "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/mysql"
)

// The messages are those of MySQL 8 and of MariaDB. They differ even for the same number.
func TestErrorNumbersOfBothServers(t *testing.T) {
	for _, c := range []struct {
		number    uint16
		state     string
		message   string
		condition error
		place     string // table column constraint
	}{
		// MySQL
		{1062, "23000", "Duplicate entry 'a.b-1' for key 'users.email'", db.ErrUnique, "users  email"},
		{3819, "HY000", "Check constraint 'small' is violated.", db.ErrCheck, "  small"},
		{1452, "23000", "Cannot add or update a child row: a foreign key constraint fails (`app`.`f`, CONSTRAINT `f_ibfk_1` FOREIGN KEY (`p`) REFERENCES `p` (`id`))", db.ErrForeignKey, "f p f_ibfk_1"},
		{3730, "HY000", "Cannot drop table 'p' referenced by a foreign key constraint 'f_ibfk_1' on table 'f'.", db.ErrForeignKey, "  "},
		{3024, "HY000", "Query execution was interrupted, maximum statement execution time exceeded", db.ErrTimeout, "  "},
		{3572, "HY000", "Statement aborted because lock(s) could not be acquired immediately and NOWAIT is set.", db.ErrLockTimeout, "  "},
		{3058, "HY000", "Deadlock found when trying to get user-level lock; try rolling back transaction/releasing locks and restarting lock acquisition.", db.ErrDeadlock, "  "},
		{3101, "HY000", "Plugin instructed the server to rollback the current transaction.", db.ErrSerialization, "  "},
		{3118, "HY000", "Access denied for user 'u'@'h'. Account is locked.", db.ErrPermission, "  "},
		{3159, "HY000", "Connections using insecure transport are prohibited while --require_secure_transport=ON.", db.ErrPermission, "  "},
		{1820, "HY000", "You must reset your password using ALTER USER statement before executing this statement.", db.ErrPermission, "  "},
		{1698, "28000", "Access denied for user 'u'@'h'", db.ErrPermission, "  "},
		{3140, "22032", `Invalid JSON text: "Invalid value." at position 0 in value for column 't.j'.`, db.ErrData, "t j "},
		{1366, "HY000", "Incorrect integer value: 'x' for column 'i' at row 1", db.ErrData, " i "},
		{1406, "22001", "Data too long for column 's' at row 1", db.ErrData, " s "},
		{1305, "42000", "FUNCTION app.nope does not exist", db.ErrUndefined, "  "},
		{1146, "42S02", "Table 'app.nope' doesn't exist", db.ErrUndefinedTable, "nope  "},
		{1054, "42S22", "Unknown column 't.nope' in 'field list'", db.ErrUndefinedColumn, "t nope "},
		{1792, "25006", "Cannot execute statement in a READ ONLY transaction.", db.ErrReadOnly, "  "},
		{3169, "HY000", "Session was killed", db.ErrDisconnected, "  "},
		{4031, "HY000", "The client was disconnected by the server because of inactivity. See wait_timeout and interactive_timeout for configuring this behavior.", db.ErrDisconnected, "  "},

		// MariaDB
		{1062, "23000", "Duplicate entry 'a' for key 'email'", db.ErrUnique, "  email"},
		{4025, "23000", "CONSTRAINT `small` failed for `app`.`p`", db.ErrCheck, "p  small"},
		{1969, "70100", "Query execution was interrupted (max_statement_time exceeded)", db.ErrTimeout, "  "},
		{1020, "HY000", "Record has changed since last read in table 't'; try restarting transaction", db.ErrSerialization, "  "},
		{1927, "70100", "Connection was killed", db.ErrDisconnected, "  "},
		{4031, "HY000", "Referenced trigger 'x' for the given action time and event type does not exist.", nil, "  "},
		{4038, "HY000", "Syntax error in JSON text in argument 1 to function 'json_extract' at position 1", db.ErrData, "  "},
		{4091, "42S02", "Unknown SEQUENCE: 'app.s'", db.ErrUndefinedTable, "  "},
		{4151, "HY000", "Access denied, this account is locked", db.ErrPermission, "  "},
		{1366, "22007", "Incorrect integer value: 'x' for column `app`.`p`.`i` at row 1", db.ErrData, "p i "},

		// Both
		{1021, "HY000", "Disk full (/tmp); waiting for someone to free some space...", db.ErrDiskFull, "  "},
		{1114, "HY000", "The table 't' is full", db.ErrDiskFull, "  "},
		{1026, "HY000", `Error writing file './app/t.MYD' (Errcode: 28 "No space left on device")`, db.ErrDiskFull, "  "},
		{3, "HY000", `Error writing file './app/t.MYD' (errno: 28 - No space left on device)`, db.ErrDiskFull, "  "},
		{1030, "HY000", `Got error 28 "No space left on device" from storage engine InnoDB`, db.ErrDiskFull, "  "},
		{1030, "HY000", `Got error 280 "Something else" from storage engine InnoDB`, nil, "  "},
		{1205, "HY000", "Lock wait timeout exceeded; try restarting transaction", db.ErrLockTimeout, "  "},
		{1213, "40001", "Deadlock found when trying to get lock; try restarting transaction", db.ErrDeadlock, "  "},
		{1048, "23000", "Column 'n' cannot be null", db.ErrNotNull, " n "},
		{1364, "HY000", "Field 'n' doesn't have a default value", db.ErrNotNull, " n "},
		{1045, "28000", "Access denied for user 'u'@'h' (using password: YES)", db.ErrPermission, "  "},
		{1317, "70100", "Query execution was interrupted", nil, "  "},
		{4025, "HY000", "Something that only a later server says", nil, "  "},
	} {
		e := &driver.MySQLError{Number: c.number, Message: c.message}
		copy(e.SQLState[:], c.state)
		f := mysql.Dialect{}.Fault(fmt.Errorf("in between: %w", e))
		require.Equal(t, c.condition, f.Condition, c.message)
		require.Equal(t, fmt.Sprintf("%d (%s)", c.number, c.state), f.Code)
		require.Equal(t, c.place, f.Table+" "+f.Column+" "+f.Constraint, c.message)
	}
}
