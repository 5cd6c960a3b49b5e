// Package sqlsummary extracts from a statement what may be recorded: its text without values, and
// what it is about.
package sqlsummary

import (
	"strings"

	"github.com/seed1239206e/repaint/sqltext"
)

// A Summary is the part of a statement's text that is recorded.
type Summary struct {
	Text                  string // without literals
	Operation, Collection string // "" if the text doesn't show it
}

// Name returns a short name for the statement, or the system if the text doesn't show what it does.
func (q Summary) Name(system string) string {
	switch {
	case q.Operation == "":
		return system
	case q.Collection == "":
		return q.Operation
	}
	return q.Operation + " " + q.Collection
}

// languages are those of the systems.
var languages = map[string]*sqltext.Language{
	"postgresql": sqltext.PostgreSQL, "mysql": sqltext.MySQL, "mariadb": sqltext.MySQL, "sqlite": sqltext.SQLite,
}

// Read reads a statement. The system has its name in OpenTelemetry's conventions. Read replaces
// literals and numbers by ?, and leaves comments out, because all of these may contain values.
func Read(system, text string) Summary {
	language, ok := languages[system]
	if !ok {
		return Summary{} // the language isn't known, and so neither is where its literals end
	}
	rules := &language.Rules
	var b strings.Builder
	var q Summary
	target := false // the next word is what the statement is about
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
		case q.Operation == "" && t.Kind == sqltext.Word:
			q.Operation = strings.ToUpper(part)
			target = q.Operation == "UPDATE"
		case target && (t.Kind == sqltext.Word || t.Kind == sqltext.Name):
			if q.Collection == "" && !isOneOf(part, "only", "ignore", "low_priority") {
				q.Collection = strings.Trim(part, "\"`[]")
				target = false
			}
		case t.Kind == sqltext.Word && q.Collection == "" && isOneOf(part, "from", "into"):
			target = true
		default:
			target = false
		}
	}
	q.Text = strings.TrimSpace(b.String())
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
