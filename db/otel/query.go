package otel

import (
	"strings"

	"github.com/seed1239206e/repaint/sqltext"
)

// query is what is recorded of a statement's text.
type query struct {
	text                  string // without literals
	operation, collection string // "" if the text doesn't show it
}

// languages are those of the systems.
var languages = map[string]*sqltext.Language{
	"postgresql": sqltext.PostgreSQL, "mysql": sqltext.MySQL, "mariadb": sqltext.MySQL, "sqlite": sqltext.SQLite,
}

// read reads a statement. Literals and numbers become ?, and comments are left out: they may have values.
func read(system, text string) query {
	language, ok := languages[system]
	if !ok {
		return query{} // it isn't known where its literals end
	}
	rules := &language.Rules
	var b strings.Builder
	var q query
	target := false // what comes next is what the statement is about
	for at := 0; ; {
		t := rules.Next(text, at)
		if t.Kind == sqltext.End {
			break
		}
		at = t.End
		part := text[t.Start:t.End]
		switch t.Kind {
		case sqltext.Literal, sqltext.Number:
			b.WriteString("?")
			continue
		case sqltext.Comment, sqltext.Hint:
			b.WriteString(" ")
			continue
		}
		b.WriteString(part)
		switch {
		case t.Kind.Blank():
		case q.operation == "" && t.Kind == sqltext.Word:
			q.operation = strings.ToUpper(part)
			target = q.operation == "UPDATE"
		case target && (t.Kind == sqltext.Word || t.Kind == sqltext.Name):
			if q.collection == "" && !isOneOf(part, "only", "ignore", "low_priority") {
				q.collection = strings.Trim(part, "\"`[]")
				target = false
			}
		case t.Kind == sqltext.Word && q.collection == "" && isOneOf(part, "from", "into"):
			target = true
		default:
			target = false
		}
	}
	q.text = strings.TrimSpace(b.String())
	return q
}

func isOneOf(word string, all ...string) bool {
	for _, w := range all {
		if strings.EqualFold(word, w) {
			return true
		}
	}
	return false
}
