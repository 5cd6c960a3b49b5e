package db

import (
	"context"

	"github.com/seed1239206e/repaint/db/backend"
)

// Upsert is an INSERT that updates a row if its key is there already, for [ExecUpsert] and
// [QueryUpsert]. [UpsertText] shows its text for a database.
//
//	counted := db.Upsert{
//		Table:   "visits",
//		Columns: []string{"page", "n", "last"},
//		Key:     []string{"page"},
//		Update:  []string{"last"},
//		Add:     []string{"n"},
//	}
type Upsert = backend.Upsert

// ExecUpsert inserts rows, which are arguments as [ExecMany] takes them. If a row's key is there
// already, it updates that row as u says; without Update and Add it leaves the row alone. It is all or
// nothing, as ExecMany is. PostgreSQL refuses two rows with the same key in one call; other databases
// apply one after the other. A dialect without upserts is [ErrUnsupported].
//
// On MySQL and MariaDB RowsAffected counts an updated row twice.
func ExecUpsert[A any](ctx context.Context, q Querier, u Upsert, rows []A) (Result, error) {
	text, err := upsertText(ctx, q, &u)
	if err == nil && len(u.Returning) > 0 {
		err = misuse("upsert", "the Upsert has Returning; use QueryUpsert, or leave Returning empty")
	}
	if err != nil {
		return Result{}, err
	}
	return ExecMany(ctx, q, text, rows)
}

// QueryUpsert is [ExecUpsert] for an Upsert with Returning. It returns these columns of each row as
// they are now, in the order of the rows, see [QueryMany]. MariaDB can do that, MySQL can't.
func QueryUpsert[T, A any](ctx context.Context, q Querier, u Upsert, rows []A) ([]T, error) {
	text, err := upsertText(ctx, q, &u)
	if err == nil && len(u.Returning) == 0 {
		err = misuse("upsert", "the Upsert has no Returning; name its columns there, or use ExecUpsert")
	}
	if err != nil {
		return nil, err
	}
	return QueryMany[T](ctx, q, text, rows)
}

// UpsertText returns the text of an upsert for a dialect: a statement with a parameter :name for each
// column, to be executed like any other.
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
		return "", misuse("upsert", "can't run upserts through a Querier of type %T; pass an Engine, Conn or Tx", q)
	}
	e := own.engine()
	text, err := UpsertText(e.dialect, *u)
	if err != nil {
		return "", e.fail(ctx, "upsert", nil, err)
	}
	return text, nil
}
