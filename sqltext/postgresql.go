package sqltext

import "strings"

// PostgreSQL is the SQL of PostgreSQL, with standard_conforming_strings.
var PostgreSQL = &Language{
	Rules: Rules{NestedComments: true, CarriageReturns: true, EscapeStrings: true, UnicodeStrings: true, DollarQuotes: true,
		Natives: "$", Bodies: AtomicBodies},
	classes: postgresClasses,
}

// postgresVerbs holds the effects of statements that begin with these words; postgres refines some
// of them. All other statements may write.
var postgresVerbs = map[string]Effects{
	"select": ReturnsRows | Keepable, "values": ReturnsRows | Keepable, "table": ReturnsRows | Keepable,
	"insert": Writes | CountsRows | Keepable, "update": Writes | CountsRows | Keepable,
	"delete": Writes | CountsRows | Keepable, "merge": Writes | CountsRows | Keepable,
	"show": ReturnsRows | Varies, "explain": ReturnsRows | Varies,

	"begin": ControlsTx, "start": ControlsTx, "commit": ControlsTx | Commits, "end": ControlsTx | Commits, "rollback": ControlsTx,
	"abort": ControlsTx, "savepoint": ControlsTx, "release": ControlsTx,

	"set": LeavesState | Sets, "reset": LeavesState | Sets, "discard": LeavesState | Sets, "load": LeavesState | Sticks,
	"listen": LeavesState, "unlisten": LeavesState, "deallocate": LeavesState,
	"prepare": LeavesState | Writes, "execute": LeavesState | Writes | ReturnsRows | Varies,
	"declare": LeavesState, "close": LeavesState, "fetch": LeavesState | ReturnsRows | Varies, "move": LeavesState | Varies,

	// The server refuses a prepared CALL whose result has changed.
	"call": Writes | CommitsItself | RunsCode, "do": Writes | CommitsItself | RunsCode,
	"vacuum": Writes | CommitsItself, "reindex": Writes | CommitsItself, "cluster": Writes | CommitsItself, "analyze": Writes | CommitsItself,
	"create": Writes | Redefines, "alter": Writes | Redefines, "drop": Writes | Redefines,
	"copy": Writes | CountsRows,
}

// postgresFunctions are the functions that leave something on the connection. Functions that only
// look at it, or remove what was left, aren't listed.
var postgresFunctions = map[string]function{
	"set_config":                          {arg: 3, name: "is_local", harmless: true},
	"pg_advisory_lock":                    {},
	"pg_advisory_lock_shared":             {},
	"pg_try_advisory_lock":                {},
	"pg_try_advisory_lock_shared":         {},
	"setseed":                             {sticks: true},
	"pg_backup_start":                     {sticks: true},
	"pg_start_backup":                     {sticks: true},
	"pg_replication_origin_session_setup": {sticks: true},
	"pg_create_logical_replication_slot":  {arg: 3, name: "temporary", sticks: true},
	"pg_create_physical_replication_slot": {arg: 3, name: "temporary", sticks: true},
	"dblink_connect":                      {extension: true, sticks: true},
	"dblink_connect_u":                    {extension: true, sticks: true},
	"dblink_open":                         {extension: true, sticks: true},
	"set_limit":                           {extension: true},
}

func postgres(r *reader) Verdict {
	for r.kind == Open {
		r.next()
	}
	if r.kind != Word {
		return Verdict{Effects: Writes}
	}
	verb := lower(r.tok)
	effects, ok := postgresVerbs[verb]
	if !ok {
		effects = Writes
	}
	v := Verdict{Effects: effects}
	switch verb {
	case "select", "values", "table", "insert", "update", "delete", "merge", "with":
		return postgresQuery(r, verb)
	case "explain":
		r.next()
		if r.explained() {
			inner := postgres(r)
			v.add(inner.Effects&(Writes|LeavesState|Sticks|Redefines|Sets|CallsCode), inner.Cause)
		}
	case "create":
		v.postgresCreate(r)
	case "drop", "alter":
		r.next()
		table := verb == "alter" && r.is("table")
		for own := r.commitsItself(); r.kind != End; r.next() {
			if own || r.is("concurrently") {
				v.Effects |= CommitsItself
			}
			if table { // the server executes USING and DEFAULT for its rows
				v.postgresCall(r)
			}
		}
	case "set", "reset":
		v.postgresSet(r, verb)
	case "prepare":
		if r.next(); r.is("transaction") {
			return Verdict{Effects: ControlsTx | Commits, Cause: "PREPARE TRANSACTION"}
		}
	case "commit", "rollback":
		if r.next(); r.is("prepared") { // it is a statement of its own, for any connection
			return Verdict{Effects: Writes | CommitsItself}
		}
	case "copy":
		v.postgresCopy(r)
	case "call":
		v.postgresCalls(r)
	case "do":
		v.postgresBlock(r)
	}
	return v
}

// postgresQuery classifies a query, or a statement that changes rows.
func postgresQuery(r *reader, verb string) Verdict {
	var v Verdict
	main, with, into, writes := verb, verb == "with", false, false
	depth := r.depth
	for ; r.kind != End; r.next() {
		switch {
		case r.kind == Open:
			v.postgresCall(r)
		case r.kind != Word:
		case with && main == "with" && r.depth == depth && isMainVerb(r.tok):
			main = lower(r.tok)
		case r.is("insert", "update", "delete", "merge"):
			// A part of WITH: AS (INSERT …
			writes = writes || with && r.before[0].kind == Open && r.before[1].is("as", "materialized")
			if r.is("update") && r.settings() {
				v.add(LeavesState|Redefines|Sets, "UPDATE pg_settings")
			}
		case r.is("into") && !r.after("insert", "merge"):
			into = true
			v.Effects |= Redefines
			if r.temporaryTarget() {
				v.add(LeavesState, "INTO TEMP")
			}
		case r.is("returning"):
			v.Returning = r.start
		}
	}
	v.Effects |= postgresVerbs[main]
	if main == "with" {
		v.Effects |= Writes
	}
	if into || writes {
		v.Effects |= Writes | CountsRows
	}
	if v.Returning > 0 {
		v.Effects |= ReturnsRows
	}
	return v
}

// settings reports whether the UPDATE that the reader is at updates pg_settings, a view with a rule
// that changes settings.
func (r *reader) settings() bool {
	a := r.peek()
	a.skip("only")
	if a.is("pg_catalog") && a.nextTok() == "." {
		a.next()
		a.next()
	}
	return a.kind != Literal && seen{a.kind, a.tok}.means("pg_settings")
}

// temporaryTarget reports whether the table after SELECT … INTO, which the reader is at, is
// temporary. A table can be named temp.
func (r *reader) temporaryTarget() bool {
	a := r.peek()
	a.skip("local", "global")
	if a.is("temp", "temporary") {
		a.next()
		return a.kind == Name || a.kind == Word && !a.is("from", "where", "group", "having", "window", "union", "intersect",
			"except", "order", "limit", "offset", "fetch", "for")
	}
	a.skip("unlogged")
	a.skip("table")
	return a.inTempSchema()
}

// inTempSchema reports whether the token names the schema of temporary tables, before a dot.
func (r *reader) inTempSchema() bool {
	if r.kind != Word && r.kind != Name || r.nextTok() != "." {
		return false
	}
	name, ok := strings.CutPrefix(r.name(), "pg_temp")
	if ok && name != "" {
		name, ok = strings.CutPrefix(name, "_")
		ok = ok && strings.Trim(name, "0123456789") == ""
	}
	return ok
}

// postgresCall looks at the call whose opening parenthesis the reader is at.
func (v *Verdict) postgresCall(r *reader) {
	v.leaves(r, postgresFunctions, "pg_catalog")
	schema, name, ok := r.called()
	if !ok {
		return
	}
	own := schema.means("", "pg_catalog")
	if own && name.means("set_config") { // also for the transaction
		v.Effects |= Sets
		if setting, constant := r.constant(1, "setting_name"); !constant || redefines(strings.ToLower(setting)) {
			v.Effects |= Redefines
		}
	}
	if r.before[1].is("as") {
		return // an alias and its columns
	}
	if _, computes := lookUp(postgresComputes, name); !own || !computes {
		v.Effects |= CallsCode
	}
}

// postgresCalls looks at all calls in the rest of the statement.
func (v *Verdict) postgresCalls(r *reader) {
	for ; r.kind != End; r.next() {
		v.postgresCall(r)
	}
}

// explained reads the options of EXPLAIN, and reports whether the server executes the statement
// after them.
func (r *reader) explained() (analyzed bool) {
	if r.kind == Open && !r.nextIs("select", "with", "values", "table") && r.peek().kind != Open {
		depth := r.depth
		for r.next(); r.kind != End && r.depth >= depth; r.next() {
			if r.is("analyze", "analyse") && (r.before[0].kind == Open || r.before[0].tok == ",") {
				a := r.peek()
				value, seen := a.truth()
				analyzed = value || !seen
			}
		}
		return analyzed
	}
	for r.is("analyze", "analyse", "verbose") {
		analyzed = analyzed || !r.is("verbose")
		r.next()
	}
	return analyzed
}

// postgresCreate classifies a CREATE by the words before its parentheses or body, and by what it
// executes at once.
func (v *Verdict) postgresCreate(r *reader) {
	for r.next(); r.is("or", "replace", "local", "global"); {
		r.next()
	}
	if r.is("temp", "temporary") {
		v.add(LeavesState, "CREATE TEMP")
	}
	executes := r.is("temp", "temporary", "unlogged", "table", "materialized")
	if r.commitsItself() {
		v.Effects |= CommitsItself
	}
	for ; r.kind != End && r.kind != Open && !r.is("as"); r.next() {
		if r.inTempSchema() {
			v.add(LeavesState, "CREATE in pg_temp")
		}
		if r.is("concurrently") {
			v.Effects |= CommitsItself
		}
	}
	if executes {
		v.postgresCalls(r)
	}
}

// commitsItself reports whether the token names something that PostgreSQL creates, drops and alters
// only outside transactions, with commits of its own.
func (r *reader) commitsItself() bool {
	return r.is("database", "tablespace", "subscription", "system")
}

func (v *Verdict) postgresSet(r *reader, verb string) {
	switch r.next(); {
	case verb == "reset":
	case r.is("local"):
		*v = Verdict{Effects: ForTx | Sets, Cause: "SET LOCAL"}
		r.next()
	case r.is("constraints"):
		*v = Verdict{Effects: ForTx, Cause: "SET CONSTRAINTS"}
		return
	case r.is("transaction"):
		*v = Verdict{Effects: ControlsTx, Cause: "SET TRANSACTION"}
		return
	case r.is("session") && r.nextIs("characteristics"):
		v.add(ControlsTx, "SET SESSION CHARACTERISTICS")
		return
	case r.is("session") && !r.nextIs("authorization"):
		r.next()
	}
	if r.nextTok() != "." && redefines(r.name()) {
		v.Effects |= Redefines
	}
}

// redefines reports whether a setting can change the meaning of a text that was prepared before.
// Most settings can: a prepared text may already contain values that depended on the time zone or
// on the format of values. Settings with a dot in their names belong to extensions and
// applications, and are read when a text is executed.
func redefines(setting string) bool {
	switch setting {
	case "work_mem", "maintenance_work_mem", "hash_mem_multiplier", "temp_buffers", "synchronous_commit", "client_min_messages",
		"application_name", "plan_cache_mode", "jit":
		return false
	}
	return !strings.HasSuffix(setting, "_timeout") && !strings.HasPrefix(setting, "enable_") && !strings.HasPrefix(setting, "log_") &&
		!strings.Contains(setting, ".")
}

func (v *Verdict) postgresCopy(r *reader) {
	for ; r.kind != End; r.next() {
		switch {
		case r.kind == Open:
			v.postgresCall(r)
		case r.depth > 0 || !r.is("stdin", "stdout"):
		case r.after("from"):
			v.add(CopiesIn, "COPY FROM STDIN")
		case r.after("to"):
			v.add(CopiesOut, "COPY TO STDOUT")
		}
	}
}
