package sqlite

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/seed1239206e/repaint/db/backend"
)

// Fault returns what an error of any SQLite driver means, by its result code or its message.
func (Dialect) Fault(err error) backend.Fault { return fault(err) }

// codes are SQLite's result codes and names that belong to one of db's conditions.
var codes = map[int]struct {
	name      string
	condition error
}{
	1:    {"SQLITE_ERROR", nil}, // the messages say more
	5:    {"SQLITE_BUSY", backend.ErrLockTimeout},
	261:  {"SQLITE_BUSY_RECOVERY", backend.ErrBusy},
	517:  {"SQLITE_BUSY_SNAPSHOT", backend.ErrSerialization},
	773:  {"SQLITE_BUSY_TIMEOUT", backend.ErrLockTimeout},
	6:    {"SQLITE_LOCKED", backend.ErrLockTimeout},
	262:  {"SQLITE_LOCKED_SHAREDCACHE", backend.ErrLockTimeout},
	8:    {"SQLITE_READONLY", backend.ErrReadOnly},
	264:  {"SQLITE_READONLY_RECOVERY", backend.ErrReadOnly},
	776:  {"SQLITE_READONLY_ROLLBACK", backend.ErrReadOnly},
	1032: {"SQLITE_READONLY_DBMOVED", backend.ErrReadOnly},
	1288: {"SQLITE_READONLY_CANTINIT", backend.ErrReadOnly},
	1544: {"SQLITE_READONLY_DIRECTORY", backend.ErrReadOnly},
	9:    {"SQLITE_INTERRUPT", nil},
	10:   {"SQLITE_IOERR", nil},
	11:   {"SQLITE_CORRUPT", nil},
	13:   {"SQLITE_FULL", backend.ErrDiskFull},
	14:   {"SQLITE_CANTOPEN", nil},
	18:   {"SQLITE_TOOBIG", backend.ErrData},
	19:   {"SQLITE_CONSTRAINT", backend.ErrConstraint},
	275:  {"SQLITE_CONSTRAINT_CHECK", backend.ErrCheck},
	531:  {"SQLITE_CONSTRAINT_COMMITHOOK", backend.ErrConstraint},
	787:  {"SQLITE_CONSTRAINT_FOREIGNKEY", backend.ErrForeignKey},
	1043: {"SQLITE_CONSTRAINT_FUNCTION", backend.ErrConstraint},
	1299: {"SQLITE_CONSTRAINT_NOTNULL", backend.ErrNotNull},
	1555: {"SQLITE_CONSTRAINT_PRIMARYKEY", backend.ErrUnique},
	1811: {"SQLITE_CONSTRAINT_TRIGGER", backend.ErrConstraint},
	2067: {"SQLITE_CONSTRAINT_UNIQUE", backend.ErrUnique},
	2323: {"SQLITE_CONSTRAINT_VTAB", backend.ErrConstraint},
	2579: {"SQLITE_CONSTRAINT_ROWID", backend.ErrUnique},
	3091: {"SQLITE_CONSTRAINT_DATATYPE", backend.ErrConstraint},
	20:   {"SQLITE_MISMATCH", backend.ErrData},
	26:   {"SQLITE_NOTADB", nil},
}

// messages are SQLite messages that say more than the result code. For a driver whose errors lack
// the code, they are all that is known.
var messages = []struct {
	part      string
	condition error
}{
	{"UNIQUE constraint failed", backend.ErrUnique},
	{"PRIMARY KEY constraint failed", backend.ErrUnique},
	{"FOREIGN KEY constraint failed", backend.ErrForeignKey},
	{"NOT NULL constraint failed", backend.ErrNotNull},
	{"CHECK constraint failed", backend.ErrCheck},
	{"database is locked", backend.ErrLockTimeout},
	{"database table is locked", backend.ErrLockTimeout},
	{"attempt to write a readonly database", backend.ErrReadOnly},
	{"database or disk is full", backend.ErrDiskFull},
	{"no such table", backend.ErrUndefinedTable},
	{"no such column", backend.ErrUndefinedColumn},
	{"no such ", backend.ErrUndefined},
	{"has no column named", backend.ErrUndefinedColumn},
	{"syntax error", backend.ErrSyntax},
	{"unrecognized token", backend.ErrSyntax},
	{"incomplete input", backend.ErrSyntax},
	{"row value misused", backend.ErrSyntax},
}

func fault(err error) backend.Fault {
	var f backend.Fault
	code := codeOf(err)
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
	case backend.ErrUnique, backend.ErrNotNull:
		f.Table, f.Column = place(text)
	case backend.ErrCheck:
		_, f.Constraint, _ = strings.Cut(strip(text), "CHECK constraint failed: ")
	case backend.ErrUndefinedTable:
		_, f.Table, _ = strings.Cut(strip(text), "no such table: ")
	case backend.ErrBusy, backend.ErrLockTimeout:
		f.Hint = "something outside of this Engine holds the file's lock; let it finish, or raise busy_timeout"
	}
	return f
}

// Restate implements backend.ErrorRestater.
func (Dialect) Restate(err error, message string) error {
	code := codeOf(err)
	if code == 0 {
		return nil
	}
	return &restated{Code: code & 255, ExtendedCode: code, message: message}
}

// restated has the fields of go-sqlite3's error.
type restated struct {
	Code, ExtendedCode int
	message            string
}

func (e *restated) Error() string { return e.message }

// codeOf returns the result code of a driver's error, the extended one if the error has it, or 0 if
// the error has no code. Drivers differ in its form: a method or a field, with some integer type.
func codeOf(err error) int {
	if err == nil {
		return 0
	}
	v := reflect.ValueOf(err)
	for _, name := range []string{"ExtendedCode", "Code"} {
		code := v.MethodByName(name)
		if code.IsValid() {
			if t := code.Type(); t.NumIn() != 0 || t.NumOut() != 1 {
				continue
			}
			code = code.Call(nil)[0]
		} else if s := reflect.Indirect(v); s.Kind() == reflect.Struct {
			code = s.FieldByName(name)
		}
		switch {
		case !code.IsValid():
		case code.CanInt() && code.Int() != 0:
			return int(code.Int())
		case code.CanUint() && code.Uint() != 0:
			return int(code.Uint())
		}
	}
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		return codeOf(err.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range err.Unwrap() {
			if code := codeOf(one); code != 0 {
				return code
			}
		}
	}
	return 0
}

// Interrupted reports whether an error comes from an interrupted statement.
func (sqlDriver) Interrupted(err error) bool {
	code := codeOf(err)
	return code&255 == 9 || code == 0 && strings.HasSuffix(err.Error(), "interrupted")
}

// Stale reports whether an error means that the driver had counted the columns of a prepared
// statement before SQLite noticed a change of the schema.
func (sqlDriver) Stale(err error) bool { return codeOf(err) == 21 }

// place returns the table and the first column of a text "… constraint failed: table.column,
// table.column".
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
