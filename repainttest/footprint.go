package repainttest

import (
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/sqltext"
)

// A footprint is what a step has to do with. Steps whose footprints don't conflict can be exchanged.
type footprint struct {
	all           bool // it conflicts with each
	reads, writes []string
	moment        moment
}

// A moment says what a step has to do with the state of the whole database, whatever its tables are.
type moment uint8

const (
	noMoment moment = iota
	uses            // it needs that no other transaction holds the database
	shows           // it makes changes visible
	looks           // it depends on when others' changes become visible: it may take a snapshot
	holds           // it takes or releases what the whole database has once, or orders transactions
)

// everything is the footprint of a step about which too little is known.
var everything = footprint{all: true}

func (f *footprint) conflicts(o *footprint) bool {
	switch {
	case f.all || o.all:
		return true
	case f.moment == holds && o.moment != noMoment, o.moment == holds && f.moment != noMoment:
		return true
	case f.moment == shows && o.moment == looks, f.moment == looks && o.moment == shows:
		return true
	}
	return overlap(f.writes, o.writes) || overlap(f.writes, o.reads) || overlap(f.reads, o.writes)
}

// add adds what another step of the same transaction has to do with, except its moment.
func (f *footprint) add(o *footprint) {
	f.all = f.all || o.all
	f.reads = union(f.reads, o.reads)
	f.writes = union(f.writes, o.writes)
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// A reading is what the text of a statement says.
type reading struct {
	verb  verb
	words []string // of one that isn't about rows, in lower case
	touch footprint
}

type verb uint8

const (
	unknownVerb verb = iota
	rowsVerb         // it reads or changes rows
	beginVerb
	endVerb  // commit or rollback of the transaction
	pastVerb // rollback to a savepoint
	markVerb // a savepoint, or its release
	levelVerb
)

// readStatement reads the text of a statement. A name that is a table's counts as that table
// wherever it stands, and what isn't understood makes the footprint everything.
func (s *Schema) readStatement(l *sqltext.Language, text string) reading {
	all := l.Split(text)
	if len(all) != 1 || all[0].Block {
		return reading{touch: everything}
	}
	st := all[0]
	switch st.Verb {
	case "select", "values", "insert", "update", "delete", "replace":
		n := newNames(s, l, text, st)
		return reading{verb: rowsVerb, touch: n.footprint()}
	}
	words := l.Words(text, st, 6)
	r := reading{words: words, verb: control(words)}
	if r.verb == unknownVerb {
		r.touch = everything
	}
	return r
}

// control recognizes the statements about transactions.
func control(words []string) verb {
	rest := words[min(1, len(words)):]
	if len(rest) > 0 && (rest[0] == "transaction" || rest[0] == "work") && words[0] != "set" {
		rest = rest[1:]
	}
	switch first := words[:min(1, len(words))]; {
	case slices.Equal(first, []string{"begin"}), slices.Equal(first, []string{"start"}):
		return beginVerb
	case slices.Equal(first, []string{"savepoint"}), slices.Equal(first, []string{"release"}):
		return markVerb
	case slices.Equal(first, []string{"rollback"}) && len(rest) > 0 && rest[0] == "to":
		return pastVerb
	case len(rest) == 0 && len(first) == 1 && slices.Contains([]string{"commit", "end", "rollback", "abort"}, first[0]):
		return endVerb
	case len(words) > 4 && strings.HasPrefix(strings.Join(words, " "), "set transaction isolation level "):
		return levelVerb
	}
	return unknownVerb
}

// isolationLevel returns the isolation level that the words name, or "".
func isolationLevel(words []string) string {
	text := strings.Join(words, " ")
	for _, l := range []string{"read uncommitted", "read committed", "repeatable read", "serializable"} {
		if strings.Contains(text, "isolation level "+l) {
			return l
		}
	}
	return ""
}

// names goes through a statement about rows and finds its tables.
type names struct {
	schema *Schema
	tokens []word
	common []string // names of common table expressions
	verb   string
	from   []bool // by open parentheses: whether a comma separates tables
}

// A word is a token that isn't blank, in lower case and without quotes.
type word struct {
	kind sqltext.Kind
	text string
}

func newNames(s *Schema, l *sqltext.Language, text string, st sqltext.Statement) *names {
	n := &names{schema: s, verb: st.Verb}
	for t := range l.Tokens(text, st.Start, st.End) {
		w := word{t.Kind, text[t.Start:t.End]}
		switch {
		case t.Kind == sqltext.ExecBegin, t.Kind == sqltext.Name && len(w.text) < 2:
			return &names{} // what it holds depends on the server; or it isn't closed
		case t.Kind.Blank():
			continue
		case t.Kind == sqltext.Word:
			w.text = strings.ToLower(w.text)
		case t.Kind == sqltext.Name, t.Kind == sqltext.Literal && l.DoubleQuotedLiterals && w.text[0] == '"' && len(w.text) > 1:
			w.text = strings.ToLower(w.text[1 : len(w.text)-1]) // quotes inside are in no name that is known
		case t.Kind == sqltext.Literal:
			w.text = "" // no name
		}
		n.tokens = append(n.tokens, w)
	}
	for i := range n.tokens {
		if n.at(i).kind == sqltext.Word && n.at(i+1).text == "as" && (n.at(i+2).kind == sqltext.Open || n.at(i+2).text == "materialized" || n.at(i+2).text == "not") {
			n.common = append(n.common, n.at(i).text)
		}
	}
	return n
}

// at returns a token, or an empty one where there is none.
func (n *names) at(i int) word {
	if i < 0 || i >= len(n.tokens) {
		return word{}
	}
	return n.tokens[i]
}

func (n *names) footprint() footprint {
	if len(n.tokens) == 0 {
		return everything
	}
	var f footprint
	changes := 0
	n.from = []bool{false}
	if (n.verb == "insert" || n.verb == "replace") && !slices.ContainsFunc(n.tokens, func(w word) bool { return w.text == "into" }) {
		return everything
	}
	for i, w := range n.tokens {
		if !n.step(i) {
			return everything
		}
		switch w.text {
		case "insert", "update", "delete", "replace", "merge", "truncate", "share", "lock":
			changes++
		case "into":
			if n.verb == "select" || n.verb == "values" {
				return everything // it makes a table, or writes a file
			}
		}
		switch t := n.schema.tables[w.text]; {
		case t == nil || w.kind == sqltext.Other:
		case t.opaque:
			return everything
		default:
			f.reads = union(f.reads, []string{w.text})
		}
	}
	if changes > 0 {
		for _, name := range f.reads {
			t := n.schema.tables[name]
			f.writes = union(union(f.writes, []string{name}), t.writes)
			f.reads = union(f.reads, t.reads)
		}
	}
	return f
}

// step looks at a token, and reports whether its place is understood.
func (n *names) step(i int) bool {
	w, before, next := n.at(i), n.at(i-1), n.at(i+1)
	deepest := len(n.from) - 1
	switch w.kind {
	case sqltext.Open:
		n.from = append(n.from, n.from[deepest] && (before.text == "from" || before.text == "join" || before.text == "," || before.kind == sqltext.Open))
		return !n.from[deepest+1] || n.table(i+1)
	case sqltext.Close:
		if deepest == 0 {
			return false
		}
		n.from = n.from[:deepest]
		return true
	case sqltext.Other:
		switch w.text {
		case "@":
			return false // a variable of the session
		case ",":
			return !n.from[deepest] || n.table(i+1)
		}
		return true
	case sqltext.Word:
	case sqltext.Name:
		return next.kind != sqltext.Open || n.known(w.text)
	default:
		return true
	}
	if next.kind == sqltext.Open && !slices.Contains(calls, w.text) && !n.known(w.text) {
		return false
	}
	if next.kind == sqltext.Open && before.text == "." && !n.known(w.text) {
		return false
	}
	switch w.text {
	case "from", "using":
		if before.text == "distinct" { // IS DISTINCT FROM
			return true
		}
		n.from[deepest] = w.text == "from" || next.kind != sqltext.Open
		return n.table(i + 1)
	case "update":
		if before.text == "for" || before.text == "do" || before.text == "key" || before.text == "no" {
			return true
		}
		n.from[deepest] = true
		return n.table(i + 1)
	case "table": // TABLE t is a query
		return false
	case "join", "straight_join", "into":
		return n.table(i + 1)
	case "select", "values", "set", "where", "group", "having", "order", "limit", "offset", "fetch", "union", "intersect", "except", "returning", "window", "for":
		n.from[deepest] = false
	}
	return true
}

// table reports whether a token is understood that stands where a table is named.
func (n *names) table(i int) bool {
	w := n.at(i)
	if n.at(i+1).text == "." && (w.text == "public" || w.text == "main") {
		w = n.at(i + 2)
	}
	switch {
	case w.kind == sqltext.Open:
		return true
	case w.kind == sqltext.Word && slices.Contains([]string{"select", "values", "with", "lateral"}, w.text):
		return true
	case w.kind == sqltext.Word || w.kind == sqltext.Name || w.kind == sqltext.Literal && w.text != "":
		return n.known(w.text)
	}
	return false
}

// known reports whether a name is that of a table or a common table expression.
func (n *names) known(name string) bool {
	return n.schema.tables[name] != nil || slices.Contains(n.common, name)
}

// calls are the words that may stand before a parenthesis without being a function that isn't known:
// keywords, types, and functions that depend on nothing but their arguments, or on the time.
var calls = strings.Fields(`all and any array as between by case cast conflict distinct else except exists filter from
	having in intersect into is join key like limit lateral materialized not offset on or over partition returning row
	select set some then union using values when where with within update
	bigint char character decimal float int integer numeric nchar real smallint text time timestamp varchar
	abs avg bit_and bit_or bool_and bool_or ceil ceiling char_length coalesce concat concat_ws count current_timestamp
	date date_trunc datetime dense_rank extract first_value floor format greatest group_concat hex iif instr json_agg
	json_array json_build_array json_build_object json_extract json_object jsonb_agg jsonb_build_object julianday
	last_value lag lead least left length lower lpad ltrim max md5 min mod now nth_value ntile nullif octet_length
	power pow rank repeat right round row_number rpad rtrim sign sqrt strftime string_agg strpos substr substring sum
	total trim trunc typeof unhex upper`)
