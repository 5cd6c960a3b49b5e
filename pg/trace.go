package pg

import (
	"fmt"
	"reflect"

	"github.com/seed1239206e/repaint/loop"
)

// For the tracers of package loop each connection is a track: a lane or a session, with the number
// of its process on the server. A statement is on the track from when it is put into the
// connection's buffer until its answer has come.

// track names the connection.
func (c *conn) track() string {
	kind := "lane"
	if c.line.session() != nil {
		kind = "session"
	}
	return fmt.Sprintf("%s %d", kind, c.w.pid)
}

// numberOf returns a number that no other segment under way has.
func numberOf(g *segment) uint64 { return uint64(reflect.ValueOf(g).Pointer()) }

func (c *conn) traceSent(g *segment) {
	text := g.sql
	if len(g.steps) > 0 && g.steps[len(g.steps)-1].describes {
		text = "describe " + text
	}
	loop.Trace(loop.TraceEvent{Kind: loop.StatementSent, Track: c.track(), ID: numberOf(g), Text: text})
}

// takenBack is the end, on a track, of a statement that leaves its connection before any of it has
// been sent.
const takenBack = "taken back before it was sent"

// traceEnd tells the tracers that a statement has ended. Of a server's error it shows only the
// SQLSTATE, because the message may have values.
func (c *conn) traceEnd(g *segment, how string) {
	if how == "" && g.failure != nil {
		how = "error " + g.failure.Code
	}
	loop.Trace(loop.TraceEvent{Kind: loop.StatementEnds, Track: c.track(), ID: numberOf(g), Text: how})
}

func (c *conn) traceFlush(n int) {
	loop.Trace(loop.TraceEvent{Kind: loop.Flush, Track: c.track(), N: n})
}
