package mysql

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/sqltext"
)

// MySQL has no RETURNING, and MariaDB has none for UPDATE. If it can be exact, emulate.go runs
// other statements instead; this file reads the parts of the original one.

// returning is a statement with RETURNING, split into its parts.
type returning struct {
	text   string
	all    []token
	verb   string
	before part // RETURNING
	list   part // the list after RETURNING

	// lead and tail are the text before and after the statement, usually comments. begin is the
	// statement's text up to the table: hints follow the verb. Each statement of the emulation has
	// these texts, too.
	lead, tail, begin string
	hints             string // the hints in begin

	table part   // the table's name, with its alias, as other statements may write it
	name  string // the name that qualifies its columns

	// For INSERT and REPLACE.
	columns []string // nil: all columns of the table
	rows    [][]part // the values

	// For UPDATE and DELETE. Each begins with its keyword, and may be empty.
	set, where, order, limit part
	changed                  []string // the columns that SET gives values to
}

// part is a part of the text: the tokens from index from up to, but not including, to.
type part struct{ from, to int }

func (r *returning) is(i int, words ...string) bool {
	return i < len(r.all) && slices.Contains(words, r.all[i].word)
}

func (r *returning) kind(i int) sqltext.Kind {
	if i >= len(r.all) {
		return sqltext.End
	}
	return r.all[i].Kind
}

// at returns the text of a part.
func (r *returning) at(p part) string {
	if p.from >= p.to {
		return ""
	}
	return r.text[r.all[p.from].Start:r.all[p.to-1].End]
}

// through returns the text of a part, with the comments after it.
func (r *returning) through(p part) string {
	if p.from >= p.to {
		return ""
	}
	return r.text[r.all[p.from].Start:r.all[p.to].Start]
}

// args returns which of the statement's arguments belong to a part.
func (r *returning) args(p part) (from, to int) {
	for i, t := range r.all[:p.to] {
		if t.Kind == sqltext.Native {
			if i < p.from {
				from++
			}
			to++
		}
	}
	return from, to
}

// has reports whether a part contains a word, at any depth of parentheses.
func (r *returning) has(p part, word string) bool {
	return slices.ContainsFunc(r.all[p.from:p.to], func(t token) bool { return t.word == word })
}

// cannot returns the error for a statement that can't be emulated. It says why, and what to write
// instead.
func cannot(why, instead string, args ...any) error {
	return &db.Error{Op: "query", Fault: backend.Fault{Condition: backend.ErrUnsupported, Hint: instead},
		Err: errors.New("this server has no RETURNING here, and " + fmt.Sprintf(why, args...))}
}

// readReturning reads a statement whose placeholders are rendered.
func readReturning(text string) (_ *returning, err error) {
	st := rules.Split(text)[0] // there is exactly one
	r := &returning{text: text, all: tokens(text, st.Start, st.End)}
	clause := sqltext.MySQL.Classify(text, st).Returning
	at := slices.IndexFunc(r.all, func(t token) bool { return t.Start == clause })
	if at <= 0 || hasCode(text) {
		return nil, cannot("the statement can't be read", "leave out comments that are executed, and WITH")
	}
	r.verb = r.all[0].word
	r.before, r.list = part{0, at}, part{at + 1, len(r.all)}
	r.lead, r.tail = text[:st.Start], text[st.End:st.To]
	if st.To < len(text) {
		r.tail += " " + text[st.To+1:] // a comment after the semicolon
	}
	if r.has(r.list, "select") {
		return nil, cannot("what is returned has a subquery, which would be run at another time", "select that apart, in the same transaction")
	}
	switch r.verb {
	case "insert", "replace":
		err = r.readInsert()
	case "update", "delete":
		err = r.readChange()
	default:
		err = cannot("the statement begins with %q", "leave out what stands before INSERT, UPDATE or DELETE", r.at(part{0, 1}))
	}
	if err != nil {
		return nil, err
	}
	r.begin = r.through(part{0, r.table.from})
	for t := range rules.Tokens(r.begin, 0, len(r.begin)) {
		if t.Kind == sqltext.Hint {
			r.hints += r.begin[t.Start:t.End] + " "
		}
	}
	return r, nil
}

// target reads the name of a table, with its alias if it may have one, and returns the
// index after it.
func (r *returning) target(from int, alias bool) (next int, ok bool) {
	isName := func(i int) bool {
		return i < r.before.to && (r.kind(i) == sqltext.Word || r.kind(i) == sqltext.Name && r.text[r.all[i].Start] == '`')
	}
	i := from
	if !isName(i) {
		return i, false
	}
	i++
	if r.kind(i) == sqltext.Other && r.at(part{i, i + 1}) == "." && isName(i+1) {
		i += 2
	}
	r.name = r.at(part{from, i})
	ends := []string{"set", "where", "order", "limit", "values", "value", "select", "partition", "join", "using", "as", "left", "inner", "cross", "natural", "straight_join", "force", "use", "ignore"}
	if alias {
		if r.is(i, "as") {
			i++
		}
		if isName(i) && !r.is(i, ends...) {
			r.name = r.at(part{i, i + 1})
			i++
		}
	}
	r.table = part{from, i}
	return i, true
}

func (r *returning) readInsert() error {
	i := 1
	for r.is(i, "low_priority", "high_priority", "delayed", "into", "ignore") {
		if r.is(i, "ignore") {
			return cannot("with IGNORE it can't be known which rows were inserted", "leave IGNORE out, or insert one row at a time with Exec and look at RowsAffected")
		}
		i++
	}
	i, ok := r.target(i, false)
	if !ok || r.is(i, "partition") {
		return cannot("the table isn't named by itself", "write INSERT INTO table (columns) VALUES (…)")
	}
	if r.kind(i) == sqltext.Open {
		r.columns = []string{}
		for i++; r.kind(i) != sqltext.Close; i++ {
			if k := r.kind(i); k == sqltext.Word || k == sqltext.Name {
				r.columns = append(r.columns, unquote(r.at(part{i, i + 1})))
			} else if k == sqltext.End || r.at(part{i, i + 1}) != "," {
				return cannot("the list of columns can't be read", "write plain names of columns")
			}
		}
		i++
	}
	if !r.is(i, "values", "value") {
		return cannot("the rows of INSERT … SELECT and INSERT … SET can't be told from those of others", "write INSERT … VALUES; or select the rows before, and insert them with their keys")
	}
	for i++; r.kind(i) == sqltext.Open && i < r.before.to; i++ {
		row, from := []part{}, i+1
		for i++; i < r.before.to && r.all[i].depth > 0; i++ {
			if r.all[i].depth == 1 && r.kind(i) == sqltext.Other && r.at(part{i, i + 1}) == "," {
				row = append(row, part{from, i})
				from = i + 1
			}
		}
		if i > from {
			row = append(row, part{from, i})
		}
		r.rows = append(r.rows, row)
		if i++; i >= r.before.to || r.at(part{i, i + 1}) != "," {
			break
		}
	}
	if i < r.before.to {
		return cannot("with ON DUPLICATE KEY UPDATE it can't be known which rows were meant",
			"run it with Exec, for one row with … ON DUPLICATE KEY UPDATE id = last_insert_id(id), and select that row in the same transaction")
	}
	for _, row := range r.rows {
		if len(r.rows) > 1 && len(row) > 0 && r.has(part{row[0].from, row[len(row)-1].to}, "select") {
			return cannot("with a subquery among the values the rows' keys needn't be consecutive", "insert one row at a time, or select the values before")
		}
	}
	return nil
}

func (r *returning) readChange() error {
	i := 1
	for r.is(i, "low_priority", "quick", "ignore") {
		if r.is(i, "ignore") {
			return cannot("with IGNORE it can't be known which rows were changed", "leave IGNORE out")
		}
		i++
	}
	several := cannot("more than one table is named", "select … for update the rows in a transaction, and change each table by the keys found")
	if r.verb == "delete" {
		if !r.is(i, "from") {
			return several
		}
		i++
	}
	i, ok := r.target(i, true)
	if !ok {
		return several
	}
	for _, c := range []struct {
		word string
		part *part
	}{{"set", &r.set}, {"where", &r.where}, {"order", &r.order}, {"limit", &r.limit}} {
		if i >= r.before.to || !r.is(i, c.word) {
			*c.part = part{i, i}
			continue
		}
		from := i
		for i++; i < r.before.to; i++ {
			if r.all[i].depth == 0 && r.is(i, "where", "order", "limit") && !(c.word == "set" && r.at(part{i - 1, i}) == ",") {
				break
			}
		}
		*c.part = part{from, i}
	}
	switch {
	case i < r.before.to:
		return several
	case r.has(r.where, "select") || r.has(r.order, "select"):
		return cannot("its condition has a subquery, which would be run twice, and may find other rows the second time",
			"select … for update the rows in a transaction, and change them by the keys found")
	case strings.Contains(r.at(r.where), ":="):
		return cannot("its condition sets variables", "set them in a statement before")
	}
	// The text is name = value, name = value, …: a name is the last token before a = that follows
	// SET or a comma.
	for j := r.set.from; j < r.set.to; j++ {
		if r.all[j].depth > 0 || j > r.set.from && r.at(part{j, j + 1}) != "," {
			continue
		}
		last := ""
		for k := j + 1; k < r.set.to && r.at(part{k, k + 1}) != "="; k++ {
			last = r.at(part{k, k + 1})
		}
		r.changed = append(r.changed, unquote(last))
	}
	return nil
}

// unquote returns a name without its backticks.
func unquote(name string) string {
	if len(name) > 1 && name[0] == '`' {
		return strings.ReplaceAll(name[1:len(name)-1], "``", "`")
	}
	return name
}

// quote returns a name with backticks.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
