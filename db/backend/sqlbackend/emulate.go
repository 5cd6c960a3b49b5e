package sqlbackend

import (
	"context"

	"github.com/seed1239206e/repaint/db/backend"
)

// emulation is the name of the savepoint before an emulated statement.
const emulation = "repaint_emulation"

// emulate runs the statements that make up an emulated one. Either all of them take effect, or
// none.
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

// undo undoes the effects of an emulated statement that failed. If that isn't possible, the
// transaction can only be rolled back, or the connection is broken.
func (s *session) undo(ctx context.Context, text string, inTx bool, why error) {
	for range 3 { // a late interrupt may hit one attempt
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
