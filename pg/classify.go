package pg

import (
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// class is what a statement does to the connection that it runs on.
type class uint8

const (
	classPlain    class = iota // leaves nothing behind
	classStateful              // leaves something behind: a setting, a cursor, a temporary table …
	classTx                    // begins or ends a transaction, or is about one
	classCopy                  // COPY from or to the client
)

// verdict is what classify finds: the worst class of the statements of a text, and the words that made it so.
type verdict struct {
	class      class
	word       string
	statements int
	commits    bool // one of them commits the transaction that it is in, or prepares it
	lasts      bool // one of them commits by itself, maybe midway; see lasting
	// volatile: what the result looks like doesn't follow from text and schema. No description of
	// it is kept.
	volatile bool
	// renames: names may mean something else afterwards. The text says so; see also effectSchema.
	renames bool
}

var classes = map[string]class{
	"SET": classStateful, "RESET": classStateful, "DISCARD": classStateful, "PREPARE": classStateful, "DEALLOCATE": classStateful,
	"EXECUTE": classStateful, "DECLARE": classStateful, "FETCH": classStateful, "MOVE": classStateful, "CLOSE": classStateful,
	"LOAD": classStateful, "LISTEN": classStateful, "UNLISTEN": classStateful,
	"BEGIN": classTx, "START": classTx, "COMMIT": classTx, "END": classTx, "ROLLBACK": classTx, "ABORT": classTx,
	"SAVEPOINT": classTx, "RELEASE": classTx,
}

// volatile are the statements that show what has a name and can be made anew: a cursor, a prepared
// statement, a setting. The server doesn't notice that a description of theirs is out of date. CALL
// isn't among them: the server refuses a prepared one if its result differs.
var volatile = map[string]bool{"FETCH": true, "MOVE": true, "EXECUTE": true, "SHOW": true, "EXPLAIN": true}

// classify reads an SQL text as far as it must to know the first words of each statement.
func classify(sql string) verdict {
	var v verdict
	s := lexer{text: sql}
	for {
		one := s.statement()
		if one.statements == 0 {
			return v
		}
		v.statements++
		v.commits = v.commits || one.commits
		v.lasts = v.lasts || one.lasts
		v.volatile = v.volatile || one.volatile
		v.renames = v.renames || one.renames
		if one.class > v.class {
			v.class, v.word = one.class, one.word
		}
	}
}

// lexer splits SQL into words. It knows strings, quoted names, dollar quotes and comments, and skips them.
type lexer struct {
	text string
	pos  int
}

// statement reads up to the next semicolon. It finds no statement where there are only spaces and comments.
func (s *lexer) statement() verdict {
	var v verdict
	var words [6]string // the first ones
	n := 0
	previous := ""
	depth := 0
	concurrently := false
	for {
		word, ok := s.next()
		if !ok || word == ";" && depth == 0 {
			if ok && v.statements == 0 {
				continue // an empty statement
			}
			break
		}
		v.statements = 1
		switch word {
		case "(":
			depth++
		case ")":
			depth = max(depth-1, 0)
		case "CONCURRENTLY":
			concurrently = true
		case "ATOMIC":
			// The body of an SQL function, whose semicolons end nothing that matters here.
			if previous == "BEGIN" {
				s.pos = len(s.text)
			}
		case "SEARCH_PATH", "SCHEMA", "ROLE", "AUTHORIZATION", "ALL":
			v.renames = v.renames || words[0] == "SET" || words[0] == "RESET"
		case "SET_CONFIG":
			v.renames = true
		case "CREATE", "INTO":
			// A new table may hide one of its name. The tag of one that is made of a query is
			// the query's.
			v.renames = v.renames || n == 0 || words[0] == "SELECT" || words[0] == "EXPLAIN"
		case "TEMP", "TEMPORARY":
			if previous == "INTO" || previous == "LOCAL" || previous == "GLOBAL" {
				v.class, v.word, v.renames = classStateful, "INTO "+word, true
			}
		}
		if n < len(words) {
			words[n] = word
			n++
		}
		previous = word
	}
	if v.statements == 0 || v.class != classPlain {
		return v
	}
	v.class, v.word = classes[words[0]], words[0]
	v.lasts = lasting(words[0], words[1], concurrently)
	v.volatile = volatile[words[0]]
	switch words[0] {
	case "COMMIT", "END", "ROLLBACK":
		v.commits = words[0] != "ROLLBACK"
		if words[1] == "PREPARED" { // stands alone, and may be given anywhere
			v.class, v.commits, v.lasts = classPlain, false, true
		}
	case "SET":
		switch words[1] {
		case "LOCAL", "TRANSACTION", "CONSTRAINTS": // ends with the transaction, and is nothing without one
			v.class, v.word = classTx, "SET "+words[1]
		}
	case "PREPARE":
		if words[1] == "TRANSACTION" {
			v.class, v.word, v.commits = classTx, "PREPARE TRANSACTION", true
		}
	case "CREATE":
		rest := words[1:]
		for len(rest) > 0 && (rest[0] == "OR" || rest[0] == "REPLACE" || rest[0] == "LOCAL" || rest[0] == "GLOBAL") {
			rest = rest[1:]
		}
		if len(rest) > 0 && (rest[0] == "TEMP" || rest[0] == "TEMPORARY") {
			v.class, v.word = classStateful, "CREATE "+rest[0]
		}
	case "COPY":
		if text := strings.ToUpper(s.text); strings.Contains(text, "STDIN") || strings.Contains(text, "STDOUT") {
			v.class = classCopy
		}
	}
	return v
}

// lasting reports whether a statement that begins with these words commits by itself: a procedure may do that midway, and what PostgreSQL refuses
// in a transaction does, before the Sync that ends the other statements of a segment. What has begun of these isn't undone by an error.
func lasting(first, second string, concurrently bool) bool {
	switch first {
	case "CALL", "DO", "VACUUM", "REINDEX", "CLUSTER", "ANALYZE":
		return true
	case "CREATE", "DROP", "ALTER":
		switch second {
		case "DATABASE", "TABLESPACE", "SUBSCRIPTION", "SYSTEM":
			return true
		}
		return concurrently // an index; or a partition that is detached
	}
	return false
}

// next returns the next word in capitals, or one of ; ( ) or "?" for anything else.
func (s *lexer) next() (string, bool) {
	t := s.text
	for s.pos < len(t) {
		c := t[s.pos]
		switch {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v':
			s.pos++
		case c == '-' && strings.HasPrefix(t[s.pos:], "--"):
			end := strings.IndexAny(t[s.pos:], "\r\n")
			if end < 0 {
				end = len(t) - s.pos
			}
			s.pos += end
		case c == '/' && strings.HasPrefix(t[s.pos:], "/*"):
			s.comment()
		case c == '\'':
			s.quoted('\'', false)
			return "?", true
		case c == '"':
			s.quoted('"', false)
			return "?", true
		case c == '$' && s.dollarQuoted():
			return "?", true
		case isWordStart(c):
			return s.word(), true
		case c == ';' || c == '(' || c == ')':
			s.pos++
			return t[s.pos-1 : s.pos], true
		default:
			// A number, with what hangs on it (1e5, $1), is no word.
			s.pos++
			for (c == '$' || isDigit(c)) && s.pos < len(t) && isWordPart(t[s.pos]) {
				s.pos++
			}
			return "?", true
		}
	}
	return "", false
}

func (s *lexer) word() string {
	start := s.pos
	for s.pos < len(s.text) && isWordPart(s.text[s.pos]) {
		s.pos++
	}
	word := s.text[start:s.pos]
	if s.pos < len(s.text) && s.text[s.pos] == '\'' && len(word) <= 2 {
		s.quoted('\'', word == "e" || word == "E")
		return "?"
	}
	if len(word) > 13 {
		return "?" // none that matters is longer
	}
	return strings.ToUpper(word)
}

func (s *lexer) quoted(quote byte, escapes bool) {
	for s.pos++; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == '\\' && escapes:
			s.pos++
		case c == quote:
			if s.pos+1 < len(s.text) && s.text[s.pos+1] == quote {
				s.pos++
				continue
			}
			s.pos++
			return
		}
	}
	s.pos = len(s.text)
}

// dollarQuoted skips $tag$ … $tag$ if there is one.
func (s *lexer) dollarQuoted() bool {
	rest := s.text[s.pos+1:]
	n := 0
	for n < len(rest) && isWordPart(rest[n]) && rest[n] != '$' && (n > 0 || !isDigit(rest[n])) {
		n++
	}
	if n == len(rest) || rest[n] != '$' {
		return false
	}
	tag := s.text[s.pos : s.pos+n+2]
	body := s.text[s.pos+len(tag):]
	end := strings.Index(body, tag)
	if end < 0 {
		s.pos = len(s.text)
		return true
	}
	s.pos += len(tag) + end + len(tag)
	return true
}

// comment skips one, and those inside.
func (s *lexer) comment() {
	depth := 0
	for s.pos < len(s.text) {
		switch rest := s.text[s.pos:]; {
		case strings.HasPrefix(rest, "/*"):
			depth++
			s.pos += 2
		case strings.HasPrefix(rest, "*/"):
			depth = max(depth-1, 0)
			s.pos += 2
			if depth == 0 {
				return
			}
		default:
			s.pos++
		}
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWordStart(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= 0x80
}

func isWordPart(c byte) bool { return isWordStart(c) || isDigit(c) || c == '$' }

// effects are what the server's command tags say of the statements of a segment, whatever their text
// is.
type effects uint8

const (
	effectState  effects = 1 << iota // something is left behind on the connection
	effectSchema                     // names may mean something else
	effectAlter                      // what was there is another now
	effectDrop                       // or it is gone, and may come again as another
)

// effectsOf reads a command tag.
func effectsOf(tag pgconn.CommandTag) effects {
	if tag.Select() || tag.Insert() || tag.Update() || tag.Delete() {
		return 0
	}
	switch word, rest, _ := strings.Cut(tag.String(), " "); word {
	case "SET", "RESET", "DECLARE", "LOAD", "LISTEN", "UNLISTEN", "BEGIN", "START":
		return effectState
	case "PREPARE":
		if rest != "TRANSACTION" {
			return effectState
		}
	case "DEALLOCATE", "DISCARD":
		return effectState | effectSchema
	case "CREATE":
		return effectSchema
	case "ALTER":
		return effectSchema | effectAlter
	case "DROP":
		return effectSchema | effectDrop
	}
	return 0
}
