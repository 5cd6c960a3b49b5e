package db

import (
	"context"

	"github.com/seed1239206e/repaint/db/internal/statements"
)

// prepare sets the call's statement and arguments.
func (e *Engine) prepare(ctx context.Context, c *call, conf *connConfig, query string, args []any) error {
	if err := e.prepareCall(c, conf, query, args); err != nil {
		return e.events.fail(ctx, err)
	}
	return nil
}

func (e *Engine) prepareCall(c *call, conf *connConfig, query string, args []any) error {
	c.conf, c.ReadOnly = conf, conf.tx.ReadOnly
	if err := e.prepareText(c, query); err != nil {
		return err
	}
	st, values, err := e.bind(c.st, c.argRoom[:], args)
	if err != nil {
		return err
	}
	c.use(st)
	c.Args = values
	return nil
}

// bind returns the statement with its lists expanded, and the values of its parameters, in room if
// that is large enough.
func (e *Engine) bind(st *statements.Statement, room, args []any) (*statements.Statement, []any, error) {
	values, err := st.Bind(room, args)
	form := st
	if err == nil {
		form, values, err = e.language.Expand(st, values)
	}
	if err != nil {
		wrong := fail("bind", ErrParameter, "%w", err)
		wrong.Statement = st.Source
		return nil, nil, wrong
	}
	return form, values, nil
}

// prepareText sets the call's statement.
func (e *Engine) prepareText(c *call, query string) error {
	st, known := e.statements.Get(query)
	if !known {
		var err error
		if st, err = e.language.Parse(query); err != nil {
			return e.refuse(query, fail("parse", ErrSyntax, "%w", err))
		}
		e.statements.Put(st)
	}
	c.use(st)
	switch {
	case st.TxControl:
		return e.refuse(query, misuse("prepare", "begin a transaction with InTx or BeginTx and end it with its Tx, not with a statement"))
	case st.Refused != "":
		return e.refuse(query, fail("prepare", ErrUnsupported, "%s", st.Refused))
	case st.Script && c.Rows:
		return e.refuse(query, misuse("query", "a script of several statements has no single result; use Exec"))
	}
	return nil
}

// refuse completes the error of a statement that isn't sent.
func (e *Engine) refuse(query string, err *Error) error {
	err.Statement, err.Dialect = query, e.dialect.Name()
	return err
}
