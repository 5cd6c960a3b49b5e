package statements

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seed1239206e/repaint/sqltext"
)

// Native is a text from a caller of database/sql. It has the database's own placeholders and is
// sent unchanged.
type Native struct {
	Statement
	Savepoint Savepoint
	// Tells names the function in the text that returns something about an earlier statement of the
	// connection; it is "" if there is none.
	Tells string
	// Inputs is how many arguments the statement takes; -1 means unknown.
	Inputs int
}

// Savepoint is what a text does with a savepoint. Op is "" if it does nothing with one.
type Savepoint struct{ Op, Name string }

// These are the values of Savepoint.Op.
const (
	OpSavepoint = "savepoint"
	OpRelease   = "release"
	OpRollback  = "rollback"
)

// ParseNative reads a text that is executed with args arguments. It returns nil if the text has no
// statement.
func (l Language) ParseNative(text string, args int) (*Native, error) {
	if i := strings.IndexByte(text, 0); i >= 0 {
		return nil, fmt.Errorf("byte %d of the statement is NUL", i)
	}
	rules := l.Rules()
	parts := rules.Split(text)
	if len(parts) == 0 {
		return nil, nil
	}
	st := &Native{Statement: *newStatement(text)}
	start, end := span(rules, text, parts)
	st.Text = text[start:end]
	st.Traits = l.Traits(text, parts)
	if st.Script = len(parts) > 1; st.Script {
		if args > 0 {
			return nil, fmt.Errorf("it is a script of %d statements, which takes no arguments; execute its statements one by one", len(parts))
		}
		for _, part := range parts {
			st.Parts = append(st.Parts, text[part.From:part.To])
		}
	} else {
		words := wordsOf(rules, text, parts[0])
		if st.TxControl {
			st.Savepoint = readSavepoint(words)
		}
		if !st.Writes {
			st.Tells = tellsOfEarlier(words)
		}
	}
	st.Inputs = inputsOf(rules, st.Text)
	for i := range args {
		st.Params = append(st.Params, strconv.Itoa(i+1))
	}
	st.names = st.Params
	return st, nil
}

// inputsOf counts the arguments that a text takes, by its placeholders: ? and ?, or $1 and $2. If
// placeholders have names, only the database can count them, and inputsOf returns -1.
func inputsOf(rules *sqltext.Rules, text string) (n int) {
	for t := range rules.Tokens(text, 0, len(text)) {
		switch t.Kind {
		case sqltext.Param:
			return -1
		case sqltext.Native:
		default:
			continue
		}
		if text[t.Start:t.End] == "?" {
			n++
			continue
		}
		number, err := strconv.Atoi(text[t.Start+1 : t.End])
		if err != nil || text[t.Start] != '$' {
			return -1
		}
		n = max(n, number)
	}
	return n
}

// wordsOf returns the tokens of a statement without white space and comments. Words are in lower
// case, names without their quotes.
func wordsOf(rules *sqltext.Rules, text string, part sqltext.Statement) []string {
	var words []string
	for t := range rules.Tokens(text, part.Start, part.End) {
		if t.Kind.Blank() {
			continue
		}
		word := text[t.Start:t.End]
		switch t.Kind {
		case sqltext.Word:
			word = strings.ToLower(word)
		case sqltext.Name:
			word = word[1 : len(word)-1]
		}
		words = append(words, word)
	}
	return words
}

// readSavepoint reads SAVEPOINT name, RELEASE [SAVEPOINT] name, and ROLLBACK [WORK | TRANSACTION] TO
// [SAVEPOINT] name.
func readSavepoint(words []string) Savepoint {
	if len(words) < 2 {
		return Savepoint{}
	}
	op, rest := words[0], words[1:len(words)-1]
	rest = slices.DeleteFunc(slices.Clone(rest), func(w string) bool { return w == "savepoint" })
	switch {
	case op == OpSavepoint && len(words) == 2, op == OpRelease && len(rest) == 0:
	case op == OpRollback && len(rest) > 0 && rest[len(rest)-1] == "to":
	default:
		return Savepoint{}
	}
	return Savepoint{op, words[len(words)-1]}
}

// earlier are the functions that return something about an earlier statement of their connection.
var earlier = []string{"last_insert_id", "row_count", "found_rows", "last_insert_rowid", "changes", "total_changes", "lastval", "currval"}

func tellsOfEarlier(words []string) string {
	for i, w := range words {
		if i+1 < len(words) && words[i+1] == "(" && slices.Contains(earlier, w) {
			return w + "()"
		}
	}
	return ""
}
