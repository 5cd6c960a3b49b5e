package backend

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Upsert is an INSERT that changes the row that is there already. Names are as the database has them:
// they are quoted, so case counts where it does for the database, and nothing in them is SQL.
type Upsert struct {
	// Schema is that of the table; "" leaves it out.
	Schema, Table string
	// Columns are inserted. The values of a row have these names.
	Columns []string
	// Key are the columns of the primary key, or of a unique index, by which a row is found that is
	// there already. MySQL and MariaDB go by any unique index of the table, and can't be told which;
	// so there a table should have no other.
	Key []string
	// Update are the columns that such a row gets the new values of.
	Update []string
	// Add are the columns to which the new values are added in such a row.
	Add []string
	// Returning are the columns that are returned of each row. Without Update and Add rows that are
	// there already stay as they are, and aren't returned; so that is refused.
	Returning []string
}

// Upserter is a [Dialect] of a database that has upserts.
type Upserter interface {
	Dialect
	// Upsert writes an upsert, which has been checked, with a parameter :name for each column.
	Upsert(u *Upsert) (text string, err error)
}

// Check reports what can't be right, whatever the database is.
func (u *Upsert) Check() error {
	switch {
	case u.Table == "":
		return errors.New("an upsert needs a table")
	case len(u.Columns) == 0:
		return errors.New("an upsert needs columns")
	case len(u.Key) == 0:
		return errors.New("an upsert needs the columns of a key by which a row is found that is there")
	case len(u.Returning) > 0 && len(u.Update)+len(u.Add) == 0:
		return errors.New("rows that stay as they are aren't returned; name columns in Update, or select the rows afterwards")
	}
	for _, name := range u.Columns {
		if !isParam(name) {
			return fmt.Errorf("the column %q can't be the name of a parameter; write the statement yourself", name)
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

// OnConflict writes an upsert as PostgreSQL and SQLite have it.
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

// OnDuplicateKey writes an upsert as MySQL and MariaDB have it.
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
		set = append(set, quote(u.Key[0])+" = "+quote(u.Table)+"."+quote(u.Key[0])) // which changes nothing
	}
	return u.Insert(quote) + " on duplicate key update " + strings.Join(set, ", ") + u.returning(quote)
}

// Insert writes the beginning of an upsert, which is an INSERT of one row.
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

// QuoteName writes a name between quotes, which are doubled in it.
func QuoteName(name string, quote byte) string {
	q := string(quote)
	return q + strings.ReplaceAll(name, q, q+q) + q
}
