package sqltext

// Rules says how one database writes SQL. The zero value is plain standard SQL:
// 'literals' and "names" in which the quote is doubled, -- and /* */ comments.
type Rules struct {
	// NestedComments: a /* inside a comment needs its own */ (PostgreSQL).
	NestedComments bool
	// HashComments: # begins a comment that ends with the line (MySQL).
	HashComments bool
	// DashNeedsSpace: -- begins a comment only before white space (MySQL).
	DashNeedsSpace bool
	// Backslash: in literals a backslash escapes what follows (MySQL).
	Backslash bool
	// EscapeStrings: E'…' is a literal with backslash escapes (PostgreSQL).
	EscapeStrings bool
	// DollarQuotes: $tag$…$tag$ is a literal (PostgreSQL).
	DollarQuotes bool
	// Backticks: `…` is a quoted name (MySQL, SQLite).
	Backticks bool
	// Brackets: […] is a quoted name (SQLite, SQL Server).
	Brackets bool
	// Natives has the bytes that begin the database's own placeholders, of
	// "?", "$", "@" and ":". With "?" or "@" every such byte is one; "$" needs
	// a letter or digit behind it; ":" stands for colons with a name behind
	// them that are no parameter by the rules above but would be to the server.
	Natives string
}

// Kind says what a [Token] is.
type Kind uint8

const (
	End       Kind = iota // the end of the text
	Space                 // white space
	Comment               // a comment of any form
	Literal               // a string literal, quotes included
	Name                  // a quoted name, quotes included
	Word                  // a keyword or a name without quotes
	Number                // what begins with a digit
	Param                 // :name
	Native                // a placeholder of the database itself, such as ? or $1
	Colon                 // \: which stands for a plain colon
	Semicolon             // ;
	Open                  // (
	Close                 // )
	Other                 // any other character, or ::
)

// Token is a piece of text: text[Start:End].
type Token struct {
	Kind       Kind
	Start, End int
}

// Next returns the token that begins at pos. Tokens have no gaps: the next one
// begins where this one ends. The text's end is an empty token of kind [End].
func (r *Rules) Next(text string, pos int) Token {
	if pos >= len(text) {
		return Token{End, len(text), len(text)}
	}
	end := pos + 1
	kind := Other
	switch c := text[pos]; {
	case isSpace(c):
		for kind = Space; end < len(text) && isSpace(text[end]); {
			end++
		}
	case c == '\'':
		kind, end = Literal, quoted(text, end, c, r.Backslash)
	case c == '"':
		// In MySQL "…" is a literal unless ANSI_QUOTES is on; which of the
		// two it is changes only whether backslashes escape.
		kind, end = Name, quoted(text, end, c, r.Backslash)
	case c == '`' && r.Backticks:
		kind, end = Name, quoted(text, end, c, false)
	case c == '[' && r.Brackets:
		kind, end = Name, through(text, end, "]")
	case c == '-' && r.dashComment(text, pos):
		kind, end = Comment, line(text, end)
	case c == '#' && r.HashComments:
		kind, end = Comment, line(text, end)
	case c == '/' && follows(text, end, '*'):
		kind, end = Comment, r.blockComment(text, end+1)
	case isWordStart(c):
		kind, end = Word, word(text, end)
		if r.EscapeStrings && end == pos+1 && (c == 'E' || c == 'e') && follows(text, end, '\'') {
			kind, end = Literal, quoted(text, end+1, '\'', true)
		}
	case isDigit(c) || c == '.' && end < len(text) && isDigit(text[end]):
		kind, end = Number, number(text, end)
	case c == '$':
		if tag := r.dollarTag(text, pos); tag != "" {
			kind, end = Literal, through(text, pos+len(tag), tag)
		} else if r.native(c) && end < len(text) && isWordPart(text[end]) {
			kind, end = Native, word(text, end)
		}
	case c == '?' || c == '@':
		if r.native(c) {
			kind, end = Native, word(text, end)
		}
	case c == '\\' && follows(text, end, ':'):
		kind, end = Colon, end+1
	case c == ':':
		kind, end = r.colon(text, pos)
	case c == ';':
		kind = Semicolon
	case c == '(':
		kind = Open
	case c == ')':
		kind = Close
	}
	return Token{kind, pos, end}
}

// colon reads what begins with a colon.
func (r *Rules) colon(text string, pos int) (Kind, int) {
	end := pos + 1
	if follows(text, end, ':') {
		return Other, end + 1
	}
	if end == len(text) || !isWordStart(text[end]) {
		return Other, end
	}
	if pos > 0 && isWordPart(text[pos-1]) {
		if r.native(':') {
			return Native, word(text, end)
		}
		return Other, end
	}
	return Param, paramName(text, end)
}

func (r *Rules) native(c byte) bool {
	for i := range len(r.Natives) {
		if r.Natives[i] == c {
			return true
		}
	}
	return false
}

func (r *Rules) dashComment(text string, pos int) bool {
	if !follows(text, pos+1, '-') {
		return false
	}
	return !r.DashNeedsSpace || pos+2 == len(text) || text[pos+2] <= ' '
}

// blockComment returns the end of the comment whose inside begins at pos.
func (r *Rules) blockComment(text string, pos int) int {
	for depth := 1; pos+1 < len(text); {
		switch {
		case text[pos] == '*' && text[pos+1] == '/':
			pos += 2
			if depth--; depth == 0 {
				return pos
			}
		case r.NestedComments && text[pos] == '/' && text[pos+1] == '*':
			depth++
			pos += 2
		default:
			pos++
		}
	}
	return len(text)
}

// dollarTag returns the $tag$ that begins a literal at pos, or "".
func (r *Rules) dollarTag(text string, pos int) string {
	if !r.DollarQuotes {
		return ""
	}
	for i := pos + 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '$':
			return text[pos : i+1]
		case isWordStart(c) || isDigit(c) && i > pos+1:
		default:
			return ""
		}
	}
	return ""
}

// quoted returns the end of a literal or name whose inside begins at pos.
func quoted(text string, pos int, quote byte, backslash bool) int {
	for ; pos < len(text); pos++ {
		switch c := text[pos]; {
		case c == '\\' && backslash:
			pos++
		case c == quote:
			if !follows(text, pos+1, quote) {
				return pos + 1
			}
			pos++
		}
	}
	return len(text)
}

// through returns the position behind the next mark, or the text's end.
func through(text string, pos int, mark string) int {
	for ; pos+len(mark) <= len(text); pos++ {
		if text[pos:pos+len(mark)] == mark {
			return pos + len(mark)
		}
	}
	return len(text)
}

func line(text string, pos int) int {
	for pos < len(text) && text[pos] != '\n' {
		pos++
	}
	return pos
}

func word(text string, pos int) int {
	for pos < len(text) && isWordPart(text[pos]) {
		pos++
	}
	return pos
}

// paramName ends earlier than a word: a dollar sign is no part of it.
func paramName(text string, pos int) int {
	for pos < len(text) && text[pos] != '$' && isWordPart(text[pos]) {
		pos++
	}
	return pos
}

func number(text string, pos int) int {
	for pos < len(text) && (text[pos] == '.' || text[pos] != '$' && isWordPart(text[pos])) {
		pos++
	}
	return pos
}

func follows(text string, pos int, c byte) bool { return pos < len(text) && text[pos] == c }

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// Every byte of a character beyond ASCII counts as a letter, as in SQLite,
// PostgreSQL and MySQL.
func isWordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}
func isWordPart(c byte) bool { return isWordStart(c) || isDigit(c) || c == '$' }
