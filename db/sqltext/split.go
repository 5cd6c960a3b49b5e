package sqltext

import "strings"

// Statement is one statement of a script: text[Start:End], without the white
// space and comments around it and without its semicolon.
type Statement struct {
	// Verb is the keyword that says what the statement does, in lower case:
	// "select", "insert", "create". For WITH it is the one behind the common
	// table expressions. It is empty where no word leads the statement.
	Verb       string
	Start, End int
}

// Split returns the statements of text. A semicolon inside the body of a
// trigger, procedure or function (BEGIN … END) ends no statement.
func (r *Rules) Split(text string) []Statement {
	var all []Statement
	for pos := 0; ; {
		st, next, ok := r.statement(text, pos)
		if !ok {
			return all
		}
		all = append(all, st)
		pos = next
	}
}

// Words returns the first n words of the statement in lower case; it stops at
// anything that is neither word nor quoted name, white space and comments aside.
func (r *Rules) Words(text string, st Statement, n int) []string {
	var words []string
	for pos := st.Start; pos < st.End && len(words) < n; {
		t := r.Next(text, pos)
		switch t.Kind {
		case Space, Comment:
		case Word:
			words = append(words, strings.ToLower(text[t.Start:t.End]))
		case Name:
			words = append(words, text[t.Start:t.End])
		default:
			return words
		}
		pos = t.End
	}
	return words
}

// statement reads the statement that begins at or after pos and returns the
// position behind its semicolon.
func (r *Rules) statement(text string, pos int) (st Statement, next int, ok bool) {
	var (
		parens int
		first  string // the leading keyword
		object string // what a CREATE creates, once it is known
		blocks int    // open BEGIN and CASE blocks of its body
		ended  bool   // the last word was END: the next one belongs to it
	)
	for {
		t := r.Next(text, pos)
		if t.Kind == End || t.Kind == Semicolon && blocks <= 0 {
			if ok {
				return st, t.End, true
			}
			if t.Kind == End {
				return st, t.End, false
			}
			pos = t.End // an empty statement
			continue
		}
		pos = t.End
		if t.Kind == Space || t.Kind == Comment {
			continue
		}
		if !ok {
			ok, st.Start = true, t.Start
		}
		st.End = t.End

		switch t.Kind {
		case Open:
			parens++
		case Close:
			parens--
		case Word:
			w := strings.ToLower(text[t.Start:t.End])
			switch {
			case first == "":
				first, st.Verb = w, w
			case first == "with" && st.Verb == "with" && parens == 0 && isMainVerb(w):
				st.Verb = w
			case first == "create" && object == "" && isObject(w):
				object = w
			}
			if hasBody(object) {
				switch {
				case ended && (w == "if" || w == "loop" || w == "while" || w == "repeat"):
					blocks++ // END IF closes an IF, which opened nothing here
				case ended:
				case w == "begin" || w == "case":
					blocks++
				case w == "end":
					blocks--
				}
				ended = w == "end"
				continue
			}
		}
		ended = false
	}
}

func isMainVerb(w string) bool {
	switch w {
	case "select", "insert", "update", "delete", "replace", "values", "merge", "table":
		return true
	}
	return false
}

func isObject(w string) bool {
	switch w {
	case "table", "view", "index", "virtual", "schema", "database", "type", "sequence":
		return true
	}
	return hasBody(w)
}

func hasBody(w string) bool {
	return w == "trigger" || w == "procedure" || w == "function" || w == "event"
}
