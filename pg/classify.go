package pg

import (
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/sqltext"
)

// verdict is what a text's statements do, taken together.
type verdict struct {
	effects    sqltext.Effects
	cause      string // what makes the gravest of them so
	statements int
}

// ofTx are the effects of what begins or ends a transaction, or is about one.
const ofTx = sqltext.ControlsTx | sqltext.ForTx

// copies are the effects of COPY from or to the client.
const copies = sqltext.CopiesIn | sqltext.CopiesOut

// classify reads an SQL text.
func classify(sql string) verdict {
	var v verdict
	worst := 0
	for st := range sqltext.PostgreSQL.Statements(sql) {
		one := sqltext.PostgreSQL.Classify(sql, st)
		v.statements++
		v.effects |= one.Effects
		if g := gravity(one.Effects); g > worst {
			worst, v.cause = g, one.Cause
		}
	}
	return v
}

// gravity orders effects by what is said of them first when they are refused.
func gravity(e sqltext.Effects) int {
	switch {
	case e.Any(copies):
		return 3
	case e.Any(ofTx):
		return 2
	case e.Any(sqltext.LeavesState):
		return 1
	}
	return 0
}

// effects are what the server's command tags say of the statements of a segment, whatever their text
// is.
type effects uint8

const (
	effectState  effects = 1 << iota // something is left behind on the connection
	effectSchema                     // names may mean something else
	effectAlter                      // what was there is another now
	effectDrop                       // or it is gone, and may come again as another
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
	case "DEALLOCATE", "DISCARD", "CREATE":
		e |= effectSchema
	case "ALTER":
		e |= effectSchema | effectAlter
	case "DROP":
		e |= effectSchema | effectDrop
	}
	return e
}
