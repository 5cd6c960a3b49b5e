package backend

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Upsert is an INSERT that updates a row if its key is there already. Names are quoted, so they
// must be written exactly as the database has them, and nothing in them is SQL.
type Upsert struct {
	// Schema is the table's schema; "" leaves it out.
	Schema, Table string
	// Columns are the columns to insert. The parameters have their names.
	Columns []string
	// Key are the columns of the primary key, or of a unique index, that identify a row. MySQL and
	// MariaDB look at all unique indexes of the table, so there the table should have no other.
	Key []string
	// Update are the columns that get the new values in a row that is there already.
	Update []string
	// Add are the columns to which the new values are added in a row that is there already.
	Add []string
	// Returning are the columns to return of each row. It needs Update or Add: a row that stays as
	// it is wouldn't be returned.
	Returning []string
}

// Upserter is a [Dialect] of a database that has upserts.
type Upserter interface {
	Dialect
	// Upsert returns the text of an upsert, which has passed Check, with a parameter :name for each
	// column. An error says what the database can't do; callers get it as ErrUnsupported.
	Upsert(u *Upsert) (text string, err error)
}

// Check returns an error if the Upsert can't be right on any database.
func (u *Upsert) Check() error {
	switch {
	case u.Table == "":
		return errors.New("an upsert needs a table")
	case len(u.Columns) == 0:
		return errors.New("an upsert needs columns")
	case len(u.Key) == 0:
		return errors.New("an upsert needs the columns of a key, by which it finds a row")
	case len(u.Returning) > 0 && len(u.Update)+len(u.Add) == 0:
		return errors.New("an upsert without Update and Add doesn't return the rows that stay as they are; name columns in Update, or select the rows afterwards")
	}
	for _, name := range u.Columns {
		if !isParam(name) {
			return fmt.Errorf("the name of the column %q can't be that of a parameter; write the statement yourself", name)
		}
	}
	for _, list := range []struct {
		what  string
		names []string
	}{{"Columns", u.Columns}, {"Key", u.Key}, {"Update and Add", slices.Concat(u.Update, u.Add)}} {
		for i, name := range list.names {
			switch {
			case slices.Contains(list.names[:i], name):
				return fmt.Errorf("%s has the column %q twice", list.what, name)
			case !slices.Contains(u.Columns, name):
				return fmt.Errorf("%s has the column %q, which isn't one of Columns", list.what, name)
			}
		}
	}
	for _, name := range slices.Concat([]string{u.Schema, u.Table}, u.Returning) {
		if strings.ContainsRune(name, 0) {
			return fmt.Errorf("the name %q has a zero byte", name)
		}
	}
	return nil
}

// isParam reports whether :name is a parameter as a whole.
func isParam(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// OnConflict returns the text of an upsert in the syntax of PostgreSQL and SQLite.
func (u *Upsert) OnConflict() string {
	quote := func(name string) string { return QuoteName(name, '"') }
	text := u.Insert(quote) + " on conflict (" + namesOf(u.Key, quote) + ") do "
	var set []string
	for _, name := range u.Update {
		set = append(set, quote(name)+" = excluded."+quote(name))
	}
	for _, name := range u.Add {
		set = append(set, quote(name)+" = "+quote(u.Table)+"."+quote(name)+" + excluded."+quote(name))
	}
	if len(set) == 0 {
		return text + "nothing"
	}
	return text + "update set " + strings.Join(set, ", ") + u.returning(quote)
}

// OnDuplicateKey returns the text of an upsert in the syntax of MySQL and MariaDB.
func (u *Upsert) OnDuplicateKey() string {
	quote := func(name string) string { return QuoteName(name, '`') }
	var set []string
	for _, name := range u.Update {
		set = append(set, quote(name)+" = values("+quote(name)+")")
	}
	for _, name := range u.Add {
		set = append(set, quote(name)+" = "+quote(u.Table)+"."+quote(name)+" + values("+quote(name)+")")
	}
	if len(set) == 0 {
		set = append(set, quote(u.Key[0])+" = "+quote(u.Table)+"."+quote(u.Key[0])) // this changes nothing
	}
	return u.Insert(quote) + " on duplicate key update " + strings.Join(set, ", ") + u.returning(quote)
}

// Insert returns the beginning of an upsert: an INSERT of one row, without a semicolon.
func (u *Upsert) Insert(quote func(name string) string) string {
	table := quote(u.Table)
	if u.Schema != "" {
		table = quote(u.Schema) + "." + table
	}
	return "insert into " + table + " (" + namesOf(u.Columns, quote) + ") values (" +
		namesOf(u.Columns, func(name string) string { return ":" + name }) + ")"
}

func (u *Upsert) returning(quote func(name string) string) string {
	if len(u.Returning) == 0 {
		return ""
	}
	return " returning " + namesOf(u.Returning, quote)
}

func namesOf(names []string, write func(name string) string) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = write(name)
	}
	return strings.Join(all, ", ")
}

// QuoteName returns a name between quotes, and doubles the quotes in it.
func QuoteName(name string, quote byte) string {
	q := string(quote)
	return q + strings.ReplaceAll(name, q, q+q) + q
}
