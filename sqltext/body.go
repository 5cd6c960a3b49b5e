package sqltext

// A body follows the tokens of one statement, except white space and comments, and reports whether
// a semicolon ends it. Which statements contain others depends on the database:
//
//	AtomicBodies   CREATE FUNCTION or PROCEDURE … BEGIN ATOMIC …; END
//	TriggerBodies  CREATE TRIGGER … BEGIN …; END
//	ProgramBodies  see program
type body struct {
	rules *Rules
	count int // tokens so far
	stage stage
	block bool   // AtomicBodies: the statement has a body
	depth int    // how many blocks of the body are open
	last  string // the last token, in lower case if it is a word
	prior string // the token before last

	program program
}

// A stage says how much is known about the statement.
type stage uint8

const (
	undecided stage = iota // the words so far can begin a statement with a body
	plain                  // the statement has no body
	trigger                // SQLite's: it ends with "; END ;"
	atomic                 // PostgreSQL's routine
	inProgram              // program reads the rest
)

// holds reports whether the statement contains others. All of its tokens have been read.
func (b *body) holds() bool {
	return b.stage == trigger || b.stage == atomic && b.block || b.stage == inProgram && b.program.holds()
}

// ends reports whether a semicolon that comes now would end the statement.
func (b *body) ends() bool {
	switch b.stage {
	case trigger:
		return b.last == "end" && b.prior == ";"
	case atomic:
		return b.depth == 0
	case inProgram:
		return b.program.ends()
	}
	return true
}

// step takes the next token's text, and w, which is the text again if the token is a word, or else
// empty. parens is the number of parentheses that are open after it.
func (b *body) step(kind Kind, text, w string, parens int) {
	if b.stage == plain {
		return
	}
	if w != "" {
		w = lower(w)
		text = w
	}
	b.count++
	switch b.stage {
	case undecided:
		b.decide(kind, w)
	case atomic:
		b.atomic(w, parens)
	case inProgram:
		b.program.step(kind, text, w, parens)
	}
	b.prior, b.last = b.last, text
}

// decide looks at the words that begin a statement.
func (b *body) decide(kind Kind, w string) {
	if b.count == 1 {
		switch w {
		case "create", "alter":
			return
		case "explain":
			if b.rules.Bodies != TriggerBodies {
				b.stage = plain
			}
			return
		}
		if b.rules.Bodies == ProgramBodies && b.program.begin(w) {
			b.stage = inProgram
			return
		}
		b.stage = plain
		return
	}
	switch b.rules.Bodies {
	case TriggerBodies:
		switch w {
		case "query", "plan", "create", "temp", "temporary":
		case "trigger":
			b.stage = trigger
		default:
			b.stage = plain
		}
	case AtomicBodies:
		switch w {
		case "or", "replace":
		case "function", "procedure":
			b.stage = atomic
		default:
			b.stage = plain
		}
	default:
		switch w {
		case "trigger", "procedure", "function", "event", "package":
			b.program.create(w)
			b.stage = inProgram
		case "table", "view", "index", "virtual", "schema", "database", "type", "sequence", "user", "role", "server":
			b.stage = plain
		}
		// OR REPLACE, DEFINER = name and the like come between CREATE and these words.
		if kind == Open && b.last != "current_user" {
			b.stage = plain
		}
	}
}

// atomic counts the blocks of PostgreSQL's routines. Words in parentheses belong to an expression.
func (b *body) atomic(w string, parens int) {
	switch {
	case parens > 0 || b.last == "." || b.last == "as":
	case w == "atomic" && b.last == "begin" && b.depth == 0:
		b.block, b.depth = true, 1
	case b.depth == 0:
	case w == "case":
		b.depth++
	case w == "end":
		b.depth--
	}
}
