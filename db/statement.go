package db

import (
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/internal/cache"
	"github.com/seed1239206e/repaint/sqltext"
)

// statement is a text with :name parameters, read once and rendered for the
// dialect. It doesn't change any more.
type statement struct {
	backend.Statement

	names  []string // the distinct names, in order of first appearance
	pieces []piece  // of the text, if it has lists; see expand
	lists  []string // the names of the lists, in a statement that came of expand
	forms  *forms   // the statements that came of expand

	lost string // what makes it do nothing outside of a Conn or Tx; ""
}

func newStatement(source string) *statement {
	return &statement{Statement: backend.Statement{Source: source}}
}

// as returns a statement of the same source, names and traits, without a text.
func (st *statement) as() *statement {
	return &statement{Statement: backend.Statement{Source: st.Source, Traits: st.Traits}, names: st.names}
}

// piece is a part of a statement's text: as it is, or a parameter.
type piece struct {
	text string
	name int  // index in names, if text is empty
	list bool // it is all there is in the parentheses of an IN, so it can be a list
	bare bool // or it stands behind IN without parentheses
	not  bool // that is a NOT IN
	wide int  // how many columns its left side has
}

// parseStatement reads source. numbered tells that the dialect's placeholders
// have numbers, so that one argument can serve several of them.
func parseStatement(d Dialect, source string, numbered bool) (*statement, error) {
	if i := strings.IndexByte(source, 0); i >= 0 {
		// SQLite's interface would end the text here, silently.
		return nil, badStatement(d, source, "byte %d of the statement is NUL", i)
	}
	rules := d.Rules()
	parts := rules.Split(source)
	if len(parts) == 0 {
		return nil, badStatement(d, source, "the statement is empty")
	}
	st := newStatement(source)
	start, end := span(rules, source, parts)
	pieces, err := st.read(d, rules, start, end)
	if err != nil {
		return nil, err
	}
	st.Traits = d.Traits(source, parts)
	if s, ok := d.(backend.StateReader); ok && (st.Session || !st.Writes) {
		st.lost = s.Lost(source, parts)
	}
	if st.Script = len(parts) > 1; st.Script {
		if len(st.names) > 0 {
			return nil, badStatement(d, source,
				"it is a script of %d statements, which takes no parameters; execute its statements one by one", len(parts))
		}
		for _, part := range parts {
			one := newStatement(source)
			pieces, err := one.read(d, rules, part.From, part.To)
			if err != nil {
				return nil, err
			}
			one.render(d, pieces, numbered, nil)
			st.Parts = append(st.Parts, one.Text)
		}
	}
	st.render(d, pieces, numbered, nil)
	if slices.ContainsFunc(pieces, func(p piece) bool { return p.list }) {
		st.pieces, st.forms = pieces, &forms{}
	}
	return st, nil
}

// span returns from where to where the text is sent: all of it, because comments can be hints to the
// server, code, or marks of who sends it. Only what is around a single statement of
// several, of which the others are empty, is left out: not every database takes those.
func span(rules *sqltext.Rules, source string, parts []sqltext.Statement) (start, end int) {
	if len(parts) > 1 {
		return 0, len(source)
	}
	part := parts[0]
	semicolons := 0
	for t := range rules.Tokens(source, part.To, len(source)) {
		if t.Kind == sqltext.Semicolon {
			semicolons++
		}
	}
	if part.From > 0 || semicolons > 1 {
		return part.From, part.To
	}
	return 0, len(source)
}

// read cuts the source, from start to end, into pieces and collects the names.
func (st *statement) read(d Dialect, rules *sqltext.Rules, start, end int) ([]piece, error) {
	source := st.Source
	var pieces []piece
	done := start
	cut := func(to int) {
		if to > done {
			pieces = append(pieces, piece{text: source[done:to]})
		}
	}
	var before []sqltext.Token // white space and comments aside
	t := rules.Next(source, start)
	for ; t.Kind != sqltext.End && t.Start < end; t = rules.Next(source, t.End) {
		if t.Kind.Blank() {
			continue
		}
		switch t.Kind {
		case sqltext.Param:
			cut(t.Start)
			done = t.End
			name := source[t.Start+1 : t.End]
			known := slices.Index(st.names, name)
			if known < 0 {
				known = len(st.names)
				st.names = append(st.names, name)
			}
			p := piece{name: known}
			p.inList(source, before, closes(rules, source, t.End))
			if p.list && endsParentheses(emptyList(d, 1, false)) && castFollows(rules, source, t.End, p.bare) {
				return nil, badStatement(d, source, "the result of IN (:%s) is cast, which an empty list isn't possible with; write (… in (:%[1]s))::type", name)
			}
			pieces = append(pieces, p)
		case sqltext.Colon:
			cut(t.Start)
			done = t.End - 1
		case sqltext.Native:
			return nil, badStatement(d, source,
				"%s is a placeholder of %s itself; parameters are written :name, with white space or a sign before the colon",
				source[t.Start:t.End], d.Name())
		}
		before = append(before, t)
	}
	cut(end)
	return pieces, nil
}

// closes tells whether the next thing behind pos is a closing parenthesis.
func closes(rules *sqltext.Rules, source string, pos int) bool {
	for {
		t := rules.Next(source, pos)
		if !t.Kind.Blank() {
			return t.Kind == sqltext.Close
		}
		pos = t.End
	}
}

// inList finds out whether the parameter behind the tokens is a place for a list; closed
// tells that a closing parenthesis follows.
func (p *piece) inList(source string, before []sqltext.Token, closed bool) {
	is := func(i int, words ...string) bool {
		return i >= 0 && before[i].Kind == sqltext.Word &&
			slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(source[before[i].Start:before[i].End], w) })
	}
	in := len(before) - 1 // where the word IN is
	if in >= 0 && before[in].Kind == sqltext.Open && closed {
		in--
	} else {
		p.bare = true
	}
	if !is(in, "in") {
		p.bare = false
		return
	}
	p.list, p.wide, p.not = true, 1, is(in-1, "not")
	if p.not {
		in--
	}
	// The left side is a row if it ends with a parenthesis that holds a comma and
	// isn't a function's.
	last, depth, commas := in-1, 0, 0
	if last < 0 || before[last].Kind != sqltext.Close {
		return
	}
	for i := last; i >= 0; i-- {
		switch t := before[i]; {
		case t.Kind == sqltext.Close:
			depth++
		case t.Kind == sqltext.Open:
			if depth--; depth > 0 {
				continue
			}
			named := i > 0 && (before[i-1].Kind == sqltext.Name || before[i-1].Kind == sqltext.Word) &&
				!is(i-1, "where", "and", "or", "xor", "not", "on", "when", "then", "else", "case", "having", "select", "row", "by", "if", "while", "returning", "filter", "distinct", "all", "check", "set", "values", "is")
			if !named {
				p.wide += commas
			}
			return
		case depth == 1 && t.Kind == sqltext.Other && source[t.Start:t.End] == ",":
			commas++
		}
	}
}

// endsParentheses tells whether what stands in parentheses ends these itself.
func endsParentheses(text string) bool {
	depth := 0
	for _, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 {
				return true
			}
		}
	}
	return false
}

// castFollows tells whether :: follows the list whose parameter ends at pos.
func castFollows(rules *sqltext.Rules, source string, pos int, bare bool) bool {
	for {
		t := rules.Next(source, pos)
		pos = t.End
		switch {
		case t.Kind.Blank():
		case t.Kind == sqltext.Close && !bare:
			bare = true
		default:
			return source[t.Start:t.End] == "::"
		}
	}
}

// render makes text and parameters of the pieces. shapes, if it isn't nil, has for
// each name how a list of it is written, see expand.
func (st *statement) render(d Dialect, pieces []piece, numbered bool, shapes []shape) {
	if len(pieces) == 1 && pieces[0].text != "" {
		st.Text = pieces[0].text
		return
	}
	var b strings.Builder
	first := make([]int, len(st.names)) // the number of each name's first placeholder
	place := func(name int) {
		st.Params = append(st.Params, st.names[name])
		b.WriteString(d.Placeholder(len(st.Params)))
	}
	for _, p := range pieces {
		switch {
		case p.text != "":
			b.WriteString(p.text)
			continue
		case p.bare:
			b.WriteByte('(')
		}
		switch {
		case p.list && shapes != nil && shapes[p.name].isList:
			shapes[p.name].write(&b, emptyList(d, p.wide, p.not), func() { place(p.name) })
		case numbered && first[p.name] > 0:
			b.WriteString(d.Placeholder(first[p.name]))
		default:
			place(p.name)
			first[p.name] = len(st.Params)
		}
		if p.bare {
			b.WriteByte(')')
		}
	}
	st.Text = b.String()
}

func badStatement(d Dialect, source, format string, args ...any) error {
	err := fail("parse", ErrSyntax, format, args...)
	err.Dialect, err.Statement = d.Name(), source
	return err
}

// statementCache keeps parsed statements, by their sources.
type statementCache struct {
	*cache.SecondChance[string, *statement]
}

func newStatementCache(size int) statementCache {
	return statementCache{cache.NewSecondChance[string, *statement](size)}
}

// longestCached bounds the texts worth keeping: a longer one is a script or has
// data in it, and won't come again.
const longestCached = 16 << 10

func (c statementCache) put(st *statement) {
	if len(st.Source) <= longestCached {
		c.Put(st.Source, st)
	}
}
