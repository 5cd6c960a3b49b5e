package db

import (
	"slices"
	"strconv"
	"strings"

	"github.com/seed1239206e/repaint/internal/cache"
	"github.com/seed1239206e/repaint/sqltext"
)

// nativeStatement is a text of a caller of database/sql: it has the database's own placeholders, and is
// sent as it is written.
type nativeStatement struct {
	statement
	savepoint savepointText
	// tells names what tells of an earlier statement of the connection; "" if there is nothing.
	tells string
	// inputs is how many arguments it takes; -1 is unknown.
	inputs int
}

// savepointText is what a text does with a savepoint; op is "" if it does nothing with one.
type savepointText struct{ op, name string }

const (
	opSavepoint = "savepoint"
	opRelease   = "release"
	opRollback  = "rollback"
)

type nativeText struct {
	text string
	args int
}

// nativeCache keeps texts that were read.
type nativeCache = cache.SecondChance[nativeText, *nativeStatement]

// native reads a text that is executed with so many arguments. It returns nil for one without a
// statement.
func (e *Engine) native(text string, args int) (*nativeStatement, error) {
	key := nativeText{text, args}
	if st, known := e.natives.Get(key); known {
		return st, nil
	}
	st, err := parseNative(e.dialect, text, args)
	if err == nil && len(text) <= longestCached {
		e.natives.Put(key, st)
	}
	return st, err
}

func parseNative(d Dialect, text string, args int) (*nativeStatement, error) {
	if i := strings.IndexByte(text, 0); i >= 0 {
		return nil, badStatement(d, text, "byte %d of the statement is NUL", i)
	}
	rules := d.Rules()
	parts := rules.Split(text)
	if len(parts) == 0 {
		return nil, nil
	}
	st := &nativeStatement{statement: *newStatement(text)}
	start, end := span(rules, text, parts)
	st.Text = text[start:end]
	st.Traits = d.Traits(text, parts)
	if st.Script = len(parts) > 1; st.Script {
		if args > 0 {
			return nil, badStatement(d, text,
				"it is a script of %d statements, which takes no arguments; execute its statements one by one", len(parts))
		}
		for _, part := range parts {
			st.Parts = append(st.Parts, text[part.From:part.To])
		}
	} else {
		words := wordsOf(rules, text, parts[0])
		if st.TxControl {
			st.savepoint = readSavepoint(words)
		}
		if !st.Writes {
			st.tells = tellsOfEarlier(words)
		}
	}
	st.inputs = inputsOf(rules, st.Text)
	for i := range args {
		st.Params = append(st.Params, strconv.Itoa(i+1))
	}
	st.names = st.Params
	return st, nil
}

// refuse returns the error for what can't be done, whatever the connection is.
func (st *nativeStatement) refuse(d Dialect, rows bool) error {
	var err *Error
	switch n := len(st.Params); {
	case st.inputs >= 0 && st.inputs != n:
		err = fail("bind", ErrParameter, "the statement takes %d arguments, and there are %d", st.inputs, n)
	case st.savepoint.op != "":
		return nil
	case st.TxControl:
		err = misuse("prepare", "a transaction is begun with BeginTx and ended with its Tx, not by a statement")
	case st.Statement.Refused != "":
		err = fail("prepare", ErrUnsupported, "%s", st.Statement.Refused)
	case st.Script && rows:
		err = misuse("query", "a script of several statements has no single result; use Exec")
	default:
		return nil
	}
	err.Statement, err.Dialect = st.Source, d.Name()
	return err
}

// inputsOf counts the arguments that a text takes, by its placeholders: ? and ?, or $1 and $2. Where they
// have names, the database counts.
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

// wordsOf returns the tokens of a statement, white space and comments aside: words in lower case, names
// without their quotes.
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
func readSavepoint(words []string) savepointText {
	if len(words) < 2 {
		return savepointText{}
	}
	op, rest := words[0], words[1:len(words)-1]
	rest = slices.DeleteFunc(slices.Clone(rest), func(w string) bool { return w == "savepoint" })
	switch {
	case op == opSavepoint && len(words) == 2, op == opRelease && len(rest) == 0:
	case op == opRollback && len(rest) > 0 && rest[len(rest)-1] == "to":
	default:
		return savepointText{}
	}
	return savepointText{op, words[len(words)-1]}
}

// earlier are functions that tell of an earlier statement of their connection.
var earlier = []string{"last_insert_id", "row_count", "found_rows", "last_insert_rowid", "changes", "total_changes", "lastval", "currval"}

func tellsOfEarlier(words []string) string {
	for i, w := range words {
		if i+1 < len(words) && words[i+1] == "(" && slices.Contains(earlier, w) {
			return w + "()"
		}
	}
	return ""
}
