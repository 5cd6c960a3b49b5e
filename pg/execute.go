package pg

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/sqltext"
)

// An executor executes statements under a lease: it classifies a text, asks for types, encodes
// arguments, makes segments, and repeats those that had no effect.
type executor struct{ *lease }

func (s *lease) executor() executor { return executor{s} }

// maxAttempts bounds how often a statement with a stale plan is sent. A statement that another's
// cancel hits is sent again as often as that happens.
const maxAttempts = 6

// run is execute with calls of the tracer.
func (s executor) run(ctx context.Context, q *query) error {
	t := s.db.config.Tracer
	if t == nil || q.copyIn != nil {
		return s.perform(ctx, q)
	}
	ctx = t.TraceQueryStart(ctx, nil, pgx.TraceQueryStartData{SQL: q.text, Args: q.args})
	err := s.perform(ctx, q)
	if err == nil && q.stream.delivered() {
		q.stream.traced = func() {
			t.TraceQueryEnd(ctx, nil, pgx.TraceQueryEndData{CommandTag: q.row.tag, Err: q.row.err})
		}
		return nil
	}
	end := pgx.TraceQueryEndData{Err: err}
	if err == nil {
		end.CommandTag = q.steps[len(q.steps)-1].tag
	}
	t.TraceQueryEnd(ctx, nil, end)
	return err
}

// perform is execute, on the lanes of the server that a Reader's query is to go to.
func (s executor) perform(ctx context.Context, q *query) error {
	target, reads := q.access.isReaders()
	if !reads || s.session() != nil || s.db.roles == nil && target == ReadPrimary {
		return s.execute(ctx, q)
	}
	again := false
	return s.db.roles.read(ctx, target, func(on executor) error {
		if again {
			q.reset()
		}
		again, q.access = true, target.access()
		return on.execute(ctx, q)
	})
}

// execute runs a query. Afterwards its steps hold the answer, unless there is an error.
func (s executor) execute(ctx context.Context, q *query) error {
	q.shows = s.db.config.ShowParameters
	if !s.admits(q.last) {
		return q.failed(StageRun, s.late()) // before its arguments are asked for anything
	}
	if err := q.parseOptions(ctx); err != nil {
		return q.failed(StagePrepare, err)
	}
	s.resolveName(q)
	q.sql = q.text
	s.recognise(q)
	if q.copyIn != nil || q.copyOut {
		q.what.effects &^= copies
	}
	if q.local {
		q.what.effects &^= sqltext.LeavesState
		q.what.effects |= classify(q.inner).effects & (sqltext.LeavesState | sqltext.Redefines)
	}
	if err := s.check(&q.segment, q.what); err != nil {
		return q.failed(StageCheck, err)
	}
	if _, reads := q.access.isReaders(); reads {
		if err := s.forReader(q); err != nil {
			return q.failed(StageCheck, err)
		}
	}
	q.noRepeat = q.what.effects.Any(sqltext.CommitsItself | ofTx)
	q.commits = q.commits || q.what.effects.Any(sqltext.Commits)
	q.redefines = q.what.effects.Any(sqltext.Redefines)
	q.readsOnly = q.access == readOnly
	for attempt := 1; ; attempt++ {
		if stage, err := s.build(ctx, q); err != nil {
			if stage == StageEncode && attempt < maxAttempts && s.outdated(ctx, q) {
				continue
			}
			return q.failed(stage, err)
		}
		if err := s.do(q.shown(ctx), &q.segment); err != nil {
			return q.gaveUp(err)
		}
		if q.stream.delivered() {
			return nil // what comes of it shows when the rows are read
		}
		switch {
		case (attempt < maxAttempts || q.stray) && ctx.Err() == nil && (q.again || q.doubtful() && s.outdated(ctx, q)):
			if q.stray {
				attempt--
			}
			q.reset()
			s.count(&s.stats.Retries)
			continue
		case q.again && ctx.Err() != nil:
			return q.gaveUp(loop.ContextError(ctx)) // it had no effect
		case attempt < maxAttempts && s.refused(ctx, &q.segment):
			q.reset()
			s.count(&s.stats.Retries)
			continue
		case q.err != nil:
			return q.failed(StageRun, q.err)
		case q.failure != nil:
			return q.failed(q.stage(), q.failure)
		}
		return nil
	}
}

// recognise classifies the text, and gets its description from the cache if that may be kept.
func (s executor) recognise(q *query) {
	if q.mode == 0 {
		q.mode = s.db.config.ExecMode
	}
	cached := q.mode == pgx.QueryExecModeCacheStatement || q.mode == pgx.QueryExecModeCacheDescribe
	if !cached || q.isExec && len(q.args) == 0 {
		q.what = classify(q.text)
		return
	}
	q.desc = s.descs.get(q.text)
	q.what = q.desc.what
	if !q.what.effects.Any(sqltext.Varies) {
		return
	}
	// Its result is described when it is executed, which takes no round trip of its own.
	q.desc, q.mode = nil, pgx.QueryExecModeExec
	if len(q.args) > 0 || q.byOID != nil {
		q.mode = pgx.QueryExecModeDescribeExec // arguments, and formats by type, need to know the types before
	}
}

// dontKeep makes a statement of a batch run without being prepared, because an earlier statement of
// the batch changes what texts mean. A statement that was prepared before would have the old
// meaning. One that is prepared now would keep the batch's meaning for the next caller that
// executes it.
func (q *query) dontKeep() {
	switch {
	case q.mode != pgx.QueryExecModeCacheStatement:
	case len(q.args) == 0 && q.byOID == nil:
		q.desc, q.mode = nil, pgx.QueryExecModeExec
	default: // its arguments need to know their types
		q.mode = pgx.QueryExecModeCacheDescribe
	}
}

// doubtful reports whether the server rejected a parameter's value. Either the caller is wrong, or
// the parameter has another type now.
func (q *query) doubtful() bool {
	return q.failure != nil && !q.begun() && strings.HasPrefix(q.failure.Code, "22")
}

// outdated asks the server again for the types of a statement, and reports whether they have
// changed. It does so once for each query, and not in a transaction, which the error has ended.
func (s executor) outdated(ctx context.Context, q *query) bool {
	if q.fresh || q.desc == nil || q.inTx {
		return false
	}
	q.fresh = true
	old := q.desc.shape.Load()
	now, err := s.describe(ctx, q.text, false)
	if err != nil || old == nil || slices.Equal(old.params, now.params) && old.sameResult(now.fields) {
		return false
	}
	q.desc.shape.Store(now)
	s.count(&s.stats.Reprepared)
	return true
}

// check refuses a statement that can't run here, and records in the segment whether it leaves
// something behind.
func (s executor) check(g *segment, what verdict) error {
	if what.effects.Any(copies) || s.session() == nil && !what.effects.Pipelines() {
		return refused(what)
	}
	g.taints = g.taints || what.effects.Any(sqltext.LeavesState)
	g.sticks = g.sticks || what.effects.Any(sqltext.Sticks)
	g.obscure = g.obscure || what.effects.Any(sqltext.RunsCode)
	return nil
}

func (s *line) count(n *uint64) {
	s.mu.Lock()
	*n++
	s.mu.Unlock()
}

// build makes the segment.
func (s executor) build(ctx context.Context, q *query) (stage Stage, err error) {
	q.steps = q.oneStep[:0]
	q.discard = q.isExec
	q.simple, q.hidden = "", 0
	if q.mode == pgx.QueryExecModeSimpleProtocol && len(q.args) > 0 {
		return StageEncode, fmt.Errorf("%w: arguments with the simple protocol: use the mode exec, which takes one round trip, too, and needs no prepared statements: pgx.QueryExecModeExec before the arguments, or default_query_exec_mode=exec in the URL",
			ErrUnsupported)
	}
	if q.mode == pgx.QueryExecModeSimpleProtocol && q.begin != "" && q.what.statements == 1 && !q.copyOut && q.copyIn == nil {
		q.mode = pgx.QueryExecModeExec // with which the BEGIN travels; the simple protocol has a round trip for that
	}
	if q.isExec && len(q.args) == 0 && q.what.statements != 1 || q.mode == pgx.QueryExecModeSimpleProtocol {
		if q.limit > 0 || q.access == readOnly {
			return StageLimit, fmt.Errorf("%w: a Timeout or pgx.ReadOnly for the simple protocol, or for several statements", ErrUnsupported)
		}
		if q.begin != "" {
			if err := s.beginAlone(ctx, q); err != nil {
				return StageBegin, err
			}
			q.begin, q.begins = "", nil
		}
		q.simple = q.text
		if q.simple == "" {
			q.simple = ";"
		}
		q.steps = append(q.steps, step{})
		return "", nil
	}
	if q.begin != "" {
		st, err := s.plainStep(q.begin)
		if err != nil {
			return StageBegin, err
		}
		q.steps = append(q.steps, st)
	}
	for _, limit := range q.limits() {
		if q.inTx || q.begin != "" || s.hasTransaction() {
			return StageLimit, fmt.Errorf("%w: a Timeout or pgx.ReadOnly for a statement in a transaction: use SET LOCAL statement_timeout, or pgx.TxOptions", ErrUnsupported)
		}
		st, err := s.plainStep(limit)
		if err != nil {
			return StageLimit, err
		}
		q.steps = append(q.steps, st)
		q.hidden++
	}
	var st step
	if st, stage, err = s.step(ctx, q); err == nil {
		st.lasts = q.noRepeat
		q.steps = append(q.steps, st)
	}
	return stage, err
}

// step makes the step of a query, asking for a description first if it needs one.
func (s executor) step(ctx context.Context, q *query) (st step, stage Stage, err error) {
	var sh *shape
	switch {
	case q.isExec && len(q.args) == 0 || q.mode == pgx.QueryExecModeExec:
	case q.desc != nil:
		if sh = q.desc.shape.Load(); sh == nil {
			if sh, err = s.describe(ctx, q.text, q.inTx); err != nil {
				return st, StagePrepare, err
			}
			sh = q.desc.agreed(sh)
			q.fresh = true
		}
	case q.mode == pgx.QueryExecModeDescribeExec:
		if sh, err = s.describe(ctx, q.text, q.inTx); err != nil {
			return st, StagePrepare, err
		}
	default:
		return st, StagePrepare, fmt.Errorf("%w: %v", ErrUnsupported, q.mode)
	}
	st.formats = q.formats(sh)
	one := s.db.codec() // if an argument's method panics it isn't given back
	named := sh != nil && q.mode == pgx.QueryExecModeCacheStatement
	if named {
		st.desc, st.shape = q.desc, sh
		st.payload, err = one.bindNamed(q.smallOut[:0], q.desc.name, sh, st.formats, q.args)
	} else {
		st.payload, err = one.bindUnnamed(q.smallOut[:0], q.text, sh, st.formats, q.args, !q.isExec)
	}
	s.db.release(one)
	if err != nil {
		return st, StageEncode, err
	}
	return st, "", nil
}

// formats returns the formats of the result's columns.
func (q *query) formats(sh *shape) []int16 {
	switch {
	case q.forms != nil:
		return q.forms
	case sh == nil:
		return nil
	case q.byOID != nil:
		formats := make([]int16, len(sh.fields))
		for i := range formats {
			formats[i] = q.byOID[sh.fields[i].DataTypeOID]
		}
		return formats
	}
	return sh.formats
}

// describe asks the server for the types of a statement.
func (s executor) describe(ctx context.Context, sql string, inTx bool) (*shape, error) {
	for attempt := 1; ; attempt++ {
		g := &segment{sql: sql, harmless: true, inTx: inTx, shows: s.db.config.ShowParameters}
		payload, err := describeUnnamed(g.smallOut[:0], sql)
		if err != nil {
			return nil, err
		}
		g.steps = append(g.oneStep[:0], step{describes: true, payload: payload})
		if err := s.do(ctx, g); err != nil {
			return nil, err
		}
		switch {
		case g.again && ctx.Err() != nil:
			return nil, loop.ContextError(ctx)
		case g.again && (attempt < maxAttempts || g.stray):
			continue
		case g.err != nil:
			return nil, g.err
		case g.failure != nil:
			return nil, g.failed(StagePrepare, sql, g.failure)
		}
		one := s.db.codec()
		defer s.db.release(one)
		return newShape(one.types, g.steps[0].params, g.steps[0].fields), nil
	}
}

// hasTransaction reports whether a session was in a transaction when the server last answered.
func (s executor) hasTransaction() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session() != nil && len(s.conns) > 0 && s.conns[0].status != 'I'
}

// limits returns the statements that go before the query, in its own transaction, and hold for
// that. They are queries, so the transaction has a snapshot after them, and no later statement can
// make it read-write again.
func (q *query) limits() []string {
	var all []string
	if q.limit > 0 {
		ms := max(time.Duration(q.limit).Milliseconds(), 1)
		all = append(all, fmt.Sprintf("select set_config('statement_timeout', '%d', true)", ms))
	}
	if q.access == readOnly {
		all = append(all, "select set_config('transaction_read_only', 'on', true)")
	}
	return all
}

// plainStep makes the step of a statement without parameters and result.
func (s executor) plainStep(sql string) (step, error) {
	one := s.db.codec()
	defer s.db.release(one)
	payload, err := one.bindUnnamed(nil, sql, nil, nil, nil, false)
	return step{payload: payload}, err
}

// beginAlone begins a transaction in a segment of its own, for a text that can't share a segment
// with BEGIN.
func (s executor) beginAlone(ctx context.Context, of *query) error {
	q := &query{text: of.begin}
	q.inTx, q.begins = true, of.begins
	_, err := s.exec(ctx, q)
	return err
}

// exec runs a statement and throws its rows away.
func (s executor) exec(ctx context.Context, q *query) (pgconn.CommandTag, error) {
	q.isExec = true
	if err := s.run(ctx, q); err != nil {
		return pgconn.CommandTag{}, err
	}
	return q.steps[len(q.steps)-1].tag, nil
}

// query runs a statement and returns its rows, whose Err is the statement's error.
func (s executor) query(ctx context.Context, q *query) *Rows {
	r := &q.row
	r.db = s.db
	r.q = q
	if err := s.run(ctx, q); err != nil {
		r.err, r.closed = err, true
		return r
	}
	r.start(&q.steps[len(q.steps)-1], q)
	return r
}
