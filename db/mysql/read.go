package mysql

import (
	"strings"

	"github.com/seed1239206e/repaint/sqltext"
)

// token is a token of a statement that is neither white space nor a comment.
type token struct {
	sqltext.Token
	word  string // the word in lower case; "" for anything but an unquoted word
	depth int    // how many parentheses are around it; a parenthesis isn't inside itself
}

// tokens returns the tokens of a text from start to end.
func tokens(text string, start, end int) []token {
	var all []token
	depth := 0
	for t := range rules.Tokens(text, start, end) {
		if t.Kind.Blank() {
			continue
		}
		one := token{Token: t, depth: depth}
		switch t.Kind {
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

// hasCode reports whether the text has a comment that the server executes.
func hasCode(text string) bool {
	for t := range rules.Tokens(text, 0, len(text)) {
		if t.Kind == sqltext.ExecBegin {
			return true
		}
	}
	return false
}
