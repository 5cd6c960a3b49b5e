package races

import (
	"context"

	"github.com/seed1239206e/repaint/db"
)

// MigrateWrong brings the database to version 1, in which prices are in cents. If two programs
// start at once, both do it: the second takes the lock after the first has released it, and doesn't
// read the version again.
func MigrateWrong(ctx context.Context, e *db.Engine) error {
	version, err := db.Scalar[int](ctx, e, "select version from schema_version")
	if err != nil || version >= 1 {
		return err
	}
	return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := lockMigrations(ctx, tx); err != nil {
			return err
		}
		return toCents(ctx, tx)
	})
}

// MigrateRight takes the lock before it reads the version.
func MigrateRight(ctx context.Context, e *db.Engine) error {
	return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := lockMigrations(ctx, tx); err != nil {
			return err
		}
		version, err := db.Scalar[int](ctx, tx, "select version from schema_version")
		if err != nil || version >= 1 {
			return err
		}
		return toCents(ctx, tx)
	})
}

// lockMigrations waits until no other transaction migrates. The lock ends with the transaction.
func lockMigrations(ctx context.Context, tx *db.Tx) error {
	_, err := tx.Exec(ctx, "select pg_advisory_xact_lock(1)")
	return err
}

func toCents(ctx context.Context, tx *db.Tx) error {
	if _, err := tx.Exec(ctx, "update product set price = price * 100"); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "update schema_version set version = 1")
	return err
}
