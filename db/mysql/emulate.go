package mysql

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/backend/sqlbackend"
	"github.com/seed1239206e/repaint/sqltext"
)

// RETURNING is emulated in a transaction or between savepoints, so that everything is undone if the
// rows turn out not to be the intended ones:
//
//	INSERT, REPLACE   the statement; then a select of the rows by their keys. Keys that the
//	                  server generates are consecutive if the statement says how many rows
//	                  it has: innodb_autoinc_lock_mode promises that.
//	UPDATE            a select of the keys FOR UPDATE; the statement, for these keys; a select
//	                  of the rows by these keys.
//	DELETE            a select of the rows and keys FOR UPDATE; the statement, for these keys.
//
// Rows can't change between these statements, because they are locked. Rows that other transactions
// insert meanwhile aren't among the keys.

// native reports whether the server itself has RETURNING for a verb.
func (s *server) native(verb string) bool {
	switch verb {
	case "insert", "replace":
		return s.returning && s.atLeast(10, 5)
	case "delete":
		return s.returning
	}
	return false
}

// Emulate runs RETURNING by means of other statements if the server lacks it.
func (sqlDriver) Emulate(c *sqlbackend.Conn, call *backend.Call) (func(ctx context.Context) error, error) {
	text := call.Statement.Text
	verb := ""
	if words := rules.Words(text, sqltext.Statement{End: len(text)}, 1); len(words) > 0 {
		verb = words[0]
	}
	if c.Own.(*server).native(verb) {
		return nil, nil
	}
	r, err := readReturning(text)
	if err != nil {
		return nil, err
	}
	e := &emulation{returning: r, c: c, call: call, args: call.DriverArgs()}
	switch verb {
	case "insert", "replace":
		return e.insert, nil
	case "update":
		return e.update, nil
	}
	return e.delete, nil
}

type emulation struct {
	*returning
	c    *sqlbackend.Conn
	call *backend.Call
	args []driver.Value
	keys []column // the columns of the table's primary key
}

// column is a row of SHOW COLUMNS.
type column struct {
	name      string
	integer   bool
	key       string // PRI, UNI, MUL
	automatic bool   // AUTO_INCREMENT
	invisible bool
}

// describe reads the table's columns.
func (e *emulation) describe(ctx context.Context) ([]column, error) {
	table := e.table
	if e.verb == "update" || e.verb == "delete" {
		table.to = table.from + 1
		if e.kind(table.to) == sqltext.Other {
			table.to += 2
		}
	}
	found := &backend.Call{}
	if err := e.c.Select(ctx, found, "show columns from "+e.at(table), false); err != nil {
		return nil, err
	}
	var all []column
	for row := range slices.Chunk(found.Values, max(1, len(found.Columns))) {
		if len(row) < 6 {
			return nil, fmt.Errorf("the server describes a column in %d words instead of 6", len(row))
		}
		extra := strings.ToLower(fmt.Sprint(row[5]))
		all = append(all, column{
			name: fmt.Sprint(row[0]), key: fmt.Sprint(row[3]), integer: strings.Contains(strings.ToLower(fmt.Sprint(row[1])), "int"),
			automatic: strings.Contains(extra, "auto_increment"), invisible: strings.Contains(extra, "invisible"),
		})
	}
	for _, c := range all {
		if c.key == "PRI" {
			e.keys = append(e.keys, c)
		}
	}
	return all, nil
}

// argsOf returns the arguments in a part of the statement.
func (e *emulation) argsOf(p part) []driver.Value {
	from, to := e.returning.args(p)
	return e.args[from:to:to]
}

// column returns a column's name in a form that no alias can hide.
func (e *emulation) column(name string) string { return e.name + "." + quote(name) }

// selects runs a query for the columns of RETURNING, followed by more. one says that the text is
// always the same.
func (e *emulation) selects(ctx context.Context, into *backend.Call, more, rest string, one bool, args ...driver.Value) error {
	text := "select " + e.at(e.list) + more + " from " + e.through(e.table) + " " + rest
	return e.c.Select(ctx, into, e.lead+text+e.tail, one, append(slices.Clone(e.argsOf(e.list)), args...)...)
}

// lost returns the error for rows that aren't found again, or aren't the intended ones.
func (e *emulation) lost(want, got int) error {
	return cannot("of %d rows that were to be returned %d could be found again; perhaps a trigger has changed their keys, or what is given for a key is stored otherwise",
		"run the statement without RETURNING, and select the rows", want, got)
}

func (e *emulation) insert(ctx context.Context) error {
	columns, err := e.describe(ctx)
	if err != nil {
		return err
	}
	find, err := e.keysOfRows(columns)
	if err != nil {
		return err
	}
	affected, first, err := e.c.Run(ctx, e.lead+e.through(e.before)+e.tail, len(e.rows) == 1, e.argsOf(e.before)...)
	if err != nil {
		return err
	}
	n := len(e.rows)
	if e.verb == "insert" && affected != int64(n) {
		return e.lost(n, int(affected))
	}
	if err := find(ctx, first); err != nil {
		return err
	}
	if got := rowsOf(e.call); got != n {
		return e.lost(n, got)
	}
	e.call.Affected = affected
	return nil
}

func rowsOf(c *backend.Call) int {
	if len(c.Columns) == 0 {
		return 0
	}
	return len(c.Values) / len(c.Columns)
}

// keysOfRows decides how to find the rows: by keys that the server generates, or by keys that the
// statement gives.
func (e *emulation) keysOfRows(columns []column) (find func(ctx context.Context, first int64) error, err error) {
	names := e.columns
	if names == nil {
		for _, c := range columns {
			if !c.invisible {
				names = append(names, c.name)
			}
		}
	}
	place := func(c column) int {
		return slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, c.name) })
	}
	for _, c := range columns {
		if !c.automatic || !c.integer || c.key != "UNI" && (c.key != "PRI" || len(e.keys) > 1) {
			continue
		}
		made := 0
		for _, row := range e.rows {
			i := place(c)
			if i < 0 || i >= len(row) { // VALUES () gives none
				made++
				continue
			}
			switch key := e.value(row[i]); {
			case key.made:
				made++
			case !key.plain || key.integer == 0:
				return nil, cannot("the key %s is given as %s, whose value isn't known before the statement runs", "give it as an integer, or leave it out", c.name, e.at(row[i]))
			}
		}
		switch made {
		case len(e.rows):
			return func(ctx context.Context, first int64) error { return e.findMade(ctx, c, first) }, nil
		case 0:
			return e.findGiven([]column{c}, []int{place(c)}), nil
		}
		return nil, cannot("some of the rows give the key %s and others leave it to the server, which then needn't make consecutive ones", "insert them with two statements", c.name)
	}
	if len(e.keys) == 0 {
		return nil, cannot("the table has no primary key by which the rows could be found", "add one, or run the statement with Exec")
	}
	var places []int
	for _, c := range e.keys {
		i := place(c)
		for _, row := range e.rows {
			if i < 0 || i >= len(row) || !e.value(row[i]).given {
				return nil, cannot("the key %s isn't given as a value", "give it as a parameter; a function's result can be selected before", c.name)
			}
		}
		places = append(places, i)
	}
	return e.findGiven(e.keys, places), nil
}

// value is the value that an INSERT gives for a key.
type value struct {
	made    bool  // no value: the server generates one
	given   bool  // a literal or an argument
	plain   bool  // an integer
	integer int64 // that integer; -1 if it is beyond an int64
}

func (e *emulation) value(p part) value {
	switch p.to - p.from {
	case 2:
		switch last := p.from + 1; e.kind(last) {
		case sqltext.Literal: // x'00ff'
			return value{given: e.is(p.from, "x", "b", "n")}
		case sqltext.Number:
			if e.at(part{p.from, last}) == "-" {
				n, err := strconv.ParseInt("-"+e.at(part{last, p.to}), 10, 64)
				return value{given: true, plain: err == nil, integer: n}
			}
		}
	case 1:
		switch t := e.all[p.from]; t.Kind {
		case sqltext.Native:
			switch arg := e.argsOf(p)[0].(type) {
			case nil:
				return value{made: true}
			case int64:
				return value{given: true, plain: true, integer: arg}
			case uint64:
				if arg > math.MaxInt64 {
					return value{given: true, plain: true, integer: -1}
				}
				return value{given: true, plain: true, integer: int64(arg)}
			}
			return value{given: true}
		case sqltext.Word:
			return value{made: t.word == "null" || t.word == "default"}
		case sqltext.Number:
			n, err := strconv.ParseInt(e.at(p), 10, 64)
			return value{given: true, plain: err == nil, integer: n}
		case sqltext.Literal:
			return value{given: true}
		}
	}
	return value{}
}

// findMade selects the rows whose keys the server has generated, from key first on.
func (e *emulation) findMade(ctx context.Context, key column, first int64) error {
	k := e.column(key.name)
	if len(e.rows) == 1 {
		return e.selects(ctx, e.call, "", "where "+k+" = ?", true, first)
	}
	const step = "@@auto_increment_increment"
	return e.selects(ctx, e.call, "", "where "+k+" between ? and ? + ? * "+step+" and "+k+" % "+step+" = ? % "+step+" order by "+k, true,
		first, first, int64(len(e.rows)-1), first)
}

// unions is how many rows findGiven selects at once.
const unions = 100

// findGiven returns a function that selects the rows by the keys that the statement gives, in their
// order.
func (e *emulation) findGiven(keys []column, places []int) func(ctx context.Context, _ int64) error {
	return func(ctx context.Context, _ int64) error {
		var where []string
		for _, k := range keys {
			where = append(where, e.column(k.name)+" = ")
		}
		condition := func(row []part) (text string, args []driver.Value) {
			for i, w := range where {
				if i > 0 {
					text += " and "
				}
				text += w + e.at(row[places[i]])
				args = append(args, e.argsOf(row[places[i]])...)
			}
			return text, args
		}
		if len(e.rows) == 1 {
			text, args := condition(e.rows[0])
			return e.selects(ctx, e.call, "", "where "+text, true, args...)
		}
		for from := 0; from < len(e.rows); from += unions {
			rows := e.rows[from:min(from+unions, len(e.rows))]
			var texts []string
			var args []driver.Value
			for i, row := range rows {
				text, more := condition(row)
				texts = append(texts, fmt.Sprintf("(select %s, %d as repaint_row from %s where %s)", e.at(e.list), i, e.through(e.table), text))
				args = append(append(args, e.argsOf(e.list)...), more...)
			}
			found := &backend.Call{}
			if err := e.c.Select(ctx, found, e.lead+strings.Join(texts, " union all ")+e.tail, false, args...); err != nil {
				return err
			}
			if got := rowsOf(found); got != len(rows) {
				return e.lost(len(e.rows), from+got)
			}
			n := len(found.Columns) - 1
			byRow := make([][]driver.Value, len(rows))
			for row := range slices.Chunk(found.Values, n+1) {
				i, ok := row[n].(int64)
				if !ok || i < 0 || i >= int64(len(rows)) || byRow[i] != nil {
					return e.lost(len(e.rows), from)
				}
				byRow[i] = row[:n]
			}
			e.call.Columns = found.Columns[:n]
			e.call.Values = append(e.call.Values, slices.Concat(byRow...)...)
		}
		return nil
	}
}

// maxKeys returns how many rows an UPDATE or DELETE with args other parameters may change.
func (e *emulation) maxKeys(args int) int { return (maxParams - args) / len(e.keys) }

// lock describes the table, then selects list and the keys of the statement's rows FOR UPDATE.
func (e *emulation) lock(ctx context.Context, found *backend.Call, list part) error {
	if _, err := e.describe(ctx); err != nil {
		return err
	}
	if len(e.keys) == 0 {
		return cannot("the table has no primary key by which the rows could be found again", "add one, or run the statement with Exec")
	}
	for _, k := range e.keys {
		if slices.ContainsFunc(e.changed, func(name string) bool { return strings.EqualFold(name, k.name) }) {
			return cannot("the statement changes the key %s, by which the rows would be found again", "run it with Exec, and select the rows by their new keys", k.name)
		}
	}
	text, sep := e.lead+"select "+e.hints, ""
	if list.from < list.to {
		text, sep = text+e.at(list), ", "
	}
	for _, k := range e.keys {
		text += sep + e.column(k.name)
		sep = ", "
	}
	rest := part{e.where.from, e.limit.to}
	text += " from " + e.through(e.table) + " " + e.through(rest) + " for update" + e.tail
	return e.c.Select(ctx, found, text, true, append(slices.Clone(e.argsOf(list)), e.argsOf(rest)...)...)
}

// in returns the WHERE clause for n keys.
func (e *emulation) in(n int) string {
	var names []string
	for _, k := range e.keys {
		names = append(names, e.column(k.name))
	}
	one := "?"
	left := names[0]
	if len(names) > 1 {
		left = "(" + strings.Join(names, ", ") + ")"
		one = "(?" + strings.Repeat(", ?", len(names)-1) + ")"
	}
	return "where " + left + " in (" + one + strings.Repeat(", "+one, n-1) + ")"
}

// sendable converts values that came from the server so that they can be arguments.
func (e *emulation) sendable(keys []driver.Value) ([]driver.Value, error) {
	for i, k := range keys {
		converted, err := e.c.Own.(*server).values.Convert(k)
		if err == nil {
			keys[i] = converted
		} else if err != driver.ErrSkip {
			return nil, err
		}
	}
	return keys, nil
}

func (e *emulation) update(ctx context.Context) error {
	found := &backend.Call{}
	if err := e.lock(ctx, found, part{}); err != nil {
		return err
	}
	n := rowsOf(found)
	set := e.argsOf(e.set)
	if n == 0 {
		return e.selects(ctx, e.call, "", "where false", true)
	}
	order := e.argsOf(e.order)
	if most := e.maxKeys(max(len(set)+len(order), len(e.argsOf(e.list)))); n > most {
		return tooMany(n, most)
	}
	keys, err := e.sendable(found.Values)
	if err != nil {
		return err
	}
	text := e.lead + e.begin + e.through(e.table) + e.through(e.set) + " " + e.in(n) + " " + e.through(e.order) + e.tail
	args := slices.Concat(set, keys, order)
	affected, _, err := e.c.Run(ctx, text, n == 1, args...)
	if err != nil {
		return err
	}
	if err := e.selects(ctx, e.call, "", e.in(n), n == 1, keys...); err != nil {
		return err
	}
	if got := rowsOf(e.call); got != n || affected > int64(n) {
		return e.lost(n, got)
	}
	e.call.Affected = int64(n)
	return nil
}

func tooMany(n, most int) error {
	return cannot("the statement is about %d rows, and it is emulated for up to %d", "change fewer at once, with a condition or LIMIT", n, most)
}

func (e *emulation) delete(ctx context.Context) error {
	found := &backend.Call{}
	if err := e.lock(ctx, found, e.list); err != nil {
		return err
	}
	width := len(found.Columns) - len(e.keys)
	n := rowsOf(found)
	e.call.Columns, e.call.Values = found.Columns[:width], make([]driver.Value, 0, n*width)
	if n == 0 {
		return nil
	}
	if most := e.maxKeys(len(e.argsOf(e.order))); n > most {
		return tooMany(n, most)
	}
	keys := make([]driver.Value, 0, n*len(e.keys))
	for row := range slices.Chunk(found.Values, len(found.Columns)) {
		e.call.Values = append(e.call.Values, row[:width]...)
		keys = append(keys, row[width:]...)
	}
	keys, err := e.sendable(keys)
	if err != nil {
		return err
	}
	text := e.lead + e.begin + e.through(e.table) + " " + e.in(n) + " " + e.through(e.order) + e.tail
	affected, _, err := e.c.Run(ctx, text, n == 1, append(keys, e.argsOf(e.order)...)...)
	if err != nil {
		return err
	}
	if affected != int64(n) {
		return cannot("of %d rows %d were deleted, perhaps because a foreign key has deleted the others with them", "select the rows and delete them, in a transaction", n, affected)
	}
	e.call.Affected = affected
	return nil
}
