package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"

	mysql "github.com/go-sql-driver/mysql"
	"github.com/seed1239206e/repaint/db/backend"
)

// conditions maps error numbers of MySQL and MariaDB to db's conditions. Numbers up to 1999 are
// common to both. Numbers from 3000 on are MySQL's, of which MariaDB has some. From 4000 on each
// server has its own numbers; see theirs.
var conditions = map[uint16]error{
	1022: backend.ErrUnique, 1062: backend.ErrUnique, 1169: backend.ErrUnique, 1586: backend.ErrUnique, 1859: backend.ErrUnique,
	1216: backend.ErrForeignKey, 1217: backend.ErrForeignKey, 1451: backend.ErrForeignKey, 1452: backend.ErrForeignKey, 1701: backend.ErrForeignKey,
	1761: backend.ErrForeignKey, 1762: backend.ErrForeignKey, 3730: backend.ErrForeignKey,
	1048: backend.ErrNotNull, 1121: backend.ErrNotNull, 1263: backend.ErrNotNull, 1364: backend.ErrNotNull,
	3819: backend.ErrCheck, 4025: backend.ErrCheck,

	1213: backend.ErrDeadlock, 1614: backend.ErrDeadlock, 3058: backend.ErrDeadlock,
	1020: backend.ErrSerialization, 3101: backend.ErrSerialization,
	1205: backend.ErrLockTimeout, 3572: backend.ErrLockTimeout,

	1021: backend.ErrDiskFull, 1114: backend.ErrDiskFull,

	1064: backend.ErrSyntax, 1065: backend.ErrSyntax, 1149: backend.ErrSyntax,
	1051: backend.ErrUndefinedTable, 1109: backend.ErrUndefinedTable, 1146: backend.ErrUndefinedTable, 1932: backend.ErrUndefinedTable, 4091: backend.ErrUndefinedTable,
	1054: backend.ErrUndefinedColumn, 1072: backend.ErrUndefinedColumn,
	1049: backend.ErrUndefined, 1091: backend.ErrUndefined, 1128: backend.ErrUndefined, 1176: backend.ErrUndefined, 1193: backend.ErrUndefined, 1305: backend.ErrUndefined,
	1360: backend.ErrUndefined, 1630: backend.ErrUndefined,

	1044: backend.ErrPermission, 1045: backend.ErrPermission, 1095: backend.ErrPermission, 1130: backend.ErrPermission, 1142: backend.ErrPermission, 1143: backend.ErrPermission,
	1227: backend.ErrPermission, 1370: backend.ErrPermission, 1410: backend.ErrPermission, 1698: backend.ErrPermission, 1820: backend.ErrPermission, 1862: backend.ErrPermission,
	3118: backend.ErrPermission, 3159: backend.ErrPermission, 3955: backend.ErrPermission, 4150: backend.ErrPermission, 4151: backend.ErrPermission,
	1290: backend.ErrReadOnly, 1792: backend.ErrReadOnly, 1836: backend.ErrReadOnly,

	1153: backend.ErrData, 1242: backend.ErrData, 1264: backend.ErrData, 1265: backend.ErrData, 1292: backend.ErrData, 1365: backend.ErrData, 1366: backend.ErrData, 1367: backend.ErrData, 1406: backend.ErrData,
	1411: backend.ErrData, 1416: backend.ErrData, 1441: backend.ErrData, 1690: backend.ErrData, 3140: backend.ErrData, 3141: backend.ErrData, 3144: backend.ErrData, 3156: backend.ErrData,
	4037: backend.ErrData, 4038: backend.ErrData,

	1969: backend.ErrTimeout, 3024: backend.ErrTimeout,
	1053: backend.ErrDisconnected, 1152: backend.ErrDisconnected, 1158: backend.ErrDisconnected, 1159: backend.ErrDisconnected, 1160: backend.ErrDisconnected,
	1161: backend.ErrDisconnected, 1184: backend.ErrDisconnected, 1927: backend.ErrDisconnected, 2006: backend.ErrDisconnected, 2013: backend.ErrDisconnected,
	3168: backend.ErrDisconnected, 3169: backend.ErrDisconnected, 4031: backend.ErrDisconnected,
	1235: backend.ErrUnsupported,
}

// theirs has a part of the message for each number with another meaning on the other server. Only
// with that part, the number has the condition above.
var theirs = map[uint16]string{
	4025: "constraint",   // MariaDB: CONSTRAINT `name` failed for …
	4031: "disconnected", // MySQL: The client was disconnected by the server because of inactivity
	4037: "json",         // MariaDB: Unexpected end of JSON text in …
	4038: "json",
	4091: "sequence",
	4150: "blocked", // MariaDB: User is blocked because of too many credential errors
	4151: "locked",  // MariaDB: Access denied, this account is locked
}

// condition returns the condition of an error, or nil if none of db's conditions applies.
func condition(e *mysql.MySQLError) error {
	if word, ok := theirs[e.Number]; ok && !strings.Contains(strings.ToLower(e.Message), word) {
		return nil
	}
	switch e.Number {
	case 3, 1026, 1030: // "Error writing file …", "Got error … from storage engine", with the system's number
		if noSpace.MatchString(e.Message) {
			return backend.ErrDiskFull
		}
	}
	return conditions[e.Number]
}

// noSpace matches ENOSPC in a message.
var noSpace = regexp.MustCompile(`(?i)\b(errno: |errcode: |error )28\b`)

// Fault returns what a driver's error means.
func (Dialect) Fault(err error) backend.Fault {
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		switch {
		case errors.Is(err, mysql.ErrPktTooLarge):
			return backend.Fault{Condition: backend.ErrData, Hint: "raise max_allowed_packet, here and in the server"}
		case errors.Is(err, mysql.ErrCleartextPassword):
			return backend.Fault{Condition: backend.ErrPermission,
				Hint: "the server wants the password as it is, for PAM, LDAP or tokens of a cloud: write allow_cleartext_passwords=true&tls=verify in the URL"}
		case broken(err):
			return backend.Fault{Condition: backend.ErrDisconnected}
		}
		return backend.Fault{}
	}
	f := backend.Fault{Condition: condition(e), Code: fmt.Sprint(e.Number)}
	f.Raised = e.Number == 1644 || string(e.SQLState[:2]) == "45" // SIGNAL
	if e.SQLState != [5]byte{} {
		f.Code += " (" + string(e.SQLState[:]) + ")"
	}
	locate(&f, e)
	switch e.Number {
	case 1040, 1203:
		f.Hint = "the server has as many connections as it allows: lower pool_size and max_overflow, or raise its max_connections"
	case 1064:
		if strings.Contains(strings.ToLower(e.Message), "near 'returning") {
			f.Hint = "run a statement with RETURNING by itself, not in a script; a name is written `returning`"
		}
	case 1153:
		f.Hint = "raise the server's max_allowed_packet"
	}
	return f
}

// Restate implements backend.ErrorRestater.
func (Dialect) Restate(err error, message string) error {
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return nil
	}
	restated := *e
	whole := restated
	whole.Message = ""
	restated.Message = strings.TrimPrefix(message, whole.Error()) // the driver's error adds it again
	return &restated
}

// locate sets the table, column and constraint that the message names.
func locate(f *backend.Fault, e *mysql.MySQLError) {
	m := e.Message
	switch e.Number {
	case 1062, 1586, 1859: // Duplicate entry '…' for key 'name'; in MySQL 'table.name'
		if i := strings.LastIndex(m, " key '"); i >= 0 {
			f.Constraint = strings.Trim(m[i+len(" key "):], "'")
			if table, name, ok := strings.Cut(f.Constraint, "."); ok {
				f.Table, f.Constraint = table, name
			}
		}
	case 1451, 1452: // … fails (`db`.`table`, CONSTRAINT `name` FOREIGN KEY (`column`) REFERENCES …
		f.Table = quoted(m, '`', 1)
		if _, rest, ok := strings.Cut(m, "CONSTRAINT `"); ok {
			f.Constraint, _, _ = strings.Cut(rest, "`")
		}
		if _, rest, ok := strings.Cut(m, "FOREIGN KEY ("); ok {
			list, _, _ := strings.Cut(rest, ")")
			f.Column = strings.ReplaceAll(list, "`", "")
		}
	case 1048, 1364, 1054:
		f.Column = quoted(m, '\'', 0)
		if table, column, ok := strings.Cut(f.Column, "."); ok {
			f.Table, f.Column = table, column
		}
	case 3819:
		f.Constraint = quoted(m, '\'', 0)
	case 4025: // CONSTRAINT `name` failed for `db`.`table`
		f.Constraint, f.Table = quoted(m, '`', 0), quoted(m, '`', 2)
	case 3140: // Invalid JSON text: "…" at position 0 in value for column 'table.name'.
		if _, rest, ok := strings.Cut(m, "for column '"); ok {
			rest, _, _ = strings.Cut(rest, "'")
			if table, column, ok := strings.Cut(rest, "."); ok {
				f.Table, f.Column = table, column
			}
		}
	case 1264, 1265, 1292, 1366, 1406: // … for column 'name' at row 1; in MariaDB also `db`.`table`.`name`
		if i := strings.LastIndex(m, "for column "); i >= 0 { // the last one, because the value comes before it
			rest, _, _ := strings.Cut(m[i+len("for column "):], " at row")
			parts := strings.Split(strings.Trim(rest, "'`"), "`.`")
			f.Column = parts[len(parts)-1]
			if len(parts) > 1 {
				f.Table = parts[len(parts)-2]
			}
		}
	case 1051, 1146: // Table 'db.name' doesn't exist
		name := quoted(m, '\'', 0)
		if _, table, ok := strings.Cut(name, "."); ok {
			name = table
		}
		f.Table = name
	}
}

// broken reports whether an error means that the connection is gone.
func broken(err error) bool {
	var n net.Error
	return errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrMalformPkt) ||
		errors.Is(err, mysql.ErrPktSync) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.As(err, &n)
}

// Lost reports whether an error means that the answer to a statement never came. The driver closes
// the connection when a context that it has got ends.
func (sqlDriver) Lost(err error) bool {
	return broken(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// unreachable reports whether an error means that no server answered at an address.
func unreachable(err error) bool {
	var e *mysql.MySQLError
	return !errors.As(err, &e) || e.Number == 1040 || condition(e) == backend.ErrDisconnected
}
