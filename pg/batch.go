package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/sqltext"
)

// batch runs the statements of a batch as one segment, with one Sync. So they are one transaction,
// unless there is one already. within, if it isn't nil, runs them in a transaction.
func (s executor) batch(ctx context.Context, b *pgx.Batch, within inside) *batchResults {
	return s.batchOf(ctx, b, within, asItIs)
}

// batchOf is batch with an access.
func (s executor) batchOf(ctx context.Context, b *pgx.Batch, within inside, may access) *batchResults {
	br := &batchResults{b: b}
	if len(b.QueuedQueries) == 0 {
		return br
	}
	if s.ended() {
		br.err = (&query{text: b.QueuedQueries[0].SQL}).failed(StageRun, s.late())
		return br
	}
	items := make([]*query, len(b.QueuedQueries))
	for i, queued := range b.QueuedQueries {
		items[i] = &query{row: Rows{db: s.db}, text: queued.SQL, args: queued.Arguments}
		items[i].shows = s.db.config.ShowParameters
		if err := items[i].parseOptions(ctx); err != nil {
			br.fail(i, items[i].failed(StagePrepare, err))
			return br
		}
		if items[i].limit > 0 || items[i].access == readOnly {
			br.fail(i, items[i].failed(StageLimit, fmt.Errorf("%w: a Timeout or pgx.ReadOnly in a batch: use pgx.TxOptions, or a Reader", ErrUnsupported)))
			return br
		}
		queued.SQL, queued.Arguments = items[i].text, items[i].args
	}
	br.items = items
	whole := &query{text: items[0].text}
	whole.shows = s.db.config.ShowParameters
	whole.sql = whole.text
	whole.access = may
	tracer, traced := s.db.config.Tracer.(pgx.BatchTracer)
	if traced {
		ctx = tracer.TraceBatchStart(ctx, nil, pgx.TraceBatchStartData{Batch: b})
	}
	run := func() error { return s.performBatch(ctx, br, whole) }
	start := time.Now()
	if within == nil {
		br.err = run()
	} else {
		br.err = within(ctx, whole, run)
	}
	if traced {
		for i, q := range items {
			data := pgx.TraceBatchQueryData{SQL: q.text, Args: q.args, Err: br.err, ReadStartTime: start}
			if i < len(br.steps) {
				data.CommandTag = br.steps[i].tag
			}
			tracer.TraceBatchQuery(ctx, nil, data)
		}
		tracer.TraceBatchEnd(ctx, nil, pgx.TraceBatchEndData{Err: br.err})
	}
	return br
}

// performBatch is runBatch, on the lanes of the server that a Reader's batch is to go to.
func (s executor) performBatch(ctx context.Context, br *batchResults, whole *query) error {
	target, reads := whole.access.isReaders()
	if !reads || s.session() != nil || s.db.roles == nil && target == ReadPrimary {
		return s.runBatch(ctx, br, whole)
	}
	again := false
	return s.db.roles.read(ctx, target, func(on executor) error {
		if again {
			whole.reset()
		}
		again, whole.access = true, target.access()
		return on.runBatch(ctx, br, whole)
	})
}

func (s executor) runBatch(ctx context.Context, br *batchResults, whole *query) error {
	_, reader := whole.access.isReaders()
	whole.harmless = reader && s.session() == nil
	switch {
	case !reader:
	case s.session() != nil:
		whole.access = readOnly
	default: // the connection only reads
		whole.access = asItIs
	}
	for i, q := range br.items {
		s.resolveName(q)
		s.recognise(q)
		if whole.redefines {
			q.dontKeep()
		}
		if q.mode == pgx.QueryExecModeSimpleProtocol {
			q.mode = pgx.QueryExecModeExec
		}
		if err := s.check(&whole.segment, q.what); err != nil {
			return br.fail(i, q.failed(StageCheck, err))
		}
		if reader {
			if err := readerRefuses(q.what); err != nil {
				return br.fail(i, q.failed(StageCheck, err))
			}
			whole.harmless = whole.harmless && q.what.onlyReads()
		}
		if q.desc != nil && len(q.args) == 0 && q.what.effects.Any(sqltext.ControlsTx) {
			q.desc, q.mode = nil, pgx.QueryExecModeExec // it has no result to be described
		}
		q.noRepeat = q.what.effects.Any(sqltext.CommitsItself | ofTx)
		whole.noRepeat = whole.noRepeat || q.noRepeat
		whole.commits = whole.commits || q.what.effects.Any(sqltext.Commits)
		whole.redefines = whole.redefines || q.what.effects.Any(sqltext.Redefines)
	}
	for attempt := 1; ; attempt++ {
		if err := s.describeAll(ctx, br, whole.inTx); err != nil {
			return err
		}
		if i, err := s.buildBatch(ctx, br.items, whole); err != nil {
			if ctx.Err() != nil || errors.Is(err, ErrConnLost) || errors.Is(err, ErrClosed) {
				return err // no statement's fault
			}
			return br.fail(i, err)
		}
		if err := s.do(ctx, &whole.segment); err != nil {
			return whole.gaveUp(err)
		}
		hidden := len(whole.steps) - len(br.items) // BEGIN, or what makes it read-only
		switch {
		case whole.again && (attempt < maxAttempts || whole.stray) && ctx.Err() == nil:
			whole.reset()
			s.count(&s.stats.Retries)
			continue
		case whole.again && ctx.Err() != nil:
			return whole.gaveUp(loop.ContextError(ctx))
		case attempt < maxAttempts && s.refused(ctx, &whole.segment):
			whole.reset()
			s.count(&s.stats.Retries)
			continue
		case whole.err != nil:
			return whole.failed(StageRun, whole.err)
		case whole.failure != nil:
			if whole.cur < hidden {
				return whole.segment.failed(StageBegin, whole.text, whole.failure)
			}
			at := min(whole.cur-hidden, len(br.items)-1)
			return br.fail(at, whole.segment.failed(whole.stage(), br.items[at].text, whole.failure, br.items[at].args...))
		}
		br.steps = whole.steps[hidden:]
		return nil
	}
}

// describeAll asks for the types of all statements of a batch that aren't known, in one segment.
func (s executor) describeAll(ctx context.Context, br *batchResults, inTx bool) error {
	for attempt := 1; ; attempt++ {
		g := &segment{harmless: true, inTx: inTx, shows: s.db.config.ShowParameters}
		var which []int
		asked := map[*description]bool{}
		for i, q := range br.items {
			if q.desc == nil || q.desc.shape.Load() != nil || asked[q.desc] {
				continue
			}
			payload, err := describeUnnamed(nil, q.text)
			if err != nil {
				return br.fail(i, q.failed(StagePrepare, err))
			}
			asked[q.desc] = true
			which = append(which, i)
			g.steps = append(g.steps, step{describes: true, payload: payload})
		}
		if len(which) == 0 {
			return nil
		}
		g.sql = br.items[which[0]].text
		if err := s.do(ctx, g); err != nil {
			return br.items[which[0]].gaveUp(err)
		}
		at := which[min(g.cur, len(which)-1)]
		switch {
		case g.again && ctx.Err() == nil && (attempt < maxAttempts || g.stray):
			continue
		case g.again && ctx.Err() != nil:
			return br.items[at].gaveUp(loop.ContextError(ctx))
		case g.err != nil:
			return g.failed(StagePrepare, br.items[at].text, g.err)
		case g.failure != nil:
			return br.fail(at, g.failed(StagePrepare, br.items[at].text, g.failure))
		}
		one := s.db.codec()
		for k, i := range which {
			br.items[i].desc.agreed(newShape(one.types, g.steps[k].params, g.steps[k].fields))
		}
		s.db.release(one)
	}
}

// buildBatch makes the steps. If it can't make one, it returns its index and the reason.
func (s executor) buildBatch(ctx context.Context, items []*query, whole *query) (int, error) {
	whole.steps = make([]step, 0, len(items)+2)
	if whole.begin != "" {
		st, err := s.plainStep(whole.begin)
		if err != nil {
			return 0, err
		}
		whole.steps = append(whole.steps, st)
	}
	whole.hidden = 0
	for _, limit := range whole.limits() {
		st, err := s.plainStep(limit)
		if err != nil {
			return 0, err
		}
		whole.steps = append(whole.steps, st)
		whole.hidden++
	}
	for i, q := range items {
		st, stage, err := s.step(ctx, q)
		if err != nil {
			return i, q.failed(stage, err)
		}
		st.lasts = q.noRepeat
		whole.steps = append(whole.steps, st)
	}
	return 0, nil
}

// batchResults implements pgx.BatchResults. All results are in memory.
type batchResults struct {
	b      *pgx.Batch
	items  []*query
	steps  []step // nil if it failed
	err    error
	next   int
	closed bool
	tx     *Tx // that the batch began; nil if it begins none
}

var _ pgx.BatchResults = (*batchResults)(nil)

// fail records which statement failed, and returns the error that says so.
func (br *batchResults) fail(i int, err error) error {
	br.err = &BatchError{Index: i, Count: len(br.b.QueuedQueries), Err: err}
	return br.err
}

var errNoMore = errors.New("pg: the batch has no more results")

// take returns the answer to the next statement.
func (br *batchResults) take() (*query, *step, error) {
	switch {
	case br.closed:
		return nil, nil, fmt.Errorf("%w: the batch's results", ErrClosed)
	case br.err != nil:
		return nil, nil, br.err
	case br.next >= len(br.steps):
		return nil, nil, errNoMore
	}
	i := br.next
	br.next++
	return br.items[i], &br.steps[i], nil
}

// Exec returns the result of the next statement.
func (br *batchResults) Exec() (pgconn.CommandTag, error) {
	_, st, err := br.take()
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	return st.tag, nil
}

// Query returns the rows of the next statement.
func (br *batchResults) Query() (pgx.Rows, error) {
	r := br.rows()
	return r, r.err
}

// QueryRow returns the first row of the next statement.
func (br *batchResults) QueryRow() pgx.Row { return (*row)(br.rows()) }

func (br *batchResults) rows() *Rows {
	q, st, err := br.take()
	if err != nil {
		return &Rows{err: err, closed: true}
	}
	r := &q.row
	r.q = q
	r.start(st, q)
	return r
}

// Close calls the functions of the statements whose results haven't been taken, and returns the
// first error.
func (br *batchResults) Close() error {
	if br.closed {
		return br.err
	}
	defer func() { br.closed = true }() // also if a function panics
	for br.err == nil && br.next < len(br.steps) {
		queued := br.b.QueuedQueries[br.next]
		if queued.Fn == nil {
			br.next++
			continue
		}
		if err := queued.Fn(br); err != nil {
			br.err = err
		}
	}
	return br.err
}

// Tx returns the transaction that the batch began, see [pgx.Batch.BeginTx]. It returns nil if the
// batch begins none. If the batch failed to begin it, the transaction is over already.
func (br *batchResults) Tx() pgx.Tx {
	if br.tx == nil {
		return nil
	}
	return br.tx
}
