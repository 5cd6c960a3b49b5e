package sqltext

// A program follows the tokens of a statement that contains others as in SQL/PSM: the CREATE of a
// routine, a trigger, an event or a package, or a block on its own.
//
// A word opens or ends a block only where a statement can begin, because most of these words are
// also names or functions: if(a, b, c), repeat('x', 2), a column named end. Elsewhere CASE is an
// expression, which has an END too.
type program struct {
	part   part
	object string  // the kind of object that CREATE creates
	blocks []block // the open blocks, the innermost last

	block   bool    // a block has ended
	start   bool    // a statement can begin here
	ended   bool    // the last word was END: IF, LOOP or a label after it belongs to it
	routine bool    // in a package: a routine's head is being read; elsewhere: its return type has begun
	handler handler // DECLARE … HANDLER FOR is being read
	angle   bool    // in an Oracle label: <<name>>
	parens  int     // parentheses that are open
	last    string  // the last token
}

// A part is the part of the statement that is being read.
type part uint8

const (
	head      part = iota // before the body
	inside                // blocks are open
	simple                // no blocks, or they have ended: the next semicolon ends the statement
	began                 // BEGIN stood alone: a block, or a transaction
	declaring             // DECLARE stood alone: Oracle's block, or a cursor
)

type block uint8

const (
	beginBlock   block = iota
	ifBlock            // IF, or CASE as a statement
	loopBlock          // LOOP, or WHILE and FOR after their DO
	condBlock          // WHILE or FOR, whose DO is still to come
	repeatBlock        // its UNTIL is followed by END without a semicolon
	caseExpr           // CASE in an expression
	declareBlock       // Oracle's declarations, before BEGIN
	packageBlock
)

// A handler says how far the head of a DECLARE … HANDLER FOR condition, condition has been read.
type handler uint8

const (
	noHandler handler = iota
	wantsCondition
	wantsMore // SQLSTATE or NOT has been read
	hasCondition
)

// begin takes the first word of a statement, and reports whether it can be a block.
func (p *program) begin(w string) bool {
	p.last = w
	switch w {
	case "begin":
		p.part = began
	case "declare":
		p.part = declaring
		p.push(declareBlock)
	case "if", "case", "loop", "while", "repeat", "for":
		p.part = inside
		p.open(w)
	default:
		return false
	}
	return true
}

// create takes the word for the kind of object that CREATE creates.
func (p *program) create(object string) { p.object, p.last = object, object }

// holds reports whether the statement contains others. All of its tokens have been read.
func (p *program) holds() bool { return p.block || p.part == inside }

// ends reports whether a semicolon that comes now would end the statement.
func (p *program) ends() bool { return len(p.blocks) == 0 }

func (p *program) push(b block) { p.blocks = append(p.blocks, b) }

func (p *program) pop() {
	p.blocks = p.blocks[:len(p.blocks)-1]
	if len(p.blocks) == 0 {
		p.part = simple
	}
}

// in reports whether b is the innermost block.
func (p *program) in(b block) bool { return len(p.blocks) > 0 && p.blocks[len(p.blocks)-1] == b }

func (p *program) replace(b block) { p.blocks[len(p.blocks)-1] = b }

// open opens the block that the word begins.
func (p *program) open(w string) {
	p.start = false
	switch w {
	case "begin":
		p.start = true
		switch {
		case p.in(declareBlock):
			p.replace(beginBlock)
		case !p.in(packageBlock): // in a package it begins the initialization, and has no END of its own
			p.push(beginBlock)
		}
	case "declare":
		p.push(declareBlock)
		p.start = true
	case "if", "case":
		p.push(ifBlock)
	case "while", "for":
		p.push(condBlock)
	case "loop":
		p.push(loopBlock)
		p.start = true
	case "repeat":
		p.push(repeatBlock)
		p.start = true
	}
}

// step takes the next token's text, and w, which is the text again if the token is a word, or else
// empty.
func (p *program) step(kind Kind, text, w string, parens int) {
	p.parens = parens
	switch p.part {
	case head:
		p.head(kind, text, w)
	case inside:
		p.inside(kind, text, w)
	case began:
		p.began(kind, text, w)
	case declaring:
		p.declaring(kind, text, w)
	}
	p.last = text
}

// began decides what a BEGIN is by the tokens that follow it.
func (p *program) began(kind Kind, text, w string) {
	switch w {
	case "not":
		return // ATOMIC, or DEFERRABLE
	case "atomic":
		p.part = inside
		p.open("begin")
		return
	case "work", "transaction", "tran", "isolation", "read", "deferred", "immediate", "exclusive", "concurrent", "deferrable":
		p.part = simple
		return
	}
	p.part = inside
	p.open("begin")
	p.inside(kind, text, w)
}

// declaring decides what a DECLARE is by the tokens that follow it.
func (p *program) declaring(kind Kind, text, w string) {
	switch {
	case w == "cursor" && p.last != "declare" || kind == Native || kind == Other && p.last == "declare":
		p.pop()
	case kind == Semicolon || w == "begin":
		p.part, p.start = inside, true
		p.inside(kind, text, w)
	}
}

// head looks for the beginning of the body.
func (p *program) head(kind Kind, text, w string) {
	if p.start {
		p.body(kind, text, w)
		return
	}
	switch p.object {
	case "trigger": // … FOR EACH ROW [FOLLOWS name | PRECEDES name], or BEGIN at once
		p.start = w == "row" && p.last == "each"
		if w == "begin" && !equal(p.last, "on", ".", p.object, "exists") {
			p.start = true
			p.body(kind, text, w)
		}
	case "event":
		p.start = w == "do"
	case "package":
		if w == "as" || w == "is" {
			p.part, p.start = inside, true
			p.push(packageBlock)
		}
	default:
		p.routineHead(kind, text, w)
	}
}

// body takes the first token of a body, or a token that may come before it.
func (p *program) body(kind Kind, text, w string) {
	switch {
	case p.last == "follows" || p.last == "precedes" || w == "follows" || w == "precedes":
		return
	case w == "declare": // Oracle's block
		p.part = inside
		p.open(w)
	case text == ":" || kind == Name || w != "" && !opens(w) && !isVerb(w):
		return // a label
	case opens(w):
		p.part = inside
		p.inside(kind, text, w)
	default:
		p.part = simple
	}
}

// routineHead reads the tokens between the parameters of a routine and its body.
func (p *program) routineHead(kind Kind, text, w string) {
	switch {
	case p.parens > 0:
	case w == "as" || w == "is":
		p.part, p.start, p.routine = inside, true, false
		p.push(declareBlock)
	case p.last == p.object || p.last == "." || p.last == "exists" || p.last == "character" || p.last == "returns":
		// A name, or IF NOT EXISTS; CHARACTER SET; a type.
	case w == "returns" || w == "return" && p.object == "function" && !p.routine:
		p.routine = true // its RETURN is a statement from now on
	case opens(w):
		p.part, p.start, p.routine = inside, true, false
		p.inside(kind, text, w)
	case isVerb(w):
		p.part = simple
	}
}

// opens reports whether a block can begin with the word.
func opens(w string) bool {
	return equal(w, "begin", "if", "case", "loop", "while", "repeat", "for")
}

// isVerb reports whether a routine can consist of a statement that begins with the word.
func isVerb(w string) bool {
	return equal(w, "select", "insert", "update", "delete", "replace", "set", "call", "return", "do", "with", "values", "table",
		"load", "truncate", "create", "drop", "alter", "analyze", "optimize", "signal", "resignal", "execute", "prepare", "kill",
		"lock", "rename", "grant", "revoke", "flush", "show")
}

// inside reads the tokens in blocks.
func (p *program) inside(kind Kind, text, w string) {
	start, ended := p.start, p.ended
	p.start, p.ended = false, false
	switch {
	case start && kind == Literal && p.in(declareBlock): // AS 'the body is in this'
		p.pop()
	case p.angle || start && text == "<":
		p.angle = text != ">" || p.last != ">"
		p.start = true
	case kind == Semicolon:
		p.start, p.handler, p.routine = true, noHandler, p.routine && p.parens > 0
	case p.handler != noHandler && !p.handles(kind, text, w):
	case text == ":" && !p.in(caseExpr):
		p.start = true // after a label
	case p.last == "." || p.last == "as" && !start: // a name
	case w == "":
	case w == "end":
		if start || p.in(caseExpr) || p.in(repeatBlock) {
			p.ended = !p.in(caseExpr)
			p.block = p.block || p.ended
			p.pop()
		}
	case ended:
	case p.handler == hasCondition:
		p.handler = noHandler
		if opens(w) {
			p.open(w)
		}
	case start && (w == "procedure" || w == "function") && (p.in(packageBlock) || p.in(declareBlock)):
		p.routine = true
	case p.routine && (w == "as" || w == "is") && p.parens == 0:
		p.routine = false
		p.push(declareBlock)
		p.start = true
	case start && opens(w):
		p.open(w)
	case w == "case":
		p.push(caseExpr)
	case w == "then" || w == "else":
		p.start = !p.in(caseExpr)
	case (w == "do" || w == "loop") && p.in(condBlock):
		p.replace(loopBlock)
		p.start = true
	case w == "for" && p.last == "handler":
		p.handler = wantsCondition
	case start && w == "not" || w == "atomic" && p.last == "not":
		p.start = true // BEGIN NOT ATOMIC
	}
}

// handles reads the conditions of a handler. It reports whether the token is the first of the
// handler's statement.
func (p *program) handles(kind Kind, text, w string) bool {
	switch p.handler {
	case wantsCondition:
		p.handler = hasCondition
		if w == "sqlstate" || w == "not" {
			p.handler = wantsMore
		}
	case wantsMore:
		if w != "value" {
			p.handler = hasCondition
		}
	default:
		if text != "," {
			return true
		}
		p.handler = wantsCondition
	}
	return false
}
