package sqltext

import "strings"

// MySQL is the SQL of MySQL and MariaDB, without the modes ANSI_QUOTES and NO_BACKSLASH_ESCAPES.
var MySQL = &Language{
	Rules: Rules{HashComments: true, DashNeedsSpace: true, ExecutableComments: true, Backslash: true,
		DoubleQuotedLiterals: true, Backticks: true, Natives: "?", Bodies: ProgramBodies},
	classes: mysqlClasses,
}

// mysqlVerbs holds the effects of statements that begin with these words; mysqlStatement refines
// some of them. All other statements may write.
var mysqlVerbs = map[string]Effects{
	"select": ReturnsRows | Keepable, "values": ReturnsRows | Keepable, "table": ReturnsRows | Keepable,
	"insert": Writes | CountsRows | MakesKey | Keepable, "replace": Writes | CountsRows | MakesKey | Keepable,
	"update": Writes | CountsRows | Keepable, "delete": Writes | CountsRows | Keepable,
	"load": Writes | CountsRows,
	"show": ReturnsRows | Varies, "help": ReturnsRows | Varies, "check": ReturnsRows | Varies, "checksum": ReturnsRows | Varies,
	"explain": ReturnsRows | Varies, "describe": ReturnsRows | Varies, "desc": ReturnsRows | Varies,

	"begin": ControlsTx, "commit": ControlsTx | Commits, "rollback": ControlsTx, "savepoint": ControlsTx, "release": ControlsTx,
	"xa": ControlsTx,

	"set": Writes | LeavesState, "do": Writes | LeavesState, "use": Writes | LeavesState | Redefines, "handler": Writes | LeavesState | Varies,
	"prepare": Writes | LeavesState, "execute": Writes | LeavesState | CommitsItself | Varies, "deallocate": Writes | LeavesState,
	"get": LeavesState, "backup": Writes | LeavesState | EndsTx,
	"call": Writes | LeavesState | Keepable | CommitsItself | Varies,
	"lock": Writes | LeavesState | EndsTx, "unlock": Writes | LeavesState | EndsTx,

	"alter": Writes | EndsTx, "analyze": Writes | EndsTx, "cache": Writes | EndsTx, "change": Writes | EndsTx,
	"create": Writes | EndsTx, "drop": Writes | EndsTx, "flush": Writes | EndsTx, "grant": Writes | EndsTx,
	"import": Writes | EndsTx, "install": Writes | EndsTx, "optimize": Writes | EndsTx, "purge": Writes | EndsTx,
	"rename": Writes | EndsTx, "repair": Writes | EndsTx, "reset": Writes | EndsTx, "revoke": Writes | EndsTx,
	"start": Writes | EndsTx, "stop": Writes | EndsTx, "truncate": Writes | EndsTx, "uninstall": Writes | EndsTx,
}

// mysqlFunctions are the functions that take locks for the connection.
var mysqlFunctions = map[string]function{"get_lock": {}, "service_get_read_locks": {}, "service_get_write_locks": {}}

func mysql(r *reader, st Statement) Verdict {
	if st.Block && st.Verb != "create" && st.Verb != "alter" {
		return Verdict{Effects: Writes | LeavesState | CommitsItself}
	}
	return mysqlStatement(r, st.Verb)
}

func mysqlStatement(r *reader, verb string) Verdict {
	effects, ok := mysqlVerbs[verb]
	if !ok {
		effects = Writes
	}
	v := Verdict{Effects: effects}
	switch verb {
	case "select", "values", "table", "insert", "replace", "update", "delete", "load", "show":
		v.mysqlRows(r, verb)
	case "explain", "describe", "desc":
		if r.next(); r.is("analyze") {
			v.mysqlExecuted(r)
		}
	case "analyze":
		if r.nextIs("table", "tables", "local", "no_write_to_binlog") {
			return v
		}
		v.Effects = ReturnsRows | Varies
		v.mysqlExecuted(r)
	case "start":
		if r.next(); r.is("transaction") {
			return Verdict{Effects: Writes | ControlsTx, Cause: "START TRANSACTION"}
		}
	case "set":
		return mysqlSet(r)
	case "create", "drop":
		if r.next(); r.is("or") {
			r.next()
			r.next()
		}
		if r.is("temporary") {
			return Verdict{Effects: Writes | LeavesState, Cause: upper(verb) + " TEMPORARY"}
		}
		if r.is("table") && verb == "create" { // … SELECT
			v.mysqlRows(r, verb)
		}
	case "flush":
		for ; r.kind != End; r.next() {
			if r.is("read", "export") && r.after("with", "for") {
				v.add(LeavesState, "FLUSH TABLES WITH READ LOCK")
			}
		}
	}
	return v
}

// mysqlExecuted adds the effects of a statement that the server executes in order to explain it.
func (v *Verdict) mysqlExecuted(r *reader) {
	for ; r.kind != End; r.next() {
		if r.depth == 0 && (r.is("with") || r.kind == Word && isMainVerb(r.tok)) {
			inner := mysqlInner(r)
			v.add(inner.Effects&(Writes|LeavesState), inner.Cause)
			return
		}
	}
}

// mysqlInner classifies a statement within another one. The reader is at its first word.
func mysqlInner(r *reader) Verdict {
	verb := lower(r.tok)
	if verb == "with" {
		for a := r.peek(); a.kind != End; a.next() {
			if a.depth == r.depth && a.kind == Word && isMainVerb(a.tok) {
				verb = lower(a.tok)
				break
			}
		}
	}
	return mysqlStatement(r, verb)
}

// mysqlRows looks for named locks and user variables that a query, or a statement that changes
// rows, leaves on the connection.
func (v *Verdict) mysqlRows(r *reader, verb string) {
	for ; r.kind != End; r.next() {
		switch {
		case r.kind == Open:
			if v.leaves(r, mysqlFunctions, "") {
				v.Effects |= Writes
			}
		case r.tok == ":=" || r.tok == "@" && verb == "load":
			v.add(Writes|LeavesState, "a user variable")
		case r.kind != Word:
		case r.is("into") && !v.Effects.Any(Writes):
			v.add(Writes|LeavesState, "INTO")
		case r.depth == 0 && v.Effects.Any(CountsRows) && r.is("returning") && r.mayReturn():
			v.Returning = r.start
		}
	}
	if v.Returning > 0 {
		v.Effects |= ReturnsRows
	}
}

// mayReturn reports whether the word RETURNING, which the reader is at, can begin a clause. The
// word isn't reserved, so it can also be a name.
func (r *reader) mayReturn() bool {
	return r.before[0].kind != Other && r.peek().kind != End &&
		!r.after("set", "where", "and", "or", "xor", "not", "by", "between", "like", "in", "is", "on", "into", "update", "from", "as",
			"values", "value", "select", "limit", "case", "when", "then", "else", "div", "mod", "insert", "replace", "delete", "interval")
}

func mysqlSet(r *reader) Verdict {
	v := Verdict{Effects: mysqlVerbs["set"]}
	switch r.next(); {
	case r.is("statement"): // SET STATEMENT variable = value FOR …, for that statement only
		for ; r.kind != End; r.next() {
			if r.is("for") && r.depth == 0 {
				r.next()
				return mysqlInner(r)
			}
		}
	case r.is("autocommit"):
		// This setting would change what the next statements do. Other settings only keep the
		// connection from going to other callers.
		v.add(ControlsTx, "SET AUTOCOMMIT")
		return v
	case r.is("transaction"):
		v.add(ControlsTx, "SET TRANSACTION")
		return v
	case r.is("password"):
		v.add(EndsTx, "SET PASSWORD")
		return v
	}
	for first := true; r.kind != End; r.next() {
		if (first || r.tok == "," && r.depth == 0) && !r.userVariable(first) {
			v.Effects |= Redefines // a prepared text keeps the SQL mode and the like from when it was prepared
			break
		}
		first = false
	}
	return v
}

// userVariable reports whether the target of the assignment, here or after the comma here, is a
// user variable. The server reads user variables when it executes a text.
func (r *reader) userVariable(here bool) bool {
	a := *r
	if !here {
		a.next()
	}
	return strings.HasPrefix(a.tok, "@") && !strings.HasPrefix(a.tok, "@@") && a.nextTok() != "@"
}
