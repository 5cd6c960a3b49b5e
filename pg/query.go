package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A query is one statement of a caller, from its text to its result. It and its segment are one
// piece of memory.
type query struct {
	segment
	row    Rows // in the same piece of memory
	text   string
	args   []any
	forms  pgx.QueryResultFormats
	byOID  pgx.QueryResultFormatsByOID
	begin  string // a statement to execute before it, in the same segment
	desc   *description
	what   verdict
	mode   pgx.QueryExecMode
	isExec bool
	fresh  bool   // the types have just been asked for
	local  bool   // its leftovers end with its transaction
	access access // whether the server must refuse writes
	inner  string // the text for which it declares a cursor; it has no effect until a fetch
	limit  Timeout
}

// An access says what a statement may do.
type access uint8

const (
	asItIs   access = iota // as the connection may
	readOnly               // only read: a hidden step makes the server refuse writes
	ofReader               // a Reader's statement, and after it those of its other targets; [executor.forReader] makes it one of the others
)

// access returns the access of a statement of a Reader with this target.
func (t ReaderTarget) access() access { return ofReader + access(t) }

// isReaders reports whether the access is a Reader's, and which target the Reader has.
func (a access) isReaders() (t ReaderTarget, is bool) {
	if a < ofReader {
		return 0, false
	}
	return ReaderTarget(a - ofReader), true
}

// parseOptions removes the options that stand before the arguments, as in pgx.
func (q *query) parseOptions(ctx context.Context) error {
	for len(q.args) > 0 {
		switch o := q.args[0].(type) {
		case pgx.QueryExecMode:
			q.mode = o
		case pgx.QueryResultFormats:
			q.forms = o
		case pgx.QueryResultFormatsByOID:
			q.byOID = o
		case Timeout:
			q.limit = o
		case pgx.TxAccessMode:
			if o != pgx.ReadOnly {
				return fmt.Errorf("%w: the access mode %q for a statement: only pgx.ReadOnly is possible", ErrUnsupported, o)
			}
			q.access = max(q.access, readOnly)
		case pgx.QueryRewriter:
			text, args, err := o.RewriteQuery(ctx, nil, q.text, q.args[1:])
			if err != nil {
				return fmt.Errorf("rewriting the query: %w", err)
			}
			q.text, q.args = text, args
			return nil
		default:
			return nil
		}
		q.args = q.args[1:]
	}
	return nil
}

// A Timeout is an option that can stand before the arguments of Exec, Query, QueryRow and Stream:
// the server itself cancels the statement if it takes longer. It travels with the statement, in the
// same segment; the server counts in milliseconds. The error is the server's *pgconn.PgError, with
// the SQLSTATE 57014. In a transaction, where it would also apply to later statements, it gets
// [ErrUnsupported]: use "set local statement_timeout" there.
type Timeout time.Duration

// stage says how far a statement got that the server refused.
func (g *segment) stage() Stage {
	if !g.begun() {
		return StagePrepare
	}
	return StageRun
}

// failed returns the error of a statement.
func (q *query) failed(stage Stage, err error) error {
	return q.segment.failed(stage, q.text, err, q.args...)
}

func (g *segment) failed(stage Stage, sql string, err error, args ...any) error {
	if e, ok := err.(*StatementError); ok {
		return e
	}
	e := &StatementError{SQL: shorten(sql), Stage: stage, Err: explain(err)}
	var lost *LostError
	e.MaybeApplied = errors.As(err, &lost) && lost.MaybeApplied
	switch {
	case g.conn != nil:
		e.Host = g.conn.w.host
		var hook *callbackError
		executed := errors.As(err, &hook) && hook.server == nil && !g.harmless && (!g.inTx || g.commits)
		e.MaybeApplied = e.MaybeApplied || executed
	case g.lease != nil && stage == StageRun: // it was refused, or has waited in vain
		e.unsent = true
		if !isLate(err) {
			e.Stage = StageWait
		}
	}
	if !g.shows {
		e.conceal(sql, args)
	}
	return e
}

// gaveUp returns the error of a statement that wasn't submitted, or whose caller no longer waits.
// Its segment may still be in use.
func (q *query) gaveUp(err error) error {
	e := &StatementError{SQL: shorten(q.text), Stage: StageWait, Err: err, unsent: true}
	if isLate(err) {
		e.Stage = StageRun
	}
	if s := q.lease; s != nil {
		s.mu.Lock()
		if c := q.conn; c != nil {
			e.Stage, e.Host, e.MaybeApplied, e.unsent = StageRun, c.w.host, q.mayBeApplied(), false
		} else if isEnd(err) {
			e.Err = s.of.crowded(err)
		}
		s.mu.Unlock()
	}
	return e
}

// mayBeApplied reports whether a segment that its caller gave up may still be applied. The caller
// must hold the mutex.
func (g *segment) mayBeApplied() bool {
	switch {
	case g.conn == nil, !g.abandoned.Load() && !g.stream.isClosed(), g.harmless, g.inTx && !g.commits:
		return false
	}
	return g.copyIn == nil || g.copyIn.done
}

// resultFields returns the description of a step's rows, as the server described the statement on
// the connection that it ran on.
func (st *step) resultFields() ([]pgconn.FieldDescription, error) {
	if st.fields != nil || st.prepared == nil {
		return st.fields, nil
	}
	if !st.prepared.described {
		return nil, fmt.Errorf("%w: the server didn't describe the result", ErrProtocol)
	}
	fields := st.prepared.fields
	for i := range fields {
		if f := formatOf(st.formats, i); f != fields[i].Format {
			fields = slices.Clone(fields)
			fields[i].Format = f
		}
	}
	return fields, nil
}

// formatOf returns the format of a column, given the formats that were asked for.
func formatOf(formats []int16, i int) int16 {
	switch {
	case len(formats) == 1:
		return formats[0]
	case i < len(formats):
		return formats[i]
	}
	return pgx.TextFormatCode
}
