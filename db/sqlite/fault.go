package sqlite

import (
	"errors"
	"fmt"
	"strings"

	"github.com/seed1239206e/repaint/db"
)

// Fault reads a driver's error.
func (Dialect) Fault(err error) db.Fault { return fault(err) }

// The result codes that mean one of db's conditions. The names are SQLite's.
var codes = map[int]struct {
	name      string
	condition error
}{
	1:    {"SQLITE_ERROR", nil}, // see messages
	5:    {"SQLITE_BUSY", db.ErrLockTimeout},
	261:  {"SQLITE_BUSY_RECOVERY", db.ErrBusy},
	517:  {"SQLITE_BUSY_SNAPSHOT", db.ErrSerialization},
	773:  {"SQLITE_BUSY_TIMEOUT", db.ErrLockTimeout},
	6:    {"SQLITE_LOCKED", db.ErrLockTimeout},
	262:  {"SQLITE_LOCKED_SHAREDCACHE", db.ErrLockTimeout},
	8:    {"SQLITE_READONLY", db.ErrReadOnly},
	264:  {"SQLITE_READONLY_RECOVERY", db.ErrReadOnly},
	776:  {"SQLITE_READONLY_ROLLBACK", db.ErrReadOnly},
	1032: {"SQLITE_READONLY_DBMOVED", db.ErrReadOnly},
	1288: {"SQLITE_READONLY_CANTINIT", db.ErrReadOnly},
	1544: {"SQLITE_READONLY_DIRECTORY", db.ErrReadOnly},
	10:   {"SQLITE_IOERR", nil},
	11:   {"SQLITE_CORRUPT", nil},
	13:   {"SQLITE_FULL", nil},
	14:   {"SQLITE_CANTOPEN", nil},
	18:   {"SQLITE_TOOBIG", db.ErrData},
	19:   {"SQLITE_CONSTRAINT", db.ErrConstraint},
	275:  {"SQLITE_CONSTRAINT_CHECK", db.ErrCheck},
	531:  {"SQLITE_CONSTRAINT_COMMITHOOK", db.ErrConstraint},
	787:  {"SQLITE_CONSTRAINT_FOREIGNKEY", db.ErrForeignKey},
	1043: {"SQLITE_CONSTRAINT_FUNCTION", db.ErrConstraint},
	1299: {"SQLITE_CONSTRAINT_NOTNULL", db.ErrNotNull},
	1555: {"SQLITE_CONSTRAINT_PRIMARYKEY", db.ErrUnique},
	1811: {"SQLITE_CONSTRAINT_TRIGGER", db.ErrConstraint},
	2067: {"SQLITE_CONSTRAINT_UNIQUE", db.ErrUnique},
	2323: {"SQLITE_CONSTRAINT_VTAB", db.ErrConstraint},
	2579: {"SQLITE_CONSTRAINT_ROWID", db.ErrUnique},
	3091: {"SQLITE_CONSTRAINT_DATATYPE", db.ErrConstraint},
	20:   {"SQLITE_MISMATCH", db.ErrData},
	26:   {"SQLITE_NOTADB", nil},
}

// messages are those of SQLite that say more than its code, or all there is for
// a driver whose errors don't have the code.
var messages = []struct {
	part      string
	condition error
}{
	{"UNIQUE constraint failed", db.ErrUnique},
	{"PRIMARY KEY constraint failed", db.ErrUnique},
	{"FOREIGN KEY constraint failed", db.ErrForeignKey},
	{"NOT NULL constraint failed", db.ErrNotNull},
	{"CHECK constraint failed", db.ErrCheck},
	{"database is locked", db.ErrLockTimeout},
	{"database table is locked", db.ErrLockTimeout},
	{"attempt to write a readonly database", db.ErrReadOnly},
	{"no such table", db.ErrUndefinedTable},
	{"no such column", db.ErrUndefinedColumn},
	{"no such ", db.ErrUndefined},
	{"has no column named", db.ErrUndefinedColumn},
	{"syntax error", db.ErrSyntax},
	{"unrecognized token", db.ErrSyntax},
	{"incomplete input", db.ErrSyntax},
	{"row value misused", db.ErrSyntax},
}

func fault(err error) db.Fault {
	var f db.Fault
	var coded interface {
		error
		Code() int
	}
	code := 0
	if errors.As(err, &coded) {
		code = coded.Code()
	}
	if known, ok := codes[code]; ok {
		f.Condition, f.Code = known.condition, fmt.Sprintf("%s (%d)", known.name, code)
	} else if code != 0 {
		f.Code = fmt.Sprintf("SQLite result code %d", code)
		if known, ok := codes[code&255]; ok {
			f.Condition = known.condition
		}
	}
	f.Raised = code == 1811 // RAISE in a trigger
	text := err.Error()
	if f.Condition == nil && code <= 1 {
		for _, m := range messages {
			if strings.Contains(text, m.part) {
				f.Condition = m.condition
				break
			}
		}
	}
	if code&255 == 14 {
		f.Hint = "the directory must exist, and the file in it be one that may be opened, or made"
	}
	switch f.Condition {
	case db.ErrUnique, db.ErrNotNull:
		f.Table, f.Column = place(text)
	case db.ErrCheck:
		_, f.Constraint, _ = strings.Cut(strip(text), "CHECK constraint failed: ")
	case db.ErrUndefinedTable:
		_, f.Table, _ = strings.Cut(strip(text), "no such table: ")
	case db.ErrBusy, db.ErrLockTimeout:
		f.Hint = "something outside of this Engine holds the file's lock; let it finish, or raise busy_timeout"
	}
	return f
}

// place reads "… constraint failed: table.column, table.column".
func place(text string) (table, column string) {
	_, rest, ok := strings.Cut(strip(text), "constraint failed: ")
	for strings.Contains(rest, "constraint failed: ") {
		_, rest, ok = strings.Cut(rest, "constraint failed: ")
	}
	if !ok {
		return "", ""
	}
	var columns []string
	for part := range strings.SplitSeq(rest, ", ") {
		t, c, ok := strings.Cut(part, ".")
		if !ok {
			return "", ""
		}
		table = t
		columns = append(columns, c)
	}
	return table, strings.Join(columns, ", ")
}

// strip removes the code that the driver appends to a message: " (2067)".
func strip(text string) string {
	if i := strings.LastIndex(text, " ("); i >= 0 && strings.HasSuffix(text, ")") {
		return text[:i]
	}
	return text
}
