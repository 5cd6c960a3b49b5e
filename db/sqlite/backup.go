package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"modernc.org/sqlite"
)

// backupPages is how many pages Backup copies at once. In between, it checks whether the context
// has ended.
const backupPages = 256

// Backup copies the database of an Engine to a file while it is in use. The copy shows the database
// as it was at one moment. While a database in a file is copied, other callers go on reading and
// writing; a database in memory can only be read meanwhile.
//
// Backup replaces the file if there is one, and never leaves it half written: it writes the copy to
// file.part and then renames that. If Backup fails, or ctx ends, it removes file.part. The error
// names the file and wraps the cause; with another driver, errors.Is finds db.ErrUnsupported in it.
//
// Backup calls progress, unless that is nil, with how many pages have been copied and how many
// there are. The calls come one at a time, on a goroutine that may block. In a loop that is another
// goroutine: the calling task waits, and other tasks run.
func Backup(ctx context.Context, e *db.Engine, file string, progress func(copied, pages int)) error {
	part := file + ".part"
	err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		// The first read decides which moment the copy shows.
		if _, err := db.Scalar[int](ctx, tx, "select count(*) from sqlite_master"); err != nil {
			return err
		}
		return tx.Raw(ctx, func(ctx context.Context, conn any) error {
			from, ok := conn.(interface {
				NewBackup(uri string) (*sqlite.Backup, error)
			})
			if !ok {
				return fmt.Errorf("the driver's connection (%T) makes no backups: %w", conn, backend.ErrUnsupported)
			}
			if err := remove(part); err != nil {
				return err
			}
			return backup(ctx, from.NewBackup, part, progress)
		})
	}, db.ReadOnly())
	if err == nil {
		err = os.Rename(part, file)
	}
	if err != nil {
		return fmt.Errorf("sqlite: backup to %s: %w", file, errors.Join(err, remove(part)))
	}
	return nil
}

func backup(ctx context.Context, begin func(uri string) (*sqlite.Backup, error), part string, progress func(copied, pages int)) (err error) {
	b, err := begin(fileName(part, options{}))
	if err != nil {
		return err
	}
	ended := false
	defer func() {
		if !ended { // progress panicked
			_ = b.Finish()
		}
	}()
	for more := true; more && err == nil; {
		if err = context.Cause(ctx); err != nil {
			break
		}
		if more, err = b.Step(backupPages); err == nil && progress != nil {
			pages := b.PageCount()
			progress(pages-b.Remaining(), pages)
		}
	}
	ended = true
	return errors.Join(err, b.Finish())
}

// remove removes a file, if there is one.
func remove(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
