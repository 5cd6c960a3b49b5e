package sqltext

import "strings"

// Rules says how one database writes SQL. The zero value is plain standard SQL: 'literals' and
// "names" in which a doubled quote means a quote, -- and /* */ comments, and bodies as in SQL/PSM.
// Rules have no state: any number of goroutines may use them while nothing changes their fields.
type Rules struct {
	// NestedComments: a /* inside a comment needs its own */ (PostgreSQL).
	NestedComments bool
	// HashComments: # begins a comment that reaches to the end of the line (MySQL).
	HashComments bool
	// DashNeedsSpace: -- begins a comment only before white space (MySQL).
	DashNeedsSpace bool
	// CarriageReturns: a carriage return ends a -- comment, as a line feed does (PostgreSQL).
	CarriageReturns bool
	// ExecutableComments: the text in /*! */ and /*M! */ is code (MySQL, MariaDB).
	ExecutableComments bool
	// Backslash: in literals a backslash escapes the next character (MySQL).
	Backslash bool
	// EscapeStrings: E'…' is a literal with backslash escapes, also where it continues after a line
	// break: E'…' NEWLINE '…' (PostgreSQL).
	EscapeStrings bool
	// UnicodeStrings: U&'…' is a literal and U&"…" a name (PostgreSQL).
	UnicodeStrings bool
	// DollarQuotes: $tag$…$tag$ is a literal (PostgreSQL).
	DollarQuotes bool
	// DoubleQuotedLiterals: "…" is a literal, not a name (MySQL).
	DoubleQuotedLiterals bool
	// Backticks: `…` is a quoted name (MySQL, SQLite).
	Backticks bool
	// Brackets: […] is a quoted name (SQLite, SQL Server).
	Brackets bool
	// Natives contains the bytes among "?", "$", "@" and ":" that begin the database's own
	// placeholders. Every "?" or "@" is a placeholder. A "$" is one if a letter or digit follows
	// it. With ":", a colon directly before a name is one where it begins no [Param] but would be a
	// placeholder to the server.
	Natives string
	// Bodies says which statements contain others.
	Bodies Bodies
}

// Bodies says which statements contain others. The semicolons inside don't end the outer statement.
type Bodies uint8

const (
	// ProgramBodies are the bodies of SQL/PSM as MySQL and MariaDB write them, including MariaDB's
	// Oracle mode: BEGIN, IF, CASE, LOOP, WHILE, REPEAT and FOR in routines, triggers, events and
	// packages, or on their own.
	ProgramBodies Bodies = iota
	// AtomicBodies are PostgreSQL's: BEGIN ATOMIC … END in functions and procedures.
	AtomicBodies
	// TriggerBodies are SQLite's: BEGIN …; END in triggers.
	TriggerBodies
)

// Kind says what a [Token] is.
type Kind uint8

const (
	End       Kind = iota // the end of the text
	Space                 // white space
	Comment               // a comment of any form
	Literal               // a string literal, quotes included
	Name                  // a quoted name, quotes included
	Word                  // a keyword or a name without quotes
	Number                // starts with a digit, or with a dot and a digit
	Param                 // :name, and :name.name
	Native                // a placeholder of the database itself, such as ? or $1
	Colon                 // \: which stands for a plain colon
	Semicolon             // ;
	Open                  // (
	Close                 // )
	Other                 // any other character, or :: or :=
	Hint                  // /*+ … */, a comment that some servers obey
	ExecBegin             // /*! or /*M!, with the version after it: code follows
	ExecEnd               // the */ of an ExecBegin
)

// Blank reports whether a token of this kind means nothing to a server and only separates others.
func (k Kind) Blank() bool {
	switch k {
	case Space, Comment, Hint, ExecBegin, ExecEnd:
		return true
	}
	return false
}

// A Token is a piece of text: text[Start:End], in bytes.
type Token struct {
	Kind       Kind
	Start, End int
}

// Tokens calls yield with each token that begins in text[start:end], until yield returns false.
// Positions are bytes.
func (r *Rules) Tokens(text string, start, end int) func(yield func(Token) bool) {
	return func(yield func(Token) bool) {
		for t := r.Next(text, start); t.Kind != End && t.Start < end && yield(t); {
			t = r.Next(text, t.End)
		}
	}
}

// Next returns the token that begins at the byte pos. Tokens have no gaps: the next token begins
// where this one ends. At the end of the text Next returns an empty token of kind [End].
func (r *Rules) Next(text string, pos int) Token {
	if pos >= len(text) {
		return Token{End, len(text), len(text)}
	}
	end := pos + 1
	kind := Other
	switch c := text[pos]; {
	case isWordStart(c):
		kind, end = r.word(text, pos)
	case isSpace(c):
		for kind = Space; end < len(text) && isSpace(text[end]); {
			end++
		}
	case c == '\'':
		kind, end = Literal, quoted(text, end, c, r.Backslash)
	case c == '"':
		// In MySQL, ANSI_QUOTES makes it a name, in which a backslash is an ordinary character.
		kind, end = Name, quoted(text, end, c, r.Backslash)
		if r.DoubleQuotedLiterals {
			kind = Literal
		}
	case c == '`' && r.Backticks:
		kind, end = Name, quoted(text, end, c, false)
	case c == '[' && r.Brackets:
		kind, end = Name, through(text, end, "]")
	case c == '-' && r.dashComment(text, pos):
		kind, end = Comment, r.line(text, end)
	case c == '#' && r.HashComments:
		kind, end = Comment, r.line(text, end)
	case c == '/' && follows(text, end, '*'):
		kind, end = r.comment(text, pos)
	case c == '*' && r.ExecutableComments && follows(text, end, '/'):
		if !follows(text, end+1, '*') || inExec(text, pos) {
			kind, end = ExecEnd, end+1
		} // otherwise it multiplies, and a comment follows
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

// word reads a token that begins with a letter: a word, or a literal or name with a letter before
// it.
func (r *Rules) word(text string, pos int) (Kind, int) {
	end := word(text, pos+1)
	if end > pos+1 {
		return Word, end
	}
	switch text[pos] {
	case 'E', 'e':
		if r.EscapeStrings && follows(text, end, '\'') {
			return Literal, r.escapeString(text, end+1)
		}
	case 'U', 'u':
		if !r.UnicodeStrings || !follows(text, end, '&') {
			break
		}
		switch {
		case follows(text, end+1, '\''):
			return Literal, quoted(text, end+2, '\'', false)
		case follows(text, end+1, '"'):
			return Name, quoted(text, end+2, '"', false)
		}
	}
	return Word, end
}

// escapeString returns the end of the E'…' whose contents begin at pos, with all the pieces in
// which it continues: white space and -- comments with at least one line break lie between them.
func (r *Rules) escapeString(text string, pos int) int {
	for {
		end := quoted(text, pos, '\'', true)
		next, broken := end, false
		for next < len(text) {
			if c := text[next]; isSpace(c) {
				broken = broken || c == '\n' || c == '\r'
				next++
			} else if r.dashComment(text, next) {
				next = r.line(text, next)
			} else {
				break
			}
		}
		if !broken || !follows(text, next, '\'') {
			return end
		}
		pos = next + 1
	}
}

// colon reads a token that begins with a colon.
func (r *Rules) colon(text string, pos int) (Kind, int) {
	end := pos + 1
	if follows(text, end, ':') || follows(text, end, '=') {
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
	end = paramName(text, end)
	for follows(text, end, '.') && end+1 < len(text) && isWordStart(text[end+1]) {
		end = paramName(text, end+1)
	}
	return Param, end
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
	if text[pos] != '-' || !follows(text, pos+1, '-') {
		return false
	}
	return !r.DashNeedsSpace || pos+2 == len(text) || text[pos+2] <= ' ' || text[pos+2] == 0x7f
}

// line returns the end of the line that pos is in.
func (r *Rules) line(text string, pos int) int {
	for pos < len(text) && text[pos] != '\n' && (text[pos] != '\r' || !r.CarriageReturns) {
		pos++
	}
	return pos
}

// comment reads the token that begins with /* at pos.
func (r *Rules) comment(text string, pos int) (Kind, int) {
	end := pos + 2
	if r.ExecutableComments {
		if begin := execBegin(text, end); begin > 0 && r.execCloses(text, begin) {
			return ExecBegin, begin
		}
	}
	if follows(text, end, '+') {
		return Hint, r.blockComment(text, end)
	}
	return Comment, r.blockComment(text, end)
}

// execBegin returns where the code of an executable comment begins, or 0 if the comment isn't one.
// pos is the position after the /*. The version is five or six digits.
func execBegin(text string, pos int) int {
	if follows(text, pos, 'M') {
		pos++
	}
	if !follows(text, pos, '!') {
		return 0
	}
	pos++
	digits := 0
	for digits < 6 && pos+digits < len(text) && isDigit(text[pos+digits]) {
		digits++
	}
	if digits < 5 {
		return pos
	}
	return pos + digits
}

// execCloses reports whether the comment whose contents begin at pos would end if the server
// executed it. If it wouldn't, it is meant for other servers, and is a comment to this one.
func (r *Rules) execCloses(text string, pos int) bool {
	for pos < len(text) {
		if text[pos] == '*' && follows(text, pos+1, '/') {
			return true
		}
		if text[pos] == '/' && follows(text, pos+1, '*') {
			// Executable comments don't nest: the first end closes all.
			if begin := execBegin(text, pos+2); begin > 0 {
				pos = begin
			} else {
				pos = r.blockComment(text, pos+2)
			}
			continue
		}
		pos = r.Next(text, pos).End
	}
	return false
}

// inExec reports whether pos is inside an executable comment: the last one that began before pos
// hasn't ended.
func inExec(text string, pos int) bool {
	before := text[:pos]
	begin := max(strings.LastIndex(before, "/*!"), strings.LastIndex(before, "/*M!"))
	return begin >= 0 && begin > strings.LastIndex(before, "*/")
}

// blockComment returns the end of the comment whose contents begin at pos.
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

// quoted returns the end of a literal or name whose contents begin at pos.
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

// through returns the position after the next mark, or the end of the text.
func through(text string, pos int, mark string) int {
	for ; pos+len(mark) <= len(text); pos++ {
		if text[pos:pos+len(mark)] == mark {
			return pos + len(mark)
		}
	}
	return len(text)
}

func word(text string, pos int) int {
	for pos < len(text) && isWordPart(text[pos]) {
		pos++
	}
	return pos
}

// paramName returns the end of a parameter's name. Unlike a word it contains no dollar sign.
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

func isSpace(c byte) bool     { return chars[c]&space != 0 }
func isDigit(c byte) bool     { return c >= '0' && c <= '9' }
func isWordStart(c byte) bool { return chars[c]&wordStart != 0 }
func isWordPart(c byte) bool  { return chars[c]&wordPart != 0 }

const (
	space = 1 << iota
	wordStart
	wordPart
)

// chars says what each byte can be. Every byte of a character outside ASCII counts as a letter, as
// in SQLite, PostgreSQL and MySQL.
var chars = func() (all [256]byte) {
	for i := range all {
		switch c := byte(i); {
		case c == ' ' || c >= '\t' && c <= '\r':
			all[i] = space
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80:
			all[i] = wordStart | wordPart
		case isDigit(c) || c == '$':
			all[i] = wordPart
		}
	}
	return all
}()
