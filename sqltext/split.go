package sqltext

import "strings"

// A Statement is one statement of a text.
type Statement struct {
	// Verb is the keyword that says what the statement does, in lower case: "select", "insert",
	// "create". For WITH it is the keyword after the common table expressions. It is empty if no
	// word begins the statement.
	Verb string
	// Block says that the statement contains others: the body of a routine, or a block.
	Block bool
	// text[Start:End] is the statement without surrounding white space and comments.
	Start, End int
	// text[From:To] is the statement as it is written, with surrounding white space and comments
	// but without its semicolon. Only semicolons, and the white space and comments between
	// semicolons, lie between two statements.
	From, To int
}

// Split returns the statements of text. A semicolon in parentheses, or in the body of a routine or
// the like (see [Bodies]), doesn't end a statement.
func (r *Rules) Split(text string) []Statement {
	var all []Statement
	for st := range r.Statements(text) {
		all = append(all, st)
	}
	return all
}

// Statements calls yield with each statement that [Rules.Split] returns, until yield returns false.
func (r *Rules) Statements(text string) func(yield func(Statement) bool) {
	return func(yield func(Statement) bool) {
		for pos := 0; ; {
			st, next, ok := r.statement(text, pos)
			if !ok || !yield(st) {
				return
			}
			pos = next
		}
	}
}

// Words returns the first n words of the statement in lower case. It skips white space and
// comments, and stops at any other token that is neither a word nor a quoted name. Quoted names are
// returned as written, with their quotes.
func (r *Rules) Words(text string, st Statement, n int) []string {
	var words []string
	for t := range r.Tokens(text, st.Start, st.End) {
		switch {
		case t.Kind.Blank():
			continue
		case len(words) == n:
			return words
		case t.Kind == Word:
			words = append(words, strings.ToLower(text[t.Start:t.End]))
		case t.Kind == Name:
			words = append(words, text[t.Start:t.End])
		default:
			return words
		}
	}
	return words
}

// statement reads the statement that begins at or after pos, and returns the position after its
// semicolon. ok is false if there is none.
func (r *Rules) statement(text string, pos int) (st Statement, next int, ok bool) {
	st.From = pos
	b := body{rules: r}
	parens := 0
	exec := false // in an executable comment
	for {
		t := r.Next(text, pos)
		pos = t.End
		switch t.Kind {
		case End:
			st.To, st.Block = t.End, b.holds()
			return st, t.End, ok
		case Space, Comment, Hint:
			continue
		case Semicolon:
			if exec || parens > 0 || !b.ends() {
				break
			}
			if ok {
				st.To, st.Block = t.Start, b.holds()
				return st, t.End, true
			}
			st.From = t.End // an empty statement
			continue
		case Open:
			parens++
		case Close:
			parens = max(parens-1, 0)
		}
		if !ok {
			ok, st.Start = true, t.Start
		}
		st.End = t.End
		switch t.Kind {
		case ExecBegin:
			exec = true
			continue
		case ExecEnd:
			exec = false
			continue
		}
		w := ""
		if t.Kind == Word {
			w = text[t.Start:t.End]
			switch {
			case st.Verb == "":
				st.Verb = lower(w)
			case st.Verb == "with" && parens == 0 && isMainVerb(w):
				st.Verb = lower(w)
			}
		}
		b.step(t.Kind, text[t.Start:t.End], w, parens)
	}
}

func isMainVerb(w string) bool {
	return equal(w, "select", "insert", "update", "delete", "replace", "values", "merge", "table")
}

// equal reports whether word, in any case, is one of lowers.
func equal(word string, lowers ...string) bool {
	for _, l := range lowers {
		if len(l) == len(word) && equalFold(word, l) {
			return true
		}
	}
	return false
}

// equalFold compares word, in any case, with a lower-case word of the same length.
func equalFold(word, lower string) bool {
	for i := range len(word) {
		c := word[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// lower returns the word with its ASCII letters in lower case, since SQL compares keywords that
// way.
func lower(word string) string {
	i := 0
	for i < len(word) && (word[i] < 'A' || word[i] > 'Z') {
		i++
	}
	if i == len(word) {
		return word
	}
	var room [16]byte // enough for a word that begins a statement
	b := append(room[:0], word...)
	for ; i < len(b); i++ {
		if b[i] >= 'A' && b[i] <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	if verb, ok := verbs[string(b)]; ok {
		return verb
	}
	return string(b)
}

// verbs are the words that begin statements. With them, lower returns these words without
// allocating.
var verbs = func() map[string]string {
	all := map[string]string{"with": "with"}
	for _, list := range []map[string]Effects{postgresVerbs, sqliteVerbs, mysqlVerbs} {
		for verb := range list {
			all[verb] = verb
		}
	}
	return all
}()
