package pg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/explore"
)

// In a loop that explores schedules, each statement is a step. A goroutine of the explorer sends it
// when the schedule reaches it, and nothing else runs until the statement is answered or waits for
// a lock. So there are no lanes, BEGIN travels alone, and the driver waits on the spot for what a
// session does between two owners. A COPY is one step, whose data is gathered before. The beginning
// of a stream is a step, and the driver waits on the spot for the rest. After each step, listeners
// have got the notifications that it sent.

// explorer returns the explorer of the calling goroutine's loop, or nil if it has none.
func explorer() explore.Explorer { return explore.At(repaint.CurrentLoop) }

// pipelines reports whether the caller's statements ride on lanes.
func (db *DB) pipelines() bool { return db.config.Pipeline && explorer() == nil }

// argsKey is the context key of the arguments of the statement that is executed, as text to be
// shown.
type argsKey struct{}

// shown returns a context with the query's arguments, in a loop that explores.
func (q *query) shown(ctx context.Context) context.Context {
	if len(q.args) == 0 || explorer() == nil {
		return ctx
	}
	var all []string
	for _, a := range q.args {
		all = append(all, explore.Short(fmt.Sprint(a)))
	}
	return context.WithValue(ctx, argsKey{}, strings.Join(all, ", "))
}

// doStep does what do does, as a step. What the driver asks by itself isn't a step: doStep waits
// for it on the spot.
func (s *lease) doStep(ctx context.Context, e explore.Explorer, g *segment) error {
	if g.harmless {
		return s.doBlocking(ctx, g)
	}
	args, _ := ctx.Value(argsKey{}).(string)
	var failed error
	err := e.Execute(ctx, explore.Statement{
		Text:    g.sql,
		Args:    args,
		Partial: len(g.steps) > 1 || g.stream != nil,
		Server:  s.db.server(),
		Session: s.backend(),
		Break:   s.sever,
		Lost:    &LostError{MaybeApplied: true, Err: io.ErrUnexpectedEOF},
		Raise: func(ctx context.Context, state string) error {
			q := &query{text: explore.RaisePostgres(state)}
			q.inTx = g.inTx
			_, err := s.executor().exec(ctx, q)
			return err
		},
		Hasten: explore.Hastener(s.aside),
	}, func(ctx context.Context) (string, error) {
		if failed = s.doPlainly(ctx, g); failed != nil {
			return "", failed
		}
		if g.stream.delivered() {
			return "a stream", nil
		}
		return g.show(s.db)
	})
	s.db.hear(ctx)
	if g.stream.delivered() { // the rest belongs to the reader of its rows
		return failed
	}
	var raised *pgconn.PgError
	switch lost := (*LostError)(nil); {
	case g.state != stateNew:
		if failed == nil && errors.As(err, &lost) && g.err == nil && g.failure == nil { // as a fault of the schedule
			g.err = lost
		}
		return failed
	case errors.As(err, &raised): // another statement's
		g.failure, g.state = raised, stateFinished
		return nil
	}
	return err // the context ended before the statement's turn came
}

// hear waits until the listeners that tasks have made have got every notification so far. A server
// sends notifications before it answers.
func (db *DB) hear(ctx context.Context) {
	h := &db.hearing
	h.mu.Lock()
	h.all = slices.DeleteFunc(h.all, func(l *Listener) bool { return l.ctx.Err() != nil })
	all := slices.Clone(h.all)
	h.mu.Unlock()
	for _, l := range all {
		_ = l.Ping(context.WithoutCancel(ctx)) // a listener whose connection has broken hears nothing
	}
}

// A hearing holds the listeners that tasks of loops that explore have made.
type hearing struct {
	mu  sync.Mutex // held for moments
	all []*Listener
}

// heard adds a listener to the hearing, in a loop that explores.
func (db *DB) heard(l *Listener) {
	if explorer() == nil {
		return
	}
	db.hearing.mu.Lock()
	defer db.hearing.mu.Unlock()
	db.hearing.all = append(db.hearing.all, l)
}

// gathered returns a source that has all rows of a COPY already, in a loop that explores. The COPY
// is one step, and the task that makes the rows can't run during it.
func gathered(rows pgx.CopyFromSource) pgx.CopyFromSource {
	if explorer() == nil {
		return rows
	}
	g := &gatheredRows{}
	for g.err == nil && rows.Next() {
		var values []any
		if values, g.err = rows.Values(); g.err == nil {
			g.rows = append(g.rows, slices.Clone(values))
		}
	}
	if g.err == nil {
		g.err = rows.Err()
	}
	return g
}

type gatheredRows struct {
	rows [][]any // those from next on are left
	next int
	err  error // after them
}

func (g *gatheredRows) Next() bool {
	g.next++
	return g.next <= len(g.rows)
}

func (g *gatheredRows) Values() ([]any, error) { return g.rows[g.next-1], nil }
func (g *gatheredRows) Err() error             { return g.err }

// gatheredBytes does for a reader what gathered does for rows.
func gatheredBytes(ctx context.Context, r io.Reader) (io.Reader, error) {
	if explorer() == nil {
		return r, nil
	}
	all, err := repaint.Block(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(r) })
	return bytes.NewReader(all), err
}

// sever breaks the connection, as a fault that the schedule injects.
func (s *line) sever() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.w.net.Close() // it is lost anyway
	}
}

// aside sends a statement of the explorer on the session. The statement leaves nothing to be
// undone.
func (s *lease) aside(ctx context.Context, text string) ([][]string, error) {
	g := &segment{sql: text, simple: text, harmless: true}
	g.steps = append(g.oneStep[:0], step{})
	if err := s.do(ctx, g); err != nil {
		return nil, err
	}
	if g.err != nil {
		return nil, g.err
	}
	if g.failure != nil {
		return nil, g.failure
	}
	var rows [][]string
	for cursor := g.steps[0].rows.cursor(); ; {
		row, ok := cursor.next()
		if !ok {
			return rows, nil
		}
		var texts []string
		for range row.count {
			texts = append(texts, string(row.value()))
		}
		rows = append(rows, texts)
	}
}

// backend returns the process ID of the server's end of the session's connection, or 0 without a
// connection.
func (s *line) backend() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) == 0 {
		return 0
	}
	return int64(s.conns[0].w.pid)
}

// show returns a text for the answer to a finished segment.
func (g *segment) show(db *DB) (string, error) {
	switch {
	case g.err != nil:
		return "", g.err
	case g.failure != nil:
		return "", g.failure
	case len(g.steps) == 0:
		return "done", nil
	}
	last := &g.steps[len(g.steps)-1]
	switch {
	case last.rows.count == 1:
		return last.showRow(db), nil
	case last.rows.count > 1 || last.tag.RowsAffected() > 0 || last.tag.Select():
		return explore.Count(int(last.tag.RowsAffected()), "row"), nil
	}
	return "done", nil
}

// showRow returns a text for the values of the only row.
func (st *step) showRow(db *DB) string {
	r := &Rows{db: db, cursor: st.rows.cursor()}
	defer func() { // but not the rows, which are the caller's
		if r.codec != nil {
			db.release(r.codec)
		}
	}()
	if r.fields, r.err = st.resultFields(); r.err != nil || !r.Next() {
		return "1 row"
	}
	values, err := r.Values()
	if err != nil {
		return "1 row"
	}
	var all []string
	for _, v := range values {
		text := "null"
		if v != nil {
			text = explore.Short(fmt.Sprint(v))
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// untilReturned waits, in a loop that explores, until connections that were given back are ready
// again.
func (p *pool) untilReturned() {
	p.waitWhile(func() bool { return p.readying > 0 })
}

// untilConnected waits, in a loop that explores, until the pool isn't opening or readying any
// connection, or no caller waits for one.
func (p *pool) untilConnected() {
	p.waitWhile(func() bool { return p.connecting+p.readying > 0 && len(p.waiters) > 0 })
}

// waitWhile blocks while a condition holds, in a loop that explores. It evaluates the condition
// with the mutex.
func (p *pool) waitWhile(holds func() bool) {
	waitWhile(func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return holds()
	})
}

// waitWhile blocks while a condition holds, in a loop that explores, for recycleTimeout at most.
func waitWhile(holds func() bool) {
	if explorer() == nil {
		return
	}
	const often = 50 * time.Microsecond
	for began := time.Now(); time.Since(began) < recycleTimeout && holds(); {
		time.Sleep(often)
	}
}

// An asking is a connection on which the explorer asks the server which sessions wait for locks.
type asking struct {
	mu     sync.Mutex // held during a query
	server *explore.Postgres
	conn   *pgconn.PgConn // nil before the first query
}

// server returns the DB's server, as the explorer asks it.
func (db *DB) server() explore.Server {
	db.asking.mu.Lock()
	defer db.asking.mu.Unlock()
	if db.asking.server == nil {
		db.asking.server = &explore.Postgres{Query: db.ask}
	}
	return db.asking.server
}

// ask sends a query of the explorer on a connection that has no other use.
func (db *DB) ask(ctx context.Context, text string) ([][]string, error) {
	a := &db.asking
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn == nil {
		at := &attempts{config: db.config.Conn, db: db}
		err := at.before(ctx, db.config)
		if err == nil {
			a.conn, err = pgconn.ConnectConfig(ctx, at.config)
		}
		if err != nil {
			return nil, err
		}
	}
	results, err := a.conn.Exec(ctx, text).ReadAll()
	if err != nil {
		_ = a.conn.Close(ctx) // the error says more
		a.conn = nil
		return nil, err
	}
	var rows [][]string
	for _, r := range results {
		for _, values := range r.Rows {
			var row []string
			for _, v := range values {
				row = append(row, string(v))
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// endAsking closes the connection of ask.
func (db *DB) endAsking() {
	a := &db.asking
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn == nil {
		return
	}
	ctx, done := context.WithTimeout(context.Background(), db.config.CancelTimeout)
	defer done()
	_ = a.conn.Close(ctx) // the server has nothing to clean up
	a.conn = nil
}
