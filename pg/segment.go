package pg

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/seed1239206e/repaint/loop"
)

// A segment is what one caller sends and the server answers with one ReadyForQuery: a statement, or
// a batch, and its Sync. It is the unit of everything: it is queued, sent, answered, cancelled and
// repeated as a whole, and its bytes follow each other on the connection without a gap.
//
//	state      where it is                                               who may change it
//	new        with its maker                                            the maker
//	collected  in the list of a loop's tick                              the loop
//	queued     in the line's queue                                  under the line's mutex
//	sent       on a connection's list; the bytes in its buffer or gone   under the line's mutex
//	finished   off all lists; the result is there                        no lock; the waiter reads it
//
// While it is sent, its answer (cur, the steps' answers, failure) belongs to the connection's
// reader. When it is finished, the answer belongs to the waiter, which has been told. If abandoned
// is set there is no waiter any more.
type segment struct {
	lease *lease // the sender's

	// What to send. Set before it is submitted.
	sql       string // for errors
	simple    string // if not empty, this is a Query message, and there is one step for all its results
	steps     []step
	hidden    int8                            // how many steps stand before the caller's; they have no effect of their own
	discard   bool                            // the rows aren't wanted
	noRepeat  bool                            // one of its steps can commit by itself; see mayLast
	harmless  bool                            // has no effect, so it may be repeated whatever happened
	commits   bool                            // ends a transaction
	redefines bool                            // texts may mean something else afterwards
	last      bool                            // ends its lease
	taints    bool                            // leaves state behind in its session
	sticks    bool                            // the state can't be undone
	obscure   bool                            // may leave state behind, but the text doesn't show it
	soon      bool                            // the server must answer soon once its turn has come, or the connection is closed
	inTx      bool                            // belongs to a transaction of several segments
	shows     bool                            // its error may have values: Config.ShowParameters
	copyOut   bool                            // it is a COPY to the client, whose messages are the rows of the stream
	readsOnly bool                            // its sender wants the server to refuse what writes
	joins     bool                            // it may share its Sync with others
	begins    *lease                          // whose BEGIN it has, which must still be held; nil if it has none
	copyIn    *copyIn                         // it is a COPY from the client
	feed      func(ctx context.Context) error // puts the data of a copyIn
	stream    *stream                         // gets the rows, which then aren't kept; nil if they are
	opens     *lease                          // of the savepoint that it makes; may be nil

	// Guarded by the line's mutex.
	alone      bool  // it joins no group any more, because it was sent before
	place      uint8 // in its group, from 0; see joinedTo
	state      segmentState
	parses     bool     // its bytes change what the connection has prepared
	unread     bool     // its stream was closed, and the rest is read and thrown away
	exposed    bool     // the driver's cancel for another segment may hit it
	cancelled  bool     // the driver has asked the server to cancel it
	losses     int8     // connections that broke under it
	conn       *conn    // the connection that it was sent on
	next       *segment // the one after it in its group; nil if the Sync is its own, or it's the last. Doesn't change once its bytes are taken
	start, end uint64   // its place in all that was ever put into the connection's buffer
	since      int64    // when it was queued; or sent, if it measures the round trip. On the clock of nanotime

	abandoned atomic.Bool // the caller waits no longer

	// The answer.
	again   bool // it certainly had no effect: send it again
	stray   bool // the reason was the cancel of another statement
	stale   bool // it failed because the schema has changed since it was prepared
	effects effects
	cur     int // the step that is being answered
	failure *pgconn.PgError
	err     error // other than failure
	size    int   // of the rows that are kept

	// The last of these that isn't nil tells the waiter. If all are nil, it reads the connection
	// itself.
	ready   chan struct{} // with room for one
	promise *taskPromise
	then    func()

	oneStep  [1]step // for steps
	smallOut [88]byte
}

type segmentState uint8

const (
	stateNew segmentState = iota
	stateCollected
	stateQueued
	stateSent
	stateFinished
)

// A taskPromise is for a task, which waits for the segment and does nothing else. That of a COPY
// only says which loop it is. It is apart from the segment so that a plain goroutine's segment is as
// small as it can be.
type taskPromise struct {
	loop.Promise[struct{}]
	loop *loop.Loop
}

// waitsIn returns the loop whose task waits, nil if a goroutine waits.
func (g *segment) waitsIn() *loop.Loop {
	if g.promise == nil {
		return nil
	}
	return g.promise.loop
}

// A step is one statement of a segment.
type step struct {
	// If desc is set, this is a named prepared statement of this shape, and payload begins with
	// Bind. Otherwise payload is all there is.
	desc     *description
	shape    *shape
	prepared *preparedStatement // on the connection that it was put on
	formats  []int16            // of the result, as payload asks for them
	payload  []byte

	describes bool // nothing is executed, only described
	lasts     bool // commits by itself, maybe midway: an error doesn't undo it

	// The answer.
	parsed, bound, rowed, complete bool
	params                         []uint32
	fields                         []pgconn.FieldDescription
	rows                           rowStore
	tag                            pgconn.CommandTag
}

// reset makes a finished segment ready to be sent again. Only its waiter may call it.
func (g *segment) reset() {
	g.forgetAnswer()
	g.ready, g.promise, g.then = nil, nil, nil
}

// forgetAnswer makes a sent segment look unsent. Its waiter goes on waiting.
func (g *segment) forgetAnswer() {
	g.state, g.conn = stateNew, nil
	g.next, g.place, g.alone = nil, 0, true
	g.parses, g.unread, g.exposed, g.cancelled = false, false, false, false
	g.cur, g.failure, g.err, g.again, g.stray, g.stale, g.size, g.effects = 0, nil, nil, false, false, false, 0, 0
	for i := range g.steps {
		st := &g.steps[i]
		st.parsed, st.bound, st.rowed, st.complete, st.prepared = false, false, false, false, nil
		st.params, st.fields, st.rows, st.tag = nil, nil, rowStore{}, pgconn.CommandTag{}
	}
}

// tell wakes the waiter. It is called once for each time that the segment is finished, without
// locks.
func (g *segment) tell() {
	switch {
	case g.then != nil:
		g.then()
	case g.ready != nil:
		g.ready <- struct{}{}
	case g.promise != nil:
		g.promise.Resolve(struct{}{})
	}
}

// begun reports whether the server has accepted the parameters of the current step: from then on
// the statement may have had an effect.
func (g *segment) begun() bool {
	asked := int(g.hidden)
	if g.cur > asked || g.simple != "" {
		return true
	}
	return len(g.steps) > asked && g.steps[asked].bound
}

// answered reports whether part of the answer has come.
func (g *segment) answered() bool {
	return g.cur > 0 || g.failure != nil || len(g.steps) > 0 && (g.steps[0].parsed || g.steps[0].bound || g.steps[0].complete)
}

// mayLast reports whether a failed segment may have left something behind, because a statement that
// commits by itself had begun. A statement hasn't begun before the server has accepted its
// parameters.
func (g *segment) mayLast() bool {
	if g.noRepeat && g.simple != "" {
		return true
	}
	for i := range g.steps {
		if st := &g.steps[i]; st.lasts && st.bound {
			return true
		}
	}
	return false
}

// receive takes a message that belongs to the answer. An error means that the server doesn't keep
// to the protocol. It must not be ReadyForQuery.
func (g *segment) receive(msg pgproto3.BackendMessage) error {
	if e, ok := msg.(*pgproto3.ErrorResponse); ok {
		if g.failure != nil {
			return unexpected(msg, "after an error")
		}
		g.failure = pgconn.ErrorResponseToPgError(e)
		return nil
	}
	if g.failure != nil {
		return unexpected(msg, "after an error")
	}
	if _, ok := msg.(*pgproto3.CloseComplete); ok && g.simple == "" {
		return nil // of a prepared statement that made room
	}
	if g.cur >= len(g.steps) {
		return unexpected(msg, "after the last result")
	}
	st := &g.steps[g.cur]
	var err error
	if g.simple != "" {
		err = g.receiveSimple(st, msg)
	} else {
		err = g.receiveExtended(st, msg)
	}
	return err
}

// receiveRow takes a row, which is receive for the most frequent message.
func (g *segment) receiveRow(body []byte) error {
	switch {
	case g.failure != nil:
		return unexpected(theRow, "after an error")
	case g.cur >= len(g.steps):
		return unexpected(theRow, "after the last result")
	}
	st := &g.steps[g.cur]
	if !st.bound {
		return unexpected(theRow, "before the parameters were accepted, or without a description")
	}
	if !wellFormed(body) {
		return fmt.Errorf("%w: a row whose values don't fit into it", ErrProtocol)
	}
	st.rowed = true
	if g.simple == "" || !st.complete { // of several results of a text the first is kept
		g.keep(st, arrivingRow{body, false})
	}
	return nil
}

var theRow = new(pgproto3.DataRow)

func (g *segment) receiveExtended(st *step, msg pgproto3.BackendMessage) error {
	switch m := msg.(type) {
	case *pgproto3.ParseComplete:
		if st.parsed || st.bound {
			return unexpected(msg, "twice")
		}
		st.parsed = true
	case *pgproto3.BindComplete:
		if st.bound || st.describes {
			return unexpected(msg, "twice")
		}
		st.bound = true
	case *pgproto3.ParameterDescription:
		st.params = slices.Clone(m.ParameterOIDs)
	case *pgproto3.RowDescription:
		switch {
		case st.fields != nil:
			return unexpected(msg, "twice")
		case st.rowed:
			return unexpected(msg, "after a row")
		}
		st.fields = fieldsOf(m, st.formats)
		g.described(st)
	case *pgproto3.NoData:
		if st.rowed {
			return unexpected(msg, "after a row")
		}
		g.described(st)
	case *pgproto3.CommandComplete:
		if !st.bound {
			return unexpected(msg, "before the parameters were accepted")
		}
		st.tag = tagOf(m.CommandTag)
		g.effects |= effectsOf(st.tag)
		st.complete = true
		g.cur++
	case *pgproto3.EmptyQueryResponse:
		if !st.bound {
			return unexpected(msg, "before the parameters were accepted")
		}
		st.complete = true
		g.cur++
	default:
		return unexpected(msg, "in the answer to a statement")
	}
	return nil
}

// tagOf copies a command tag, the most frequent ones without memory.
func tagOf(b []byte) pgconn.CommandTag {
	switch string(b) {
	case "SELECT 1":
		return pgconn.NewCommandTag("SELECT 1")
	case "SELECT 0":
		return pgconn.NewCommandTag("SELECT 0")
	case "INSERT 0 1":
		return pgconn.NewCommandTag("INSERT 0 1")
	case "UPDATE 1":
		return pgconn.NewCommandTag("UPDATE 1")
	case "DELETE 1":
		return pgconn.NewCommandTag("DELETE 1")
	}
	return pgconn.NewCommandTag(string(b))
}

// keep stores a row if it is wanted.
func (g *segment) keep(st *step, row arrivingRow) {
	switch {
	case g.stream != nil:
		if g.cur == len(g.steps)-1 { // what is before it has rows that no caller has asked for
			g.stream.add(row)
		}
	case g.discard || g.abandoned.Load():
	case g.tooLarge(row):
		st.rows = rowStore{} // no caller will see them
	default:
		st.rows.add(row)
	}
}

// tooLarge counts a row, and reports whether the result is larger than Config.ResultLimit.
func (g *segment) tooLarge(row arrivingRow) bool {
	most := g.lease.db.config.ResultLimit
	if most <= 0 {
		return false
	}
	if g.size <= most {
		g.size += row.size()
	}
	return g.size > most
}

// described records a description, and ends a step that only describes.
func (g *segment) described(st *step) {
	if p := st.prepared; p != nil && !p.described {
		p.described, p.fields = true, st.fields
	}
	if st.describes {
		st.complete = true
		g.cur++
	}
}

// receiveSimple takes the answer to a Query message. Of several results the rows of the first are
// kept, and the last tag.
func (g *segment) receiveSimple(st *step, msg pgproto3.BackendMessage) error {
	switch m := msg.(type) {
	case *pgproto3.RowDescription:
		st.bound = true // rows follow
		if st.fields == nil {
			st.fields = fieldsOf(m, nil)
		}
	case *pgproto3.CommandComplete:
		st.tag = tagOf(m.CommandTag)
		g.effects |= effectsOf(st.tag)
		st.complete = true
	case *pgproto3.EmptyQueryResponse:
		st.complete = true
	case *pgproto3.CopyOutResponse, *pgproto3.CopyDone:
		if !g.copyOut {
			return unexpected(msg, "in the answer to a query")
		}
	case *pgproto3.CopyData:
		if !g.copyOut {
			return unexpected(msg, "in the answer to a query")
		}
		g.keep(st, arrivingRow{m.Data, true})
	default:
		return unexpected(msg, "in the answer to a query")
	}
	return nil
}

// ended checks, at ReadyForQuery, that the answer is complete.
func (g *segment) ended() error {
	if g.failure != nil {
		return nil
	}
	for i := range g.steps {
		if !g.steps[i].complete {
			return fmt.Errorf("%w: ReadyForQuery came before the answer was complete", ErrProtocol)
		}
	}
	return nil
}

func unexpected(msg pgproto3.BackendMessage, when string) error {
	return fmt.Errorf("%w: %T came %s", ErrProtocol, msg, when)
}

// fieldsOf copies a description. With formats, they are the ones that the rows will have: one for
// each column, or one for all.
func fieldsOf(m *pgproto3.RowDescription, formats []int16) []pgconn.FieldDescription {
	fields := make([]pgconn.FieldDescription, len(m.Fields))
	for i, f := range m.Fields {
		fields[i] = pgconn.FieldDescription{
			Name:                 string(f.Name),
			TableOID:             f.TableOID,
			TableAttributeNumber: f.TableAttributeNumber,
			DataTypeOID:          f.DataTypeOID,
			DataTypeSize:         f.DataTypeSize,
			TypeModifier:         f.TypeModifier,
			Format:               f.Format,
		}
		if formats != nil {
			fields[i].Format = formatOf(formats, i)
		}
	}
	return fields
}
