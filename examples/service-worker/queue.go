package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/pg"
)

const schema = `
create table if not exists jobs (
	id bigint generated always as identity primary key,
	kind text not null, payload jsonb not null,
	attempts int not null default 0,
	due timestamptz not null default now(),
	done timestamptz, failed timestamptz, error text);
create index if not exists jobs_due on jobs (due) where done is null and failed is null;
create or replace function notify_of_job() returns trigger language plpgsql as $$ begin notify jobs; return null; end $$;
create or replace trigger jobs_inserted after insert on jobs execute function notify_of_job()`

const (
	attempts     = 5
	firstPause   = time.Second // the pause after the first failure; doubled after each
	jobLimit     = time.Minute
	endLimit     = 10 * time.Second // how long running jobs may go on when the program is told to end
	idleInterval = time.Minute      // the longest time between two looks at the queue
)

type handler func(ctx context.Context, tx pgx.Tx, payload json.RawMessage) error

type queue struct {
	db       *pg.DB
	handlers map[string]handler
	pause    time.Duration // firstPause, except in tests
}

// work does jobs until the context ends. Then it takes no more jobs, and gives the running ones
// time to end.
func work(ctx context.Context, url string, workers int, handlers map[string]handler) (err error) {
	db, err := pg.Open(url)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.Background(), endLimit)
		defer cancel()
		err = errors.Join(err, db.Close(closing))
	}()
	q := &queue{db, handlers, firstPause}
	if err := q.migrate(ctx); err != nil {
		return fmt.Errorf("preparing the queue: %w", err)
	}
	if err := q.run(ctx, workers); ctx.Err() == nil {
		return err
	}
	return nil
}

func (q *queue) migrate(ctx context.Context) error {
	return pgx.BeginFunc(ctx, q.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(726571)"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, schema)
		return err
	})
}

// run runs a loop with a task for each worker, one that listens, and one that knows when the next
// job is due. The tasks share an event, which needs no lock.
func (q *queue) run(ctx context.Context, workers int) error {
	// The loop doesn't end with the context, so that running jobs can finish. Its tasks check the
	// context when they wait for a job.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(endLimit, cancel) })()
	return repaint.Run(running, func(running context.Context) error {
		listener, err := q.db.Listen(ctx, "jobs")
		if err != nil {
			return err
		}
		news := coop.NewEvent()
		g := repaint.NewGroup(running)
		g.Go(func(context.Context) error {
			defer listener.Close()
			for _, err := range listener.All(ctx) { // also yields after a lost connection: Missed
				news.Set()
				if err != nil {
					return ended(ctx, err)
				}
			}
			return nil
		})
		for range workers {
			g.Go(func(running context.Context) error {
				for ctx.Err() == nil {
					news.Clear()
					did, err := q.next(running, ctx)
					switch {
					case err != nil:
						log.Printf("the queue: %v", err)
						did = false
					case did:
						news.Set() // one notification may stand for several jobs
						continue
					}
					if err := q.wait(ctx, news); err != nil {
						return ended(ctx, err)
					}
				}
				return nil
			})
		}
		return g.Wait()
	})
}

// ended returns nil if the context has ended, or else err.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// wait waits for news, or until the next job is due.
func (q *queue) wait(ctx context.Context, news *coop.Event) error {
	pause := idleInterval
	var seconds *float64
	err := q.db.QueryRow(ctx, "select extract(epoch from min(due) - now())::float8 from jobs where done is null and failed is null").Scan(&seconds)
	if err == nil && seconds != nil {
		pause = min(pause, max(time.Duration(*seconds*float64(time.Second)), 10*time.Millisecond))
	}
	waiting, cancel := repaint.WithTimeout(ctx, pause)
	defer cancel()
	if err := news.Wait(waiting); err != nil && ctx.Err() != nil {
		return err
	}
	return nil
}

// next does one job that is due, and reports whether there was one. It skips jobs that other
// workers have locked. It begins no job after program has ended, which may happen while it waits
// for a connection.
func (q *queue) next(ctx, program context.Context) (did bool, err error) {
	ctx, cancel := repaint.WithTimeout(ctx, jobLimit)
	defer cancel()
	err = pgx.BeginFunc(ctx, q.db, func(tx pgx.Tx) error {
		if program.Err() != nil {
			return nil
		}
		var id int64
		var kind string
		var payload json.RawMessage
		var attempt int
		err := tx.QueryRow(ctx, `select id, kind, payload, attempts + 1 from jobs
			where done is null and failed is null and due <= now() order by due, id limit 1 for update skip locked`).
			Scan(&id, &kind, &payload, &attempt)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		did = true
		// A failed job's writes are undone up to here, but the job stays locked.
		failure := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return q.do(ctx, tx, kind, payload) })
		if failure == nil {
			_, err = tx.Exec(ctx, "update jobs set done = now(), attempts = $2, error = null where id = $1", id, attempt)
			return err
		}
		again := q.pause << (attempt - 1)
		_, err = tx.Exec(ctx, `update jobs set attempts = $2, error = $3, due = clock_timestamp() + $4,
			failed = case when $2::int >= $5::int then now() end where id = $1`, id, attempt, failure.Error(), again, attempts)
		return err
	})
	return did, err
}

func (q *queue) do(ctx context.Context, tx pgx.Tx, kind string, payload json.RawMessage) (err error) {
	handle := q.handlers[kind]
	if handle == nil {
		return fmt.Errorf("there is no handler for jobs of kind %q", kind)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the handler panicked: %v", p)
		}
	}()
	return handle(ctx, tx, payload)
}
