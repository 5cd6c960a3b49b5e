package sqltext

// A Language is the SQL of one database: how it is written, and what its statements do. A Language
// that another package makes knows only that a statement may write. Any number of goroutines may
// use one at once.
type Language struct {
	Rules
	classes classes
}

// classes names a database's list of statements. It isn't a function, because the arguments of a
// function value would be allocated.
type classes uint8

const (
	noClasses classes = iota
	postgresClasses
	sqliteClasses
	mysqlClasses
)

// Effects is the set of things that a statement may do. It errs on the safe side where the text
// doesn't tell, except for the functions and procedures that aren't the database's own.
type Effects uint32

const (
	// ReturnsRows: the statement returns rows, though there may be none.
	ReturnsRows Effects = 1 << iota
	// Writes: the statement may change the database.
	Writes
	// CountsRows: the server counts the rows that it changes.
	CountsRows
	// MakesKey: it may insert a row whose key the server generates and reports.
	MakesKey
	// Keepable: preparing it once and keeping it is worthwhile.
	Keepable
	// Varies: the next execution of the same text can return other columns without the server
	// noticing: FETCH, EXECUTE, SHOW, EXPLAIN. The description of its result must not be kept.
	Varies
	// LeavesState: it leaves something on the connection that affects later statements, or it deals
	// with such a thing: a setting, a temporary table, a prepared statement, a cursor, a lock.
	LeavesState
	// Sticks: what it leaves stays as long as the connection, because no other statement removes
	// it: LOAD, setseed.
	Sticks
	// ControlsTx: it begins, ends or marks a transaction.
	ControlsTx
	// ForTx: it affects the transaction that it is executed in, and does nothing without one: SET
	// LOCAL.
	ForTx
	// EndsTx: the server implicitly commits the transaction that it is executed in.
	EndsTx
	// Commits: its purpose is to commit, or to prepare, the transaction that it is executed in.
	Commits
	// CommitsItself: it commits its own changes, perhaps midway: CALL, VACUUM. An error during or
	// after it doesn't undo them, so it must not be repeated.
	CommitsItself
	// RunsCode: it runs code that the text doesn't show, or shows as a literal: CALL, DO. So it may
	// do more than its other effects say.
	RunsCode
	// Redefines: after it, or until its transaction ends, texts may mean something else. That
	// includes texts that were prepared before, and the server doesn't notice: SET search_path, SET
	// TIME ZONE, CREATE.
	Redefines
	// CopiesIn: the client then sends data, in a protocol of its own.
	CopiesIn
	// CopiesOut: the server then sends data, in a protocol of its own.
	CopiesOut
	// Sets: it changes a setting, if only for its transaction: SET, RESET, SET LOCAL, set_config.
	// Classify finds this only for PostgreSQL.
	Sets
	// CallsCode: it calls a function that isn't known to only compute: one that isn't the
	// database's own, or one like pg_advisory_xact_lock. So it may do more than its other effects
	// say. Calls that the text doesn't show, such as those in a view, don't count. Classify finds
	// this only for PostgreSQL.
	CallsCode
	// OnlyState: its only purpose is what it leaves on the connection or does to its transaction.
	// So it has no effect if the caller keeps neither.
	OnlyState
)

// Any reports whether e has one of the effects in of.
func (e Effects) Any(of Effects) bool { return e&of != 0 }

// Pipelines reports whether a statement with these effects may share a connection with the
// statements of other callers.
func (e Effects) Pipelines() bool {
	return !e.Any(LeavesState | ControlsTx | ForTx | CopiesIn | CopiesOut)
}

// A Verdict says what [Language.Classify] knows about a statement.
type Verdict struct {
	Effects Effects
	// Cause names, for messages, the part of the statement that keeps it from pipelining: "SET
	// LOCAL", "CREATE TEMP", "pg_advisory_lock". It is empty if the statement pipelines.
	Cause string
	// Returning is the position in the text at which the statement's RETURNING clause begins, or 0
	// if it has none.
	Returning int
}

// Classify returns what is known about st, a statement of text that [Rules.Statements] found.
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

// add adds the effects of another part of the statement.
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
