package pg

import (
	"fmt"
	"maps"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/sqltext"
)

// A statement's text (classify), its command tag and the server's reports of settings show what it
// leaves behind on its connection. On a session that is undone at the release. A lane on which
// something is left is closed, and no caller gets the results of statements that ran on it
// meanwhile.

// effects are what the server's command tags say about the statements of a segment, whatever their
// texts are.
type effects uint8

const (
	effectState   effects = 1 << iota // something is left behind on the connection
	effectSetting                     // so that other statements may mean something else
	effectSchema                      // names may mean something else
	effectAlter                       // an object has changed
	effectDrop                        // an object has gone, and may come again as another
	effectUndo                        // a transaction, or a part of it, was rolled back
)

// effectsOf reads a command tag.
func effectsOf(tag pgconn.CommandTag) (e effects) {
	if tag.Select() || tag.Insert() || tag.Update() || tag.Delete() {
		return 0
	}
	// A tag begins as its statement does, so it is classified as one.
	text := tag.String()
	if classify(text).effects.Any(sqltext.LeavesState | ofTx) {
		e = effectState
	}
	switch word, _, _ := strings.Cut(text, " "); word {
	case "SET", "RESET":
		e |= effectSetting
	case "DISCARD":
		e |= effectSetting | effectSchema
	case "DEALLOCATE", "CREATE":
		e |= effectSchema
	case "ALTER":
		e |= effectSchema | effectAlter
	case "DROP":
		e |= effectSchema | effectDrop
	case "ROLLBACK":
		if text == word { // not ROLLBACK PREPARED, which is about another transaction
			e |= effectUndo
		}
	}
	return e
}

// noteSetting records what the server reports of a setting. The server reports settings when the
// connection is made, and whenever one changes: at the latest before the ReadyForQuery of the
// segment that changed it.
func (c *conn) noteSetting(m *pgproto3.ParameterStatus) {
	if m.Name == "in_hot_standby" { // it is the server that has changed
		if c.w.node != nil {
			c.w.node.poke()
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restyled = c.restyled || m.Name != "application_name"
	if m.Value == c.w.settings[m.Name] {
		delete(c.strayed, m.Name)
		return
	}
	if c.strayed == nil {
		c.strayed = map[string]string{}
	}
	c.strayed[m.Name] = m.Value
}

// settle makes the present settings those that the connection must have. The caller must hold the
// mutex.
func (c *conn) settle() {
	if len(c.strayed) > 0 {
		c.w.settings = maps.Clone(c.w.settings)
		maps.Copy(c.w.settings, c.strayed)
		clear(c.strayed)
	}
}

// noteState checks, when a segment is answered on a lane, whether it or an earlier one has left
// something behind. The caller must hold the mutex.
func (s *lanes) noteState(c *conn, g *segment) {
	if c.altered != nil {
		c.disown(g)
		return
	}
	name := ""
	for strayed := range c.strayed {
		if name == "" || strayed != "application_name" {
			name = strayed
		}
	}
	left := g.effects&effectState != 0 && g.failure == nil
	if name == "" && !left {
		return
	}
	if !c.poisoned {
		c.poisoned, c.retiring = true, true
		s.stats.Poisoned++
	}
	switch {
	case name != "" && name != "application_name": // the name of the application means nothing to statements
		c.altered = fmt.Errorf("an earlier statement on the same lane has changed %s for the later ones", name)
	case left && g.effects&effectSetting != 0:
		c.altered = fmt.Errorf("an earlier statement on the same lane has changed a setting for the later ones")
	}
	if c.altered != nil && g.isShared() { // it may have come after that statement
		c.disown(g)
	}
	s.recall(c)
}

// disown keeps callers from relying on what a segment has done or returned under a setting that
// wasn't its caller's. A segment without an effect is sent again. The results of others mean
// nothing, so they fail.
func (c *conn) disown(s *segment) {
	if s.harmless || s.failure != nil && !s.mayLast() {
		s.again, s.stray = true, true
		return
	}
	s.err, s.failure, s.again = &LostError{MaybeApplied: true, Err: c.altered}, nil, false
}

// recall moves segments of which no byte has been sent back to the front of the queue. The caller
// must hold the mutex.
func (s *lanes) recall(c *conn) {
	base := c.queued - uint64(len(c.out))
	n := c.sent.len()
	for n > 0 && c.sent.at(n-1).start >= base {
		n--
	}
	back := c.sent.takeFrom(n)
	if len(back) == 0 {
		return
	}
	c.out, c.queued = c.out[:back[0].start-base], back[0].start
	var again []*segment
	for _, g := range back {
		if loop.Tracing() {
			c.traceEnd(g, takenBack)
		}
		c.pace.forget(g)
		if g.abandoned.Load() {
			g.state = stateFinished
			continue
		}
		again = append(again, g)
	}
	s.queueAgain(again)
	s.spread()
}
