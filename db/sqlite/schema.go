package sqlite

import (
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/sqltext"
)

// SQLite keeps the text of each CREATE statement. This file reads there what the pragmas don't
// show: the names of constraints, and expressions.

// token is a token of a CREATE statement that is neither white space nor a comment.
type token struct {
	kind       sqltext.Kind
	start, end int
	depth      int    // how many parentheses are around it; a parenthesis isn't inside itself
	word       string // a word in lower case; "" for anything else
	name       string // the name that a word or a quoted name stands for; "" for anything else
}

func tokensOf(text string) []token {
	var all []token
	depth := 0
	for t := range sqltext.SQLite.Rules.Tokens(text, 0, len(text)) {
		if t.Kind.Blank() {
			continue
		}
		one := token{kind: t.Kind, start: t.Start, end: t.End, depth: depth}
		switch part := text[t.Start:t.End]; t.Kind {
		case sqltext.Open:
			depth++
		case sqltext.Close:
			depth--
			one.depth = depth
		case sqltext.Word:
			one.word, one.name = strings.ToLower(part), part
		case sqltext.Name, sqltext.Literal:
			if len(part) > 1 {
				quote := part[len(part)-1:]
				one.name = strings.ReplaceAll(part[1:len(part)-1], quote+quote, quote)
			}
		}
		all = append(all, one)
	}
	return all
}

// inside returns the tokens within the parentheses that the first token opens, and the tokens after
// them.
func inside(tokens []token) (in, rest []token) {
	for i, t := range tokens[1:] {
		if t.kind == sqltext.Close && t.depth == tokens[0].depth {
			return tokens[1 : i+1], tokens[i+2:]
		}
	}
	return tokens[1:], nil
}

// elements splits tokens at the commas that aren't in further parentheses.
func elements(text string, tokens []token) (all [][]token) {
	from := 0
	for i, t := range tokens {
		if t.depth == tokens[0].depth && text[t.start:t.end] == "," {
			all = append(all, tokens[from:i])
			from = i + 1
		}
	}
	if from < len(tokens) {
		all = append(all, tokens[from:])
	}
	return all
}

// body returns the tokens before, within and after the first parentheses.
func body(tokens []token) (before, in, after []token) {
	i := slices.IndexFunc(tokens, func(t token) bool { return t.kind == sqltext.Open })
	if i < 0 {
		return tokens, nil, nil
	}
	in, after = inside(tokens[i:])
	return tokens[:i], in, after
}

// tableText is what the text of a CREATE TABLE shows.
type tableText struct {
	primaryKey   string // the name of its constraint
	foreignKeys  []string
	unique       []backend.Key
	checks       []backend.Check
	generated    map[string]string // expressions, by column
	withoutRowID bool
}

func readTable(text string) *tableText {
	t := &tableText{generated: map[string]string{}}
	_, in, after := body(tokensOf(text))
	for _, element := range elements(text, in) {
		if len(element) > 0 {
			t.element(text, element)
		}
	}
	t.withoutRowID = slices.ContainsFunc(after, func(t token) bool { return t.word == "rowid" })
	return t
}

// element reads a column or a constraint.
func (t *tableText) element(text string, tokens []token) {
	column := ""
	if !slices.Contains([]string{"constraint", "primary", "unique", "check", "foreign"}, tokens[0].word) {
		column = tokens[0].name
	}
	name := "" // the name of the following constraint
	for i, at := range tokens {
		if at.depth != tokens[0].depth {
			continue
		}
		opens := i+1 < len(tokens) && tokens[i+1].kind == sqltext.Open
		switch {
		case at.word == "constraint" && i+1 < len(tokens):
			name = tokens[i+1].name
			continue
		case at.word == "primary":
			t.primaryKey = name
		case at.word == "references":
			t.foreignKeys = append(t.foreignKeys, name)
		case at.word == "check" && opens:
			t.checks = append(t.checks, backend.Check{Name: name, Expression: within(text, tokens[i+1:])})
		case at.word == "as" && opens && column != "":
			t.generated[column] = within(text, tokens[i+1:])
		case at.word == "unique" && column != "":
			t.unique = append(t.unique, backend.Key{Name: name, Columns: []string{column}})
		case at.word == "unique" && opens:
			in, _ := inside(tokens[i+1:])
			key := backend.Key{Name: name}
			for _, part := range elements(text, in) {
				key.Columns = append(key.Columns, part[0].name)
			}
			t.unique = append(t.unique, key)
		case slices.Contains([]string{"not", "null", "default", "collate"}, at.word):
		default:
			continue
		}
		name = ""
	}
}

// within returns the text between the parentheses that the first token opens.
func within(text string, tokens []token) string {
	in, _ := inside(tokens)
	return span(text, in)
}

func span(text string, tokens []token) string {
	if len(tokens) == 0 {
		return ""
	}
	return text[tokens[0].start:tokens[len(tokens)-1].end]
}

// nameOf returns the name of the unique constraint on the columns.
func (t *tableText) nameOf(columns []string) string {
	for _, key := range t.unique {
		if slices.EqualFunc(key.Columns, columns, strings.EqualFold) {
			return key.Name
		}
	}
	return ""
}

// readIndex returns the expressions of an index, by position, and the condition of a partial index.
func readIndex(text string) (parts []string, where string) {
	_, in, after := body(tokensOf(text))
	for _, part := range elements(text, in) {
		for len(part) > 1 && (part[len(part)-1].word == "asc" || part[len(part)-1].word == "desc") {
			part = part[:len(part)-1]
		}
		parts = append(parts, span(text, part))
	}
	if len(after) > 1 && after[0].word == "where" {
		where = span(text, after[1:])
	}
	return parts, where
}

// readView returns the query of a CREATE VIEW.
func readView(text string) string {
	tokens := tokensOf(text)
	for i, t := range tokens {
		if t.word == "as" && t.depth == 0 {
			return strings.TrimSuffix(strings.TrimSpace(span(text, tokens[i+1:])), ";")
		}
	}
	return ""
}
