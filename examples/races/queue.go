package races

import (
	"context"
	"errors"

	"github.com/seed1239206e/repaint/db"
)

// ClaimWrong takes the next job of a queue, which another worker may have taken since it looked.
func ClaimWrong(ctx context.Context, e *db.Engine, worker string) error {
	id, err := db.Scalar[int](ctx, e, "select id from job where worker is null order by id limit 1")
	if err != nil {
		return err
	}
	_, err = e.Exec(ctx, "update job set worker = :w, runs = runs + 1 where id = :id", db.Named("w", worker), db.Named("id", id))
	return err
}

// ClaimRight locks the job that it takes, and passes over those that others have locked.
func ClaimRight(ctx context.Context, e *db.Engine, worker string) error {
	_, err := e.Exec(ctx, "update job set worker = :w, runs = runs + 1 where id ="+
		" (select id from job where worker is null order by id limit 1 for update skip locked)", db.Named("w", worker))
	return err
}

// A Job is what a worker does with the job that it has taken.
type Job func(ctx context.Context, tx *db.Tx, id int) error

// DrainWrong does jobs until there are no more, and leaves one undone: it passes over the job that
// another worker has locked, and doesn't hear of it when that worker fails and the job is back in
// the queue.
func DrainWrong(ctx context.Context, e *db.Engine, do Job) error {
	return drain(ctx, e, do, func(ctx context.Context, tx *db.Tx) (int, error) {
		return db.First[int](ctx, tx, nextJob+" for update skip locked")
	})
}

// DrainRight does so too, but if all jobs that are left are locked it waits for one of them.
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
