package db

import (
	"context"

	"github.com/seed1239206e/repaint/db/backend"
)

// Upsert is an INSERT that changes the row that is there already, for [ExecUpsert] and [QueryUpsert].
// [UpsertText] shows what it is on a database.
//
//	counted := db.Upsert{
//		Table:   "visits",
//		Columns: []string{"page", "n", "last"},
//		Key:     []string{"page"},
//		Update:  []string{"last"},
//		Add:     []string{"n"},
//	}
type Upsert = backend.Upsert

// ExecUpsert inserts the rows, which are what else are arguments of a statement: structs, maps, or
// slices of [Named] values. For each row that is there already it changes that, as u says; without
// Update and Add it leaves it alone. It is all or nothing, as [ExecMany] is. PostgreSQL refuses two
// rows with the same key in one call; the others take one after the other.
//
// In RowsAffected MySQL and MariaDB count a row twice that was changed.
func ExecUpsert[A any](ctx context.Context, q Querier, u Upsert, rows []A) (Result, error) {
	text, err := upsertText(ctx, q, &u)
	if err == nil && len(u.Returning) > 0 {
		err = misuse("upsert", "it returns columns; use QueryUpsert, or leave Returning empty")
	}
	if err != nil {
		return Result{}, err
	}
	return ExecMany(ctx, q, text, rows)
}

// QueryUpsert is [ExecUpsert] for an Upsert with Returning: it returns what each row is now, in the
// order of the rows, see [QueryMany]. MySQL itself can't do that; MariaDB can.
func QueryUpsert[T, A any](ctx context.Context, q Querier, u Upsert, rows []A) ([]T, error) {
	text, err := upsertText(ctx, q, &u)
	if err == nil && len(u.Returning) == 0 {
		err = misuse("upsert", "it returns no columns; name them in Returning, or use ExecUpsert")
	}
	if err != nil {
		return nil, err
	}
	return QueryMany[T](ctx, q, text, rows)
}

// UpsertText writes an upsert for a dialect, as a statement with a parameter :name for each of its
// columns. It can be executed like any other.
func UpsertText(d Dialect, u Upsert) (string, error) {
	if err := u.Check(); err != nil {
		return "", fail("upsert", ErrMisuse, "%w", err)
	}
	to, ok := d.(backend.Upserter)
	if !ok {
		return "", fail("upsert", ErrUnsupported, "the dialect %s has no upserts", d.Name())
	}
	text, err := to.Upsert(&u)
	if err != nil {
		return "", fail("upsert", ErrUnsupported, "%w", err)
	}
	return text, nil
}

func upsertText(ctx context.Context, q Querier, u *Upsert) (string, error) {
	own, ok := q.(interface{ engine() *Engine })
	if !ok {
		return "", misuse("upsert", "a Querier of type %T can't run upserts; pass an Engine, Conn or Tx", q)
	}
	e := own.engine()
	text, err := UpsertText(e.dialect, *u)
	if err != nil {
		return "", e.fail(ctx, "upsert", nil, err)
	}
	return text, nil
}
