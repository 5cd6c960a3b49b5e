package riverrepaint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/testserver"
)

type sumArgs struct {
	N    int    `json:"n"`
	Then string `json:"then"` // the worker's behaviour: nothing, fail once, fail, snooze, wait
}

func (sumArgs) Kind() string { return "sum" }

// A summer adds the numbers of its jobs to a table, in the transaction that completes them.
type summer struct {
	river.WorkerDefaults[sumArgs]
	db      *sql.DB
	started chan int64
}

func (s *summer) NextRetry(*river.Job[sumArgs]) time.Time { return time.Now() }

func (s *summer) Work(ctx context.Context, job *river.Job[sumArgs]) error {
	switch {
	case job.Args.Then == "fail", job.Args.Then == "fail once" && job.Attempt == 1:
		return errors.New("it doesn't add up")
	case job.Args.Then == "panic":
		panic("too much")
	case job.Args.Then == "wait":
		s.started <- job.ID
		<-ctx.Done()
		return context.Cause(ctx)
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "insert into sums (n) values ($1)", job.Args.N); err != nil {
		return err
	}
	if _, err := river.JobCompleteTx[*Driver](ctx, tx, job); err != nil {
		return err
	}
	return tx.Commit()
}

type queue struct {
	*river.Client[*sql.Tx]
	d      *Driver
	events <-chan *river.Event
	worker *summer
}

// start migrates and runs a client. It polls so rarely that only LISTEN tells it of jobs in time.
func start(t *testing.T, ctx context.Context, edit func(*river.Config)) *queue {
	d := open(t, testserver.Postgres(t).Database(t))
	m, err := rivermigrate.New(d, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	require.NoError(t, err)
	_, err = d.SQL().ExecContext(ctx, "create table sums (n bigint not null)")
	require.NoError(t, err)

	w := &summer{db: d.SQL(), started: make(chan int64, 10)}
	workers := river.NewWorkers()
	river.AddWorker(workers, w)
	config := &river.Config{
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 20}},
		Workers:           workers,
		FetchPollInterval: time.Hour,
		FetchCooldown:     river.FetchCooldownMin,
		Logger:            slog.New(slog.DiscardHandler),
		TestOnly:          true, // no random pauses
	}
	if edit != nil {
		edit(config)
	}
	c, err := river.NewClient(d, config)
	require.NoError(t, err)
	events, cancel := c.SubscribeConfig(&river.SubscribeConfig{ChanSize: 2000, Kinds: []river.EventKind{
		river.EventKindJobCompleted, river.EventKindJobFailed, river.EventKindJobCancelled, river.EventKindQueuePaused, river.EventKindQueueResumed,
	}})
	t.Cleanup(cancel)
	require.NoError(t, c.Start(ctx))
	t.Cleanup(func() {
		stopping, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, c.StopAndCancel(stopping))
	})
	return &queue{c, d, events, w}
}

// until waits for n events of a kind, and returns the last.
func (q *queue) until(t *testing.T, ctx context.Context, kind river.EventKind, n int) (last *river.Event) {
	t.Helper()
	for range n {
		select {
		case last = <-q.events:
			require.Equal(t, kind, last.Kind, "%+v", last.Job)
		case <-ctx.Done():
			t.Fatalf("no event: %v", ctx.Err())
		}
	}
	return last
}

func (q *queue) sum(t *testing.T, ctx context.Context) (n, sum int) {
	require.NoError(t, q.d.SQL().QueryRowContext(ctx, "select count(*), coalesce(sum(n), 0) from sums").Scan(&n, &sum))
	return n, sum
}

func TestJobsOfGoroutinesAndTasksAreWorkedOnce(t *testing.T) {
	ctx := limited(t)
	q := start(t, ctx, nil)

	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			_, err := q.Insert(ctx, sumArgs{N: i}, nil)
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	q.until(t, ctx, river.EventKindJobCompleted, 50)

	require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		for i := range 250 {
			g.Go(func(ctx context.Context) error {
				tx, err := q.d.SQL().BeginTx(ctx, nil)
				if err != nil {
					return err
				}
				defer tx.Rollback()
				if _, err := q.InsertTx(ctx, tx, sumArgs{N: i}, nil); err != nil {
					return err
				}
				if i%5 == 0 {
					return tx.Rollback()
				}
				return tx.Commit()
			})
		}
		return g.Wait()
	}))
	q.until(t, ctx, river.EventKindJobCompleted, 200)
	n, sum := q.sum(t, ctx)
	require.Equal(t, 250, n)
	require.Equal(t, 49*50/2+249*250/2-5*49*50/2, sum)
}

func TestManyJobsAtOnce(t *testing.T) {
	ctx := limited(t)
	q := start(t, ctx, nil)
	many := make([]river.InsertManyParams, 300)
	for i := range many {
		many[i] = river.InsertManyParams{Args: sumArgs{N: 1}, InsertOpts: &river.InsertOpts{Tags: []string{"many", "more"}, Metadata: []byte(`{"a": [1]}`)}}
	}
	results, err := q.InsertMany(ctx, many)
	require.NoError(t, err)
	require.Len(t, results, len(many))
	n, err := q.InsertManyFast(ctx, many)
	require.NoError(t, err)
	require.Equal(t, len(many), n)
	last := q.until(t, ctx, river.EventKindJobCompleted, 2*len(many))
	require.Equal(t, []string{"many", "more"}, last.Job.Tags)
	_, sum := q.sum(t, ctx)
	require.Equal(t, 2*len(many), sum)

	list, err := q.JobList(ctx, river.NewJobListParams().Kinds("sum").States(rivertype.JobStateCompleted).Metadata(`{"a": [1]}`).First(1000))
	require.NoError(t, err)
	require.Len(t, list.Jobs, 2*len(many))
	got, err := q.JobGet(ctx, list.Jobs[0].ID)
	require.NoError(t, err)
	require.JSONEq(t, `{"n": 1, "then": ""}`, string(got.EncodedArgs))
	deleted, err := q.JobDeleteMany(ctx, river.NewJobDeleteManyParams().Kinds("sum").First(1000))
	require.NoError(t, err)
	require.Len(t, deleted.Jobs, 2*len(many))
	_, err = q.JobGet(ctx, list.Jobs[0].ID)
	require.ErrorIs(t, err, river.ErrNotFound)
}

func TestFailedJobsAreTriedAgain(t *testing.T) {
	ctx := limited(t)
	q := start(t, ctx, func(c *river.Config) { c.FetchPollInterval = 50 * time.Millisecond }) // no notification announces a retry
	_, err := q.Insert(ctx, sumArgs{N: 1, Then: "fail once"}, nil)
	require.NoError(t, err)
	failed := q.until(t, ctx, river.EventKindJobFailed, 1)
	require.Equal(t, "it doesn't add up", failed.Job.Errors[0].Error)
	done := q.until(t, ctx, river.EventKindJobCompleted, 1)
	require.Equal(t, 2, done.Job.Attempt)

	for _, then := range []string{"fail", "panic"} {
		_, err = q.Insert(ctx, sumArgs{Then: then}, &river.InsertOpts{MaxAttempts: 2})
		require.NoError(t, err)
		failed = q.until(t, ctx, river.EventKindJobFailed, 2)
		require.Equal(t, rivertype.JobStateDiscarded, failed.Job.State)
		require.Len(t, failed.Job.Errors, 2)
	}
	retried, err := q.JobRetry(ctx, failed.Job.ID)
	require.NoError(t, err)
	require.Equal(t, 3, retried.MaxAttempts)
	q.until(t, ctx, river.EventKindJobFailed, 1)
}

func TestUniqueScheduledAndCancelledJobs(t *testing.T) {
	ctx := limited(t)
	q := start(t, ctx, nil)
	later := &river.InsertOpts{ScheduledAt: time.Now().Add(time.Hour), UniqueOpts: river.UniqueOpts{ByArgs: true}}
	first, err := q.Insert(ctx, sumArgs{N: 7}, later)
	require.NoError(t, err)
	require.Equal(t, rivertype.JobStateScheduled, first.Job.State)
	second, err := q.Insert(ctx, sumArgs{N: 7}, later)
	require.NoError(t, err)
	require.True(t, second.UniqueSkippedAsDuplicate)
	require.Equal(t, first.Job.ID, second.Job.ID)
	cancelled, err := q.JobCancel(ctx, first.Job.ID)
	require.NoError(t, err)
	require.Equal(t, rivertype.JobStateCancelled, cancelled.State)

	// A running job's context ends when the job is cancelled. The client learns of that by LISTEN.
	running, err := q.Insert(ctx, sumArgs{Then: "wait"}, nil)
	require.NoError(t, err)
	require.Equal(t, running.Job.ID, <-q.worker.started)
	_, err = q.JobCancel(ctx, running.Job.ID)
	require.NoError(t, err)
	q.until(t, ctx, river.EventKindJobCancelled, 1)

	tx, err := q.d.SQL().BeginTx(ctx, nil)
	require.NoError(t, err)
	defer tx.Rollback()
	_, err = q.JobDeleteTx(ctx, tx, first.Job.ID)
	require.NoError(t, err)
	_, err = q.JobGetTx(ctx, tx, first.Job.ID)
	require.ErrorIs(t, err, river.ErrNotFound)
	require.NoError(t, tx.Rollback())
	_, err = q.JobGet(ctx, first.Job.ID)
	require.NoError(t, err)
}

func TestQueuesPauseAndResume(t *testing.T) {
	ctx := limited(t)
	q := start(t, ctx, nil)
	require.NoError(t, q.QueuePause(ctx, river.QueueDefault, nil))
	q.until(t, ctx, river.EventKindQueuePaused, 1)
	_, err := q.Insert(ctx, sumArgs{N: 1}, nil)
	require.NoError(t, err)
	got, err := q.QueueGet(ctx, river.QueueDefault)
	require.NoError(t, err)
	require.NotNil(t, got.PausedAt)
	require.NoError(t, q.QueueResume(ctx, river.QueueDefault, nil))
	q.until(t, ctx, river.EventKindQueueResumed, 1)
	_, err = q.Insert(ctx, sumArgs{N: 1}, nil) // a resumed queue looks for jobs when it is notified of one
	require.NoError(t, err)
	q.until(t, ctx, river.EventKindJobCompleted, 2)
}

// Each of River's migrations goes up and down, in the default schema and in a named one.
func TestMigrations(t *testing.T) {
	ctx := limited(t)
	d := open(t, testserver.Postgres(t).Database(t))
	for _, schema := range []string{"", "jobs"} {
		t.Run(fmt.Sprintf("schema %q", schema), func(t *testing.T) {
			if schema != "" {
				_, err := d.SQL().ExecContext(ctx, "create schema "+schema)
				require.NoError(t, err)
			}
			m, err := rivermigrate.New(d, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler), Schema: schema})
			require.NoError(t, err)
			up, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil)
			require.NoError(t, err)
			require.NotEmpty(t, up.Versions)
			valid, err := m.Validate(ctx, nil)
			require.NoError(t, err)
			require.True(t, valid.OK, "%v", valid.Messages)
			down, err := m.Migrate(ctx, rivermigrate.DirectionDown, &rivermigrate.MigrateOpts{TargetVersion: -1})
			require.NoError(t, err)
			require.Len(t, down.Versions, len(up.Versions))
		})
	}
}
