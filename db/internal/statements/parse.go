package statements

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/sqltext"
)

// Language is what statements are written in: the dialect, and the limits of its connections.
type Language struct {
	backend.Dialect
	MaxParams int  // the most parameters of one statement; 0 is no limit
	numbered  bool // placeholders have numbers, so that one argument can serve several of them
}

// LanguageOf returns the language of a dialect. A statement can have at most maxParams parameters;
// 0 means no limit.
func LanguageOf(d backend.Dialect, maxParams int) Language {
	return Language{d, maxParams, d.Placeholder(1) != d.Placeholder(2)}
}

// Statement is a text with :name parameters, read once and rendered for the dialect. It doesn't
// change after Parse.
type Statement struct {
	backend.Statement

	// Lost says which part of the statement has no effect outside of a Conn or Tx; it is "" if
	// there is none.
	Lost string

	names  []string // the distinct names, in order of first appearance
	pieces []piece  // the pieces of the text, if it has lists; see Expand
	lists  []string // the names of the lists, in a statement that Expand returned
	forms  *forms   // the statements that Expand made
}

func newStatement(source string) *Statement {
	return &Statement{Statement: backend.Statement{Source: source}}
}

// as returns a statement with the same source, names and traits, but without a text.
func (st *Statement) as() *Statement {
	return &Statement{Statement: backend.Statement{Source: st.Source, Traits: st.Traits}, names: st.names}
}

// piece is a part of a statement's text: literal text, or a parameter.
type piece struct {
	text string
	name int  // index in names, if text is empty
	list bool // it stands alone in the parentheses of an IN, so it can be a list
	bare bool // it is a list after IN without parentheses
	not  bool // the IN is a NOT IN
	wide int  // how many columns its left side has
}

// Parse reads a statement, or a script of several.
func (l Language) Parse(source string) (*Statement, error) {
	if i := strings.IndexByte(source, 0); i >= 0 {
		// SQLite's interface would silently end the text here.
		return nil, fmt.Errorf("byte %d of the statement is NUL", i)
	}
	rules := l.Rules()
	parts := rules.Split(source)
	if len(parts) == 0 {
		return nil, fmt.Errorf("the statement is empty")
	}
	st := newStatement(source)
	start, end := span(rules, source, parts)
	pieces, err := st.read(l, rules, start, end)
	if err != nil {
		return nil, err
	}
	st.Traits = l.Traits(source, parts)
	if s, ok := l.Dialect.(backend.StateReader); ok && (st.Session || !st.Writes) {
		st.Lost = s.Lost(source, parts)
	}
	if st.Script = len(parts) > 1; st.Script {
		if len(st.names) > 0 {
			return nil, fmt.Errorf("it is a script of %d statements, which takes no parameters; execute its statements one by one", len(parts))
		}
		for _, part := range parts {
			one := newStatement(source)
			pieces, err := one.read(l, rules, part.From, part.To)
			if err != nil {
				return nil, err
			}
			one.render(l, pieces, nil)
			st.Parts = append(st.Parts, one.Text)
		}
	}
	st.render(l, pieces, nil)
	if slices.ContainsFunc(pieces, func(p piece) bool { return p.list }) {
		st.pieces, st.forms = pieces, &forms{}
	}
	return st, nil
}

// span returns which part of the source is sent. That is all of it, because comments can be hints
// to the server, code, or marks that name the sender. If there are empty statements besides a
// single one, span returns only the latter: not every database takes empty statements.
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

// read cuts the source, from start to end, into pieces, and collects the names.
func (st *Statement) read(l Language, rules *sqltext.Rules, start, end int) ([]piece, error) {
	source := st.Source
	var pieces []piece
	done := start
	cut := func(to int) {
		if to > done {
			pieces = append(pieces, piece{text: source[done:to]})
		}
	}
	var before []sqltext.Token // the tokens so far, without white space and comments
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
			if p.list && endsParentheses(l.emptyList(1, false)) && castFollows(rules, source, t.End, p.bare) {
				return nil, fmt.Errorf("the result of IN (:%s) is cast, which an empty list isn't possible with; write (… in (:%[1]s))::type", name)
			}
			pieces = append(pieces, p)
		case sqltext.Colon:
			cut(t.Start)
			done = t.End - 1
		case sqltext.Native:
			return nil, fmt.Errorf("%s is a placeholder of %s itself; parameters are written :name, with white space or a sign before the colon",
				source[t.Start:t.End], l.Name())
		}
		before = append(before, t)
	}
	cut(end)
	return pieces, nil
}
