package mysql

import (
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/db/sqltext"
)

// token is a token of a statement, white space and comments aside.
type token struct {
	sqltext.Token
	word  string // in lower case, if it is a word without quotes
	depth int    // how many parentheses it is in; they themselves are outside
}

// tokens reads a text from start to end.
func tokens(text string, start, end int) []token {
	var all []token
	depth := 0
	for t := rules.Next(text, start); t.Kind != sqltext.End && t.Start < end; t = rules.Next(text, t.End) {
		one := token{Token: t, depth: depth}
		switch t.Kind {
		case sqltext.Space, sqltext.Comment:
			continue
		case sqltext.Open:
			depth++
		case sqltext.Close:
			depth--
			one.depth = depth
		case sqltext.Word:
			one.word = strings.ToLower(text[t.Start:t.End])
		}
		all = append(all, one)
	}
	return all
}

// beforeNames are words behind which RETURNING is a name, as it may be: it isn't reserved.
var beforeNames = []string{"set", "where", "and", "or", "xor", "not", "by", "between", "like", "in", "is", "on", "into", "update", "from", "as",
	"values", "value", "select", "limit", "case", "when", "then", "else", "div", "mod", "insert", "replace", "delete", "interval"}

// clause returns the index of the RETURNING that begins a clause, or -1.
func clause(all []token) int {
	for i := len(all) - 2; i > 0; i-- {
		t, before := all[i], all[i-1]
		if t.depth != 0 || t.word != "returning" || before.Kind == sqltext.Other || slices.Contains(beforeNames, before.word) {
			continue
		}
		return i
	}
	return -1
}

// returns tells whether a statement has a RETURNING clause.
func returns(text string, st sqltext.Statement) bool {
	// Few have one, and this is seen faster than what the words mean.
	found := false
	for t := rules.Next(text, st.Start); t.Kind != sqltext.End && t.Start < st.End && !found; t = rules.Next(text, t.End) {
		found = t.Kind == sqltext.Word && strings.EqualFold(text[t.Start:t.End], "returning")
	}
	return found && clause(tokens(text, st.Start, st.End)) > 0
}
