package sqltext

import "strings"

// A reader reads the tokens of a statement, except the blank ones.
type reader struct {
	rules *Rules
	text  string
	end   int // of the statement
	pos   int // after the token
	kind  Kind
	tok   string // the token's text; "" after the last one
	start int    // where it begins
	depth int    // the parentheses that are open, the token itself included

	before [3]seen // the tokens before, last one first
}

type seen struct {
	kind Kind
	tok  string
}

// next goes to the next token.
func (r *reader) next() {
	r.before[2], r.before[1], r.before[0] = r.before[1], r.before[0], seen{r.kind, r.tok}
	if r.kind == Close && r.depth > 0 {
		r.depth--
	}
	for {
		t := r.rules.Next(r.text, r.pos)
		if t.Start >= r.end || t.Kind == End {
			r.kind, r.tok = End, ""
			return
		}
		r.pos = t.End
		if t.Kind.Blank() {
			continue
		}
		r.start, r.kind, r.tok = t.Start, t.Kind, r.text[t.Start:t.End]
		if t.Kind == Open {
			r.depth++
		}
		return
	}
}

// is reports whether the token is one of the words, which are in lower case.
func (r *reader) is(words ...string) bool { return r.kind == Word && equal(r.tok, words...) }

// skip goes to the next token if the token is one of the words, and reports whether it was.
func (r *reader) skip(words ...string) bool {
	if !r.is(words...) {
		return false
	}
	r.next()
	return true
}

// after reports whether the token before was one of the words.
func (r *reader) after(words ...string) bool { return r.before[0].is(words...) }

func (s seen) is(words ...string) bool { return s.kind == Word && equal(s.tok, words...) }

// peek returns a copy of the reader that is one token ahead.
func (r *reader) peek() reader {
	ahead := *r
	ahead.next()
	return ahead
}

// nextIs reports whether the next token is one of the words, and nextTok returns its text.
func (r *reader) nextIs(words ...string) bool {
	ahead := r.peek()
	return ahead.is(words...)
}

func (r *reader) nextTok() string {
	ahead := r.peek()
	return ahead.tok
}

// name returns the name that the token is, or "" if it isn't a name.
func (r *reader) name() string { return nameOf(r.kind, r.tok) }

// nameOf returns a name as the server reads it: without quotes, or in lower case if it has none. A
// literal counts as a name, because some databases accept one as a name.
func nameOf(kind Kind, tok string) string {
	switch kind {
	case Word:
		return lower(tok)
	case Name, Literal:
		if tok[0] == 'U' || tok[0] == 'u' {
			return unicodeName(tok[2:])
		}
		return unquote(tok)
	}
	return ""
}

// unquote returns the text between quotes, with doubled quotes replaced by single ones.
func unquote(name string) string {
	open, quote := name[:1], name[:1]
	if open == "[" {
		quote = "]"
	}
	name = strings.TrimSuffix(name[1:], quote)
	if open != "[" && strings.Contains(name, quote) {
		name = strings.ReplaceAll(name, quote+quote, quote)
	}
	return name
}

// unicodeName returns the name that follows U&, in which \XXXX and \+XXXXXX are characters.
func unicodeName(quoted string) string {
	name := unquote(quoted)
	if !strings.Contains(name, `\`) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		from, digits := i+1, 4
		switch {
		case name[i] != '\\':
			b.WriteByte(name[i])
			continue
		case follows(name, from, '\\'):
			b.WriteByte('\\')
			i++
			continue
		case follows(name, from, '+'):
			from, digits = from+1, 6
		}
		var c rune
		for _, d := range []byte(name[min(from, len(name)):min(from+digits, len(name))]) {
			c = c<<4 | hex(d)
		}
		b.WriteRune(c)
		i = from + digits - 1
	}
	return b.String()
}

func hex(d byte) rune {
	switch {
	case isDigit(d):
		return rune(d - '0')
	case d >= 'a' && d <= 'f':
		return rune(d - 'a' + 10)
	case d >= 'A' && d <= 'F':
		return rune(d - 'A' + 10)
	}
	return 0
}

// called returns the name of the function whose argument list the token opens, and the schema in
// front of it, if there is one. ok is false if the token opens no call.
func (r *reader) called() (schema, name seen, ok bool) {
	name = r.before[0]
	switch {
	case r.kind != Open || name.kind != Word && name.kind != Name:
	case r.before[1].tok == ".":
		return r.before[2], name, true
	case !r.before[1].is("into", "table", "exists", "references", "copy"): // a table and its columns
		return seen{}, name, true
	}
	return seen{}, seen{}, false
}

// A function says which of its calls leave something on the connection.
type function struct {
	extension bool   // the function can be in any schema
	arg       int    // the number of the argument that decides, from 1; 0: every call leaves something
	name      string // the name of that argument
	harmless  bool   // the value with which the call leaves nothing; the default is false
	sticks    bool   // what the call leaves stays as long as the connection
}

// leaves adds what a call leaves on the connection, if the token opens its argument list, and
// reports whether it found any. schema is the schema of the database's own functions.
func (v *Verdict) leaves(r *reader, functions map[string]function, schema string) (found bool) {
	qualifier, name, ok := r.called()
	if !ok {
		return false
	}
	f, ok := lookUp(functions, name)
	if !ok || !f.extension && !qualifier.means("", schema) {
		return false
	}
	if f.arg > 0 {
		value, seen := r.argument(f.arg, f.name)
		if seen && value == f.harmless {
			return false
		}
	}
	v.add(LeavesState, nameOf(name.kind, name.tok))
	if f.sticks {
		v.Effects |= Sticks
	}
	return true
}

// means reports whether the token is one of the names. Without a token, the name is "".
func (s seen) means(names ...string) bool {
	name := nameOf(s.kind, s.tok)
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// lookUp looks up a name without allocating.
func lookUp[F any](functions map[string]F, name seen) (f F, ok bool) {
	if name.kind != Word {
		f, ok = functions[nameOf(name.kind, name.tok)]
		return f, ok
	}
	var room [40]byte // no name in the maps is longer
	if len(name.tok) > len(room) {
		return f, false
	}
	for i := range len(name.tok) {
		c := name.tok[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		room[i] = c
	}
	f, ok = functions[string(room[:len(name.tok)])]
	return f, ok
}

// argument returns the value of the n-th argument, or of the argument with that name, of the call
// whose argument list the token opens. seen is true if the argument is a constant or is missing.
func (r *reader) argument(n int, name string) (value, seen bool) {
	a := *r
	if !a.toArgument(n, name) {
		return false, true
	}
	return a.truth()
}

// constant returns the text of an argument that is a literal and nothing more. It finds the
// argument as argument does.
func (r *reader) constant(n int, name string) (text string, ok bool) {
	a := *r
	if !a.toArgument(n, name) || a.kind != Literal || a.nextTok() != "," && a.nextTok() != ")" {
		return "", false
	}
	in := a.inside()
	return in.text[in.pos:in.end], true
}

// toArgument goes from a call's opening parenthesis to the n-th argument, or to the argument with
// that name, and reports whether it is there.
func (r *reader) toArgument(n int, name string) bool {
	depth := r.depth
	for i := 1; ; i++ {
		r.next()
		wanted := r.is(name)
		named := r.kind == Word && r.skipNaming()
		if (named && wanted || !named && i == n) && r.kind != Close {
			return true
		}
		for r.kind != End && !(r.depth == depth && (r.tok == "," || r.kind == Close)) {
			r.next()
		}
		if r.tok != "," {
			return false
		}
	}
}

// skipNaming goes to the value if the token is an argument's name before := or =>, and reports
// whether it is.
func (r *reader) skipNaming() bool {
	a := r.peek()
	if a.tok == "=" && a.nextTok() == ">" {
		a.next()
	} else if a.tok != ":=" {
		return false
	}
	a.next()
	*r = a
	return true
}

// truth returns the value of a Boolean constant. seen is true if the constant, with or without a
// cast, is the whole argument.
func (r *reader) truth() (value, seen bool) {
	t := lower(r.tok)
	if r.kind == Literal {
		t = strings.ToLower(strings.TrimSpace(unquote(r.tok)))
	} else if r.kind != Word && r.kind != Number {
		return false, false
	}
	switch t {
	case "true", "t", "yes", "y", "on", "1":
		value = true
	case "false", "f", "no", "n", "off", "0":
	default:
		return false, false
	}
	next := r.peek()
	if next.tok == "::" {
		next.next()
		next = next.peek()
	}
	return value, next.tok == "," || next.kind == Close
}
