package db

import (
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/statements"
)

// call is a statement on its way to a session, with what only package db needs to know of it.
type call struct {
	backend.Call
	st   *statements.Statement // of which Call.Statement is a part
	conf *connConfig           // of the Engine or Conn that runs it

	argRoom [4]any // room for a few arguments, so that they need no allocation
}

// use makes st the call's statement.
func (c *call) use(st *statements.Statement) { c.st, c.Statement = st, &st.Statement }

// forget drops the arguments, which needn't live as long as the rows.
func (c *call) forget() {
	c.Forget()
	c.argRoom = [4]any{}
}

func (c *call) result() Result {
	return Result{affected: c.Affected, lastID: c.LastID, hasID: c.HasID}
}
