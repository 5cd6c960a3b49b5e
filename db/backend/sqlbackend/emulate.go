package sqlbackend

import (
	"context"

	"github.com/seed1239206e/repaint/db/backend"
)

// emulation is the name of the savepoint before a statement that is emulated.
const emulation = "repaint_emulation"

// emulate runs what makes up a statement, all of it or nothing.
func (s *session) emulate(ctx context.Context, c *backend.Call, run func(ctx context.Context) error) error {
	begin, commit, undo := s.d.BeginText(backend.TxOptions{}), "commit", "rollback"
	inTx := s.status != backend.Idle
	if inTx {
		begin, commit, undo = []string{"savepoint " + emulation}, "release savepoint "+emulation, "rollback to savepoint "+emulation
	}
	var err error
	for i := 0; i < len(begin) && err == nil; i++ {
		_, err = s.conn.exec(ctx, begin[i], arguments{}, !s.d.SendsText)
	}
	if err == nil {
		err = run(ctx)
	}
	if err == nil {
		_, err = s.conn.exec(ctx, commit, arguments{}, !s.d.SendsText)
	}
	if err != nil {
		s.undo(ctx, undo, inTx, err)
		c.Columns, c.Values, c.Affected = nil, nil, 0
		return err
	}
	switch n := len(c.Columns); {
	case !c.Rows:
		c.Columns, c.Values = nil, nil
	case c.MaxRows > 0 && c.Count() > c.MaxRows:
		c.Values = c.Values[: c.MaxRows*n : c.MaxRows*n]
	}
	return nil
}

// undo undoes what an emulated statement has done before it failed. If that can't be done
// the transaction can only be rolled back, or the connection is of no use.
func (s *session) undo(ctx context.Context, text string, inTx bool, why error) {
	for range 3 { // an interrupt that comes late hits one of them
		if s.execSoon(ctx, text) == nil {
			return
		}
	}
	switch {
	case !inTx:
		s.status = backend.Broken
	case s.stillInTx(ctx, why):
		s.status = backend.FailedTx
	}
}
