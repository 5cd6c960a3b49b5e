package sqltext

import "strings"

// postgresBlock looks for what a DO leaves on the connection. The code of the DO is a literal in
// PL/pgSQL. postgresBlock doesn't see what that code executes without naming it in the text.
func (v *Verdict) postgresBlock(r *reader) {
	var body reader
	for r.next(); r.kind != End; r.next() {
		switch {
		case r.after("language"):
			if name := (seen{r.kind, r.tok}); !name.means("plpgsql") {
				return
			}
		case r.kind == Literal:
			body = r.inside()
		}
	}
	if body.rules != nil {
		v.plpgsql(&body)
	}
}

// inside returns a reader for the contents of the literal that the reader is at.
func (r *reader) inside() reader {
	in := reader{rules: r.rules, text: r.text, pos: r.start, end: r.pos}
	if tag := r.rules.dollarTag(r.text, r.start); tag != "" {
		in.pos += len(tag)
		in.end -= len(tag)
		return in
	}
	in.text = unquote(strings.TrimLeft(r.tok, "eEuU&"))
	in.pos, in.end = 0, len(in.text)
	return in
}

// plpgsql looks at all calls, and at the statements that also exist in SQL.
func (v *Verdict) plpgsql(r *reader) {
	begins := false // a statement begins here
	for r.next(); r.kind != End; r.next() {
		switch {
		case r.kind == Open:
			v.postgresCall(r)
		case begins && r.kind == Word:
			v.plpgsqlStatement(*r)
		}
		begins = r.kind == Semicolon || r.is("begin", "then", "else", "loop")
	}
}

// plpgsqlStatement looks at a statement other than a query. A query leaves something only through
// the functions that it calls.
func (v *Verdict) plpgsqlStatement(r reader) {
	r.depth = 0
	ends, drops := r, false
	for ; ends.kind != End && (ends.kind != Semicolon || ends.depth > 0); ends.next() {
		drops = drops || ends.is("drop") && ends.after("commit") // the temporary table then ends with the transaction
	}
	r.end = ends.pos
	if ends.kind == Semicolon {
		r.end = ends.start
	}
	switch {
	case r.is("set", "reset", "load", "listen", "prepare"), r.is("create") && !drops:
		verb := r.tok
		v.inBlock(postgres(&r), verb)
	case r.is("execute"):
		if r.next(); r.kind == Literal {
			in := r.inside()
			text := in.text[in.pos:in.end]
			for st := range PostgreSQL.Statements(text) {
				v.inBlock(PostgreSQL.Classify(text, st), st.Verb)
			}
		}
	}
}

// inBlock adds what a statement in a block leaves behind. A statement that only removes something
// affects the connection too, but leaves nothing there.
func (v *Verdict) inBlock(inner Verdict, verb string) {
	if equal(verb, "reset", "discard", "deallocate", "unlisten", "close", "fetch", "move") {
		v.Effects |= inner.Effects & Redefines
		return
	}
	if !inner.Effects.Any(LeavesState) {
		return
	}
	if inner.Cause == "" {
		inner.Cause = upper(verb)
	}
	v.add(inner.Effects&(LeavesState|Sticks|Redefines), inner.Cause+" in DO")
}
