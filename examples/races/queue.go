package races

import (
	"context"
	"errors"

	"github.com/seed1239206e/repaint/db"
)

// ClaimWrong takes the next job of a queue. Another worker may have taken that job in the meantime.
func ClaimWrong(ctx context.Context, e *db.Engine, worker string) error {
	id, err := db.Scalar[int](ctx, e, "select id from job where worker is null order by id limit 1")
	if err != nil {
		return err
	}
	_, err = e.Exec(ctx, "update job set worker = :w, runs = runs + 1 where id = :id", db.Named("w", worker), db.Named("id", id))
	return err
}

// ClaimRight locks the job that it takes, and skips those that other workers have locked.
func ClaimRight(ctx context.Context, e *db.Engine, worker string) error {
	_, err := e.Exec(ctx, "update job set worker = :w, runs = runs + 1 where id ="+
		" (select id from job where worker is null order by id limit 1 for update skip locked)", db.Named("w", worker))
	return err
}

// A Job is the work that a worker does for the job with the given id.
type Job func(ctx context.Context, tx *db.Tx, id int) error

// DrainWrong does jobs until there are none left, and leaves one undone: it skips a job that
// another worker has locked. It doesn't notice when that worker fails and the job is back in the
// queue.
func DrainWrong(ctx context.Context, e *db.Engine, do Job) error {
	return drain(ctx, e, do, func(ctx context.Context, tx *db.Tx) (int, error) {
		return db.First[int](ctx, tx, nextJob+" for update skip locked")
	})
}

// DrainRight does jobs until there are none left, too. If all remaining jobs are locked, it waits
// for one of them.
func DrainRight(ctx context.Context, e *db.Engine, do Job) error {
	return drain(ctx, e, do, func(ctx context.Context, tx *db.Tx) (int, error) {
		id, err := db.First[int](ctx, tx, nextJob+" for update skip locked")
		if errors.Is(err, db.ErrNoRows) {
			return db.First[int](ctx, tx, nextJob+" for update")
		}
		return id, err
	})
}

const nextJob = "select id from work where not done order by id limit 1"

// drain does jobs until next finds none.
func drain(ctx context.Context, e *db.Engine, do Job, next func(ctx context.Context, tx *db.Tx) (int, error)) error {
	for {
		err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			id, err := next(ctx, tx)
			if err != nil {
				return err
			}
			if err := do(ctx, tx, id); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, "update work set done = true where id = :id", db.Named("id", id))
			return err
		})
		switch {
		case errors.Is(err, db.ErrNoRows):
			return nil
		case err != nil:
			return err
		}
	}
}
