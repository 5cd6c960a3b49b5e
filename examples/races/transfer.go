package races

import (
	"context"

	"github.com/seed1239206e/repaint/db"
)

// TransferWrong moves money between two accounts. Two transfers in opposite directions can
// deadlock: each holds one row and wants the other. The database then ends one of them.
func TransferWrong(ctx context.Context, e *db.Engine, from, to string, amount int) error {
	return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := add(ctx, tx, from, -amount); err != nil {
			return err
		}
		return add(ctx, tx, to, amount)
	})
}

// TransferRight changes the two rows in the order of their names, which is the same for all
// transfers.
func TransferRight(ctx context.Context, e *db.Engine, from, to string, amount int) error {
	return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		first, second, sum := from, to, -amount
		if to < from {
			first, second, sum = to, from, amount
		}
		if err := add(ctx, tx, first, sum); err != nil {
			return err
		}
		return add(ctx, tx, second, -sum)
	})
}

func add(ctx context.Context, tx *db.Tx, holder string, amount int) error {
	_, err := tx.Exec(ctx, "update holding set balance = balance + :amount where holder = :holder",
		db.Named("amount", amount), db.Named("holder", holder))
	return err
}
