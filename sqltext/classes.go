package sqltext

// Language is the SQL of one database: how it is written, and what its statements do. One that
// isn't among those of this package knows only that a statement may write.
type Language struct {
	Rules
	classes classes
}

// classes is a database's list of statements. It is no function, so that what is passed to one
// needs no memory.
type classes uint8

const (
	noClasses classes = iota
	postgresClasses
	sqliteClasses
	mysqlClasses
)

// Effects is what a statement may do, as a set. What can't be told from the text errs on the safe
// side, but for what functions and procedures do that aren't the database's own.
type Effects uint32

const (
	// ReturnsRows: it returns rows, though there may be none.
	ReturnsRows Effects = 1 << iota
	// Writes: it may change the database.
	Writes
	// CountsRows: the server counts the rows that it changes.
	CountsRows
	// MakesKey: it may insert a row whose key the server makes, and tells.
	MakesKey
	// Keepable: it is worth preparing once and keeping.
	Keepable
	// Varies: the same text can have a result of other columns the next time it is executed, and
	// the server doesn't notice: FETCH, EXECUTE, SHOW, EXPLAIN. Its description must not be kept.
	Varies
	// LeavesState: it leaves something on the connection that later statements meet there, or is
	// about such a thing: a setting, a temporary table, a prepared statement, a cursor, a lock.
	LeavesState
	// Sticks: what it leaves stays as long as the connection, since no other statement takes it
	// away: LOAD, setseed.
	Sticks
	// ControlsTx: it begins, ends or marks a transaction.
	ControlsTx
	// ForTx: it is about the transaction that it is executed in, and does nothing without
	// one: SET LOCAL.
	ForTx
	// EndsTx: the server commits the transaction that it is executed in, unasked.
	EndsTx
	// Commits: it commits the transaction that it is executed in, as its purpose, or prepares it.
	Commits
	// CommitsItself: it commits what it does by itself, maybe midway: CALL, VACUUM. An error after
	// it, or within it, doesn't undo that, so it must not be repeated.
	CommitsItself
	// RunsCode: it runs code that the text doesn't show, or shows as a literal: CALL, DO. So it may
	// do more than is said of it.
	RunsCode
	// Redefines: texts may mean something else after it, or until the end of its transaction, also
	// where they were prepared before and the server doesn't notice: SET search_path, SET TIME
	// ZONE, CREATE.
	Redefines
	// CopiesIn: data follow it from the client, by a protocol of their own.
	CopiesIn
	// CopiesOut: data come to the client, by a protocol of their own.
	CopiesOut
	// OnlyState: what it leaves on the connection, or does to its transaction, is all that it is
	// for. So it does nothing where neither is kept.
	OnlyState
)

// Any reports whether e has one of those effects.
func (e Effects) Any(of Effects) bool { return e&of != 0 }

// Pipelines reports whether a statement with these effects may share a connection with those of
// other callers.
func (e Effects) Pipelines() bool {
	return !e.Any(LeavesState | ControlsTx | ForTx | CopiesIn | CopiesOut)
}

// Verdict is what is known of a statement.
type Verdict struct {
	Effects Effects
	// Cause is what makes the statement one that doesn't pipeline, for messages: "SET LOCAL",
	// "CREATE TEMP", "pg_advisory_lock". It is empty if the statement does.
	Cause string
	// Returning is where the keyword of its RETURNING clause begins, 0 if it has none.
	Returning int
}

// Classify says what the statement st of text does.
func (l *Language) Classify(text string, st Statement) Verdict {
	r := reader{rules: &l.Rules, text: text, pos: st.Start, end: st.End}
	r.next()
	var v Verdict
	switch l.classes {
	case postgresClasses:
		v = postgres(&r)
	case sqliteClasses:
		v = sqlite(&r, st)
	case mysqlClasses:
		v = mysql(&r, st)
	default:
		v.Effects = Writes
	}
	if l.onlyState(text, st, v) {
		v.Effects |= OnlyState
	}
	if v.Cause == "" && !v.Effects.Pipelines() {
		v.Cause = upper(st.Verb)
	}
	return v
}

// add adds what another part of the statement does.
func (v *Verdict) add(effects Effects, cause string) {
	if v.Cause == "" {
		v.Cause = cause
	}
	v.Effects |= effects
}

func upper(word string) string {
	b := []byte(word)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}
