package db

import "github.com/seed1239206e/repaint/db/internal/statements"

// native parses a text of a caller of database/sql, which is executed with args arguments. It returns
// nil for a text without a statement.
func (e *Engine) native(text string, args int) (*statements.Native, error) {
	if st, known := e.natives.Get(text, args); known {
		return st, nil
	}
	st, err := e.language.ParseNative(text, args)
	if err != nil {
		return nil, e.refuse(text, fail("parse", ErrSyntax, "%w", err))
	}
	e.natives.Put(text, args, st)
	return st, nil
}

// refuseNative returns the error for a text that no connection can run.
func (e *Engine) refuseNative(st *statements.Native, rows bool) error {
	switch n := len(st.Params); {
	case st.Inputs >= 0 && st.Inputs != n:
		return e.refuse(st.Source, fail("bind", ErrParameter, "the statement takes %d arguments, and there are %d", st.Inputs, n))
	case st.Savepoint.Op != "":
	case st.TxControl:
		return e.refuse(st.Source, misuse("prepare", "begin a transaction with BeginTx and end it with its Tx, not with a statement"))
	case st.Statement.Refused != "":
		return e.refuse(st.Source, fail("prepare", ErrUnsupported, "%s", st.Statement.Refused))
	case st.Script && rows:
		return e.refuse(st.Source, misuse("query", "a script of several statements has no single result; use Exec"))
	}
	return nil
}
