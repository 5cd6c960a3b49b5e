package statements

import (
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/sqltext"
)

// closes reports whether a closing parenthesis follows pos.
func closes(rules *sqltext.Rules, source string, pos int) bool {
	for {
		t := rules.Next(source, pos)
		if !t.Kind.Blank() {
			return t.Kind == sqltext.Close
		}
		pos = t.End
	}
}

// inList finds out whether the parameter after the tokens in before can be a list. closed says
// whether a closing parenthesis follows the parameter.
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
	// The left side is a row if it ends with parentheses that hold a comma and aren't a function's.
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

// endsParentheses reports whether a text, put in parentheses, closes these itself.
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

// castFollows reports whether :: follows the list whose parameter ends at pos.
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
