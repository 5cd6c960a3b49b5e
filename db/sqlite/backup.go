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

// backupPages is how many pages are copied at once. In between it is seen whether the context has ended.
const backupPages = 256

// Backup copies the database of an Engine to a file while it is in use. The copy is the database as it
// was at one moment. With a database in a file others go on reading and writing meanwhile; one in memory
// can only be read.
//
// The file is replaced if there is one, and never seen half written: the copy is made beside it, as
// file.part, and renamed. If Backup fails, or ctx ends, that is removed.
//
// progress, which may be nil, is told how many pages have been copied and how many there are. It is
// called where blocking is allowed, which in a loop is another goroutine: the calling task waits, and
// others run.
func Backup(ctx context.Context, e *db.Engine, file string, progress func(copied, pages int)) error {
	part := file + ".part"
	err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		// A first read decides which moment it is.
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
		if !ended { // progress has panicked
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
