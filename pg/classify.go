package pg

import "github.com/seed1239206e/repaint/sqltext"

// verdict is what a text's statements do, taken together.
type verdict struct {
	effects    sqltext.Effects
	statements int
	cause      string // what in the text has the gravest effect
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
