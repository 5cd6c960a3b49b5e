package statements

import (
	"strings"

	"github.com/seed1239206e/repaint/sqltext"
)

// Tuple is an INSERT with one row of VALUES that contains all its parameters.
type Tuple struct {
	l          Language
	st         *Statement
	head, tail string
	row        []piece
}

// Tuple reads the statement as a [Tuple]. It returns nil if the statement isn't one.
func (l Language) Tuple(st *Statement) *Tuple {
	if !st.Changes || st.Script || len(st.Params) == 0 || st.pieces != nil {
		return nil
	}
	rules := l.Rules()
	parts := rules.Split(st.Source)
	if v := parts[0].Verb; v != "insert" && v != "replace" {
		return nil
	}
	start, end := span(rules, st.Source, parts)
	depth, open, behind := 0, -1, -1
	values := false // the last token was the word VALUES, outside of parentheses
	for t := rules.Next(st.Source, start); t.Kind != sqltext.End && t.Start < end; t = rules.Next(st.Source, t.End) {
		if t.Kind.Blank() {
			continue
		}
		switch t.Kind {
		case sqltext.Open:
			if depth++; values && depth == 1 && open < 0 {
				open = t.Start
			}
		case sqltext.Close:
			if depth--; depth == 0 && open >= 0 && behind < 0 {
				behind = t.End
			}
		case sqltext.Param:
			if open < 0 || behind >= 0 {
				return nil // the parameter would have to be the same for all rows
			}
		case sqltext.Other:
			if depth == 0 && behind >= 0 && st.Source[t.Start:t.End] == "," && strings.TrimSpace(st.Source[behind:t.Start]) == "" {
				return nil // there are several rows already
			}
		}
		values = depth == 0 && t.Kind == sqltext.Word && strings.EqualFold(st.Source[t.Start:t.End], "values")
	}
	if behind < 0 {
		return nil
	}
	var pieces [3][]piece
	for i, at := range [][2]int{{start, open}, {open, behind}, {behind, end}} {
		part := st.as()
		var err error
		if pieces[i], err = part.read(l, rules, at[0], at[1]); err != nil {
			return nil // can't happen: Parse has read it all before
		}
	}
	t := &Tuple{l: l, st: st, row: pieces[1]}
	for _, p := range pieces[0] {
		t.head += p.text
	}
	for _, p := range pieces[2] {
		t.tail += p.text
	}
	return t
}

// Form returns the statement with n rows. Its parameters are those of the first row, then those of
// the second, and so on.
func (t *Tuple) Form(n int) *Statement {
	form := t.st.as()
	var b strings.Builder
	b.WriteString(t.head)
	number := make([]int, len(t.st.names))
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		clear(number)
		for _, p := range t.row {
			switch {
			case p.text != "":
				b.WriteString(p.text)
				continue
			case !t.l.numbered || number[p.name] == 0:
				form.Params = append(form.Params, t.st.names[p.name])
				number[p.name] = len(form.Params)
			}
			b.WriteString(t.l.Placeholder(number[p.name]))
		}
	}
	b.WriteString(t.tail)
	form.Text = b.String()
	return form
}
