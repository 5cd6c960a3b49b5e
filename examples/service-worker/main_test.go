package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// open returns a database with a queue.
func open(t *testing.T) (context.Context, *pg.DB, string) {
	url := testserver.Postgres(t).Database(t).URL()
	leakcheck.Test(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // less than idleInterval, so that only LISTEN wakes the workers
	t.Cleanup(cancel)
	db, err := pg.Open(url)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close(context.Background())) })
	require.NoError(t, (&queue{db: db}).migrate(ctx))
	_, err = db.Exec(ctx, "create table written (n int)")
	require.NoError(t, err)
	return ctx, db, url
}

// start runs a program's workers. stop ends them.
func start(t *testing.T, url string, handlers map[string]handler) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- work(ctx, url, 3, handlers) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { assert.NoError(t, stop()) })
	return stop
}

func until(t *testing.T, ctx context.Context, db *pg.DB, condition string) {
	t.Helper()
	require.Eventually(t, func() bool {
		var is bool
		return db.QueryRow(ctx, "select "+condition).Scan(&is) == nil && is
	}, 30*time.Second, 5*time.Millisecond, condition)
}

func writeNumber(ctx context.Context, tx pgx.Tx, payload json.RawMessage) error {
	var n int
	if err := json.Unmarshal(payload, &n); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "insert into written values ($1)", n)
	return err
}

// Two programs share the jobs that existed before they started, and those that come later.
func TestEachJobIsDoneOnce(t *testing.T) {
	ctx, db, url := open(t)
	_, err := db.Exec(ctx, "insert into jobs (kind, payload) select 'write', to_jsonb(n) from generate_series(1, 100) n")
	require.NoError(t, err)
	for range 2 {
		start(t, url, map[string]handler{"write": writeNumber})
	}
	until(t, ctx, db, "count(*) = 100 from written")
	for range 3 { // each time after a pause in which the workers wait for news
		until(t, ctx, db, "count(*) = 0 from jobs where done is null")
		_, err = db.Exec(ctx, "insert into jobs (kind, payload) select 'write', to_jsonb(n) from generate_series(1, 10) n")
		require.NoError(t, err)
	}
	until(t, ctx, db, "count(*) = 130 from jobs where done is not null and attempts = 1")
	until(t, ctx, db, "count(*) = 130 from written")
}

// A failed job leaves nothing but its error. It is tried again later, five times in all.
func TestFailedJobsAreTriedAgain(t *testing.T) {
	ctx, db, _ := open(t)
	tries := 0
	q := &queue{db, map[string]handler{
		"fail": func(ctx context.Context, tx pgx.Tx, payload json.RawMessage) error {
			tries++
			if _, err := tx.Exec(ctx, "insert into written values (1)"); err != nil {
				return err
			}
			switch {
			case string(payload) == "2" && tries == 2:
				return nil
			case tries%2 == 0:
				panic("too much")
			}
			return errors.New("it can't be done")
		},
	}, time.Hour}
	for _, c := range []struct {
		kind, payload, want string
		tries               int
	}{
		{"fail", "1", "done is null and failed is not null and attempts = 5 and error = 'it can''t be done'", attempts},
		{"fail", "2", "done is not null and failed is null and attempts = 2 and error is null", 2},
		{"unknown", "3", "error like '%no handler for jobs of kind \"unknown\"'", 1},
	} {
		tries = 0
		var id int64
		require.NoError(t, db.QueryRow(ctx, "insert into jobs (kind, payload) values ($1, $2) returning id", c.kind, c.payload).Scan(&id))
		pause := time.Hour
		for i := range c.tries {
			did, err := q.next(ctx, ctx)
			require.NoError(t, err)
			require.True(t, did)
			if i == c.tries-1 {
				break
			}
			did, err = q.next(ctx, ctx)
			require.NoError(t, err)
			require.False(t, did, "it isn't due")
			var wait float64
			require.NoError(t, db.QueryRow(ctx, "select extract(epoch from due - now())::float8 from jobs where id = $1", id).Scan(&wait))
			require.InDelta(t, pause.Seconds(), wait, 60)
			pause *= 2
			_, err = db.Exec(ctx, "update jobs set due = now() where id = $1", id)
			require.NoError(t, err)
		}
		until(t, ctx, db, c.want+" from jobs where id = (select max(id) from jobs)")
		_, err := db.Exec(ctx, "update jobs set failed = now() where done is null")
		require.NoError(t, err)
	}
	until(t, ctx, db, "count(*) = 1 from written")
}

// The workers know when a job becomes due without a notification.
func TestAJobThatIsDueLaterIsDoneThen(t *testing.T) {
	ctx, db, url := open(t)
	_, err := db.Exec(ctx, "insert into jobs (kind, payload, due) values ('write', '1', now() + interval '100 ms')")
	require.NoError(t, err)
	start(t, url, map[string]handler{"write": writeNumber})
	until(t, ctx, db, "count(*) = 1 from written")
}

// A program that is told to end takes no more jobs, and finishes those that it has.
func TestShutdownEndsWhatIsUnderWay(t *testing.T) {
	ctx, db, url := open(t)
	begun, finish := make(chan struct{}), make(chan struct{})
	stop := start(t, url, map[string]handler{"wait": func(ctx context.Context, tx pgx.Tx, payload json.RawMessage) error {
		close(begun)
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(1)"); err != nil {
			return err
		}
		return writeNumber(ctx, tx, payload)
	}})
	holder, err := db.Acquire(ctx)
	require.NoError(t, err)
	_, err = holder.Exec(ctx, "select pg_advisory_lock(1)")
	require.NoError(t, err)
	_, err = db.Exec(ctx, "insert into jobs (kind, payload) values ('wait', '7')")
	require.NoError(t, err)
	<-begun
	go func() { assert.NoError(t, stop()); close(finish) }()
	until(t, ctx, db, "not exists (select from pg_stat_activity where datname = current_database() and query ilike 'listen%')") // the program has noticed the end
	_, err = db.Exec(ctx, "insert into jobs (kind, payload) values ('wait', '8')")
	require.NoError(t, err)
	holder.Release()
	<-finish
	until(t, ctx, db, "array_agg(n) = '{7}' from written")
	until(t, ctx, db, "count(*) = 1 from jobs where done is null and attempts = 0")
}

func TestAnUnreachableDatabaseIsReported(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := work(ctx, "postgres://me@127.0.0.1:1/app?connect_timeout=5", 1, handlers)
	require.ErrorContains(t, err, "preparing the queue")
}

func TestGreet(t *testing.T) {
	greet := handlers["greet"]
	require.NoError(t, greet(t.Context(), nil, json.RawMessage(`{"name": "ada"}`)))
	require.Error(t, greet(t.Context(), nil, json.RawMessage(`{}`)))
	require.Error(t, greet(t.Context(), nil, json.RawMessage(`[]`)))
}
