package sqltext

// onlyState reports whether a statement affects only its connection or its transaction.
func (l *Language) onlyState(text string, st Statement, v Verdict) bool {
	if !v.Effects.Any(LeavesState | ForTx) {
		return false
	}
	r := reader{rules: &l.Rules, text: text, pos: st.Start, end: st.End}
	r.next()
	switch l.classes {
	case postgresClasses:
		return true
	case sqliteClasses:
		return st.Verb != "pragma" || r.forgottenPragma()
	case mysqlClasses:
		return r.mysqlOnlyState(st.Verb, v)
	}
	return false
}

// mysqlOnlyState excludes statements that may have another purpose: SET GLOBAL, CALL, a user
// variable that counts rows.
func (r *reader) mysqlOnlyState(verb string, v Verdict) bool {
	switch verb {
	case "use", "prepare", "deallocate", "handler", "lock", "unlock", "get", "create", "drop":
		return true
	case "set":
		if r.next(); r.is("default", "statement") {
			return false
		}
		for ; r.kind != End; r.next() {
			if r.is("global", "persist", "persist_only", "password") {
				return false
			}
		}
		return true
	case "select":
		if v.Cause == "a user variable" {
			return false
		}
		for ; r.kind != End; r.next() {
			if r.is("outfile", "dumpfile") {
				return false
			}
		}
		return true
	}
	return false
}

// forgottenPragma reports whether a PRAGMA that changes something changes only the connection. A
// pragma that isn't listed changes the database file, or performs an action.
func (r *reader) forgottenPragma() bool {
	r.next()
	if r.nextTok() == "." { // the database
		r.next()
		r.next()
	}
	switch lower(r.name()) {
	case "analysis_limit", "automatic_index", "busy_timeout", "cache_size", "cache_spill", "case_sensitive_like", "cell_size_check",
		"checkpoint_fullfsync", "defer_foreign_keys", "foreign_keys", "fullfsync", "ignore_check_constraints", "journal_size_limit",
		"legacy_alter_table", "locking_mode", "max_page_count", "mmap_size", "query_only", "read_uncommitted", "recursive_triggers",
		"reverse_unordered_selects", "secure_delete", "synchronous", "temp_store", "threads", "trusted_schema", "wal_autocheckpoint",
		"writable_schema":
		return true
	}
	return false
}
