package sqltext

// SQLite is the SQL of SQLite.
var SQLite = &Language{
	Rules:   Rules{Backticks: true, Brackets: true, Natives: "?@$:", Bodies: TriggerBodies},
	classes: sqliteClasses,
}

// sqliteVerbs holds the effects of statements that begin with these words; sqlite refines some of
// them. All other statements may write.
var sqliteVerbs = map[string]Effects{
	"select": ReturnsRows | Keepable, "values": ReturnsRows | Keepable,
	"explain": ReturnsRows | Varies,
	"insert":  Writes | CountsRows | MakesKey | Keepable, "replace": Writes | CountsRows | MakesKey | Keepable,
	"update": Writes | CountsRows | Keepable, "delete": Writes | CountsRows | Keepable,
	"begin": ControlsTx, "commit": ControlsTx | Commits, "end": ControlsTx | Commits, "rollback": ControlsTx, "savepoint": ControlsTx,
	"release": ControlsTx,
	"attach":  Writes | LeavesState, "detach": Writes | LeavesState,
}

var sqliteFunctions = map[string]function{"load_extension": {}}

func sqlite(r *reader, st Statement) Verdict {
	effects, ok := sqliteVerbs[st.Verb]
	if !ok {
		effects = Writes
	}
	v := Verdict{Effects: effects}
	switch st.Verb {
	case "select", "values", "insert", "replace", "update", "delete":
		for ; r.kind != End; r.next() {
			if v.leaves(r, sqliteFunctions, "") {
				v.Effects |= Writes
			}
			if r.is("returning") && r.depth == 0 && effects.Any(Writes) {
				v.Returning = r.start
				v.Effects |= ReturnsRows
			}
		}
	case "create":
		v.sqliteCreate(r)
	case "pragma":
		return sqlitePragma(r)
	}
	return v
}

// sqliteCreate finds objects in the database named temp, which belongs to the connection.
func (v *Verdict) sqliteCreate(r *reader) {
	if r.next(); r.is("temp", "temporary") {
		v.add(LeavesState, "CREATE TEMP")
		return
	}
	r.skip("unique", "virtual")
	r.next() // TABLE, INDEX, VIEW, TRIGGER
	if r.is("if") && r.nextIs("not") {
		r.next()
		r.next()
		r.next()
	}
	if name := r.name(); equal(name, "temp") && r.nextTok() == "." {
		v.add(LeavesState, "CREATE in temp")
	}
}

// sqlitePragma separates the pragmas that only return information from all others, which may change
// the database or the connection.
func sqlitePragma(r *reader) Verdict {
	changes := Verdict{Effects: Writes | LeavesState, Cause: "PRAGMA"}
	r.next()
	if r.nextTok() == "." { // the database
		r.next()
		r.next()
	}
	name := lower(r.name())
	r.next()
	switch name {
	case "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo",
		"foreign_key_list", "foreign_key_check", "integrity_check", "quick_check":
		if r.tok == "=" {
			return changes
		}
		return Verdict{Effects: ReturnsRows | Varies}
	case "application_id", "auto_vacuum", "automatic_index", "busy_timeout", "cache_size", "cache_spill",
		"collation_list", "compile_options", "data_version", "database_list", "encoding", "foreign_keys",
		"freelist_count", "function_list", "hard_heap_limit", "journal_mode", "journal_size_limit",
		"locking_mode", "max_page_count", "mmap_size", "module_list", "page_count", "page_size",
		"pragma_list", "query_only", "read_uncommitted", "recursive_triggers", "reverse_unordered_selects",
		"schema_version", "secure_delete", "soft_heap_limit", "synchronous", "temp_store", "threads",
		"trusted_schema", "user_version", "wal_autocheckpoint", "writable_schema":
		if r.kind == End {
			return Verdict{Effects: ReturnsRows | Varies}
		}
	}
	return changes
}
