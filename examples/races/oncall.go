package races

import (
	"context"
	"errors"

	"github.com/seed1239206e/repaint/db"
)

// ErrLastOnCall says that a doctor has to stay, because no other is on call.
var ErrLastOnCall = errors.New("the last doctor on call")

// LeaveWrong lets a doctor go home if another stays on call. If two leave at once, both go: each
// transaction sees the other doctor, and writes a row of its own. That is write skew; repeatable
// read has it too.
func LeaveWrong(ctx context.Context, e *db.Engine, doctor string) error {
	return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		doctors, err := db.Scalar[int](ctx, tx, "select count(*) from doctor where on_call")
		if err != nil {
			return err
		}
		return leave(ctx, tx, doctor, doctors)
	})
}

// LeaveRight locks the rows on which its decision depends.
func LeaveRight(ctx context.Context, e *db.Engine, doctor string) error {
	return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		doctors, err := db.All[string](ctx, tx, "select name from doctor where on_call order by name for update")
		if err != nil {
			return err
		}
		return leave(ctx, tx, doctor, len(doctors))
	})
}

// leave lets a doctor go home. doctors is how many are on call.
func leave(ctx context.Context, tx *db.Tx, doctor string, doctors int) error {
	if doctors < 2 {
		return ErrLastOnCall
	}
	_, err := tx.Exec(ctx, "update doctor set on_call = false where name = :name", db.Named("name", doctor))
	return err
}
