package backend

import "github.com/seed1239206e/repaint/sqltext"

// Traits are what a text shows about its effects. If a Dialect isn't sure, it must err on the safe
// side.
type Traits struct {
	Script     bool // several statements
	Writes     bool // it may change the database
	Session    bool // it may leave something behind in the connection: settings, temporary tables
	Redefines  bool // afterwards a prepared statement may silently mean something else
	Obscure    bool // it runs code that the text doesn't show, which may leave something behind
	TxControl  bool // it begins, ends or marks a transaction
	EndsItself bool // it may commit or roll back by itself, midway: CALL
	EndsTx     bool // the database would commit the transaction before it
	Plan       bool // it is worth preparing once and keeping
	Changes    bool // it has a count of changed rows
	Inserts    bool // it may have made a key for the last inserted row
	Returns    bool // it returns rows

	Refused string // why the database can't run it, if the text shows that; otherwise ""
}

// TraitsOf returns the traits of a text by what a language knows about its statements. Changes,
// Inserts and Returns are those of the last statement.
func TraitsOf(l *sqltext.Language, text string, statements []sqltext.Statement) Traits {
	var all Traits
	for _, st := range statements {
		e := l.Classify(text, st).Effects
		all.Writes = all.Writes || e.Any(sqltext.Writes)
		all.Session = all.Session || e.Any(sqltext.LeavesState)
		all.Redefines = all.Redefines || e.Any(sqltext.Redefines)
		all.Obscure = all.Obscure || e.Any(sqltext.RunsCode)
		all.TxControl = all.TxControl || e.Any(sqltext.ControlsTx)
		all.EndsItself = all.EndsItself || e.Any(sqltext.CommitsItself)
		all.EndsTx = all.EndsTx || e.Any(sqltext.EndsTx)
		all.Plan = len(statements) == 1 && e.Any(sqltext.Keepable)
		all.Changes = e.Any(sqltext.CountsRows)
		all.Inserts = e.Any(sqltext.MakesKey)
		all.Returns = e.Any(sqltext.ReturnsRows)
	}
	return all
}

// LostOf is [StateReader].Lost by what a language knows. A script is lost if all its statements
// are.
func LostOf(l *sqltext.Language, text string, statements []sqltext.Statement) string {
	cause := ""
	for i, st := range statements {
		v := l.Classify(text, st)
		if !v.Effects.Any(sqltext.OnlyState) {
			return ""
		}
		if i == 0 {
			cause = v.Cause
		}
	}
	return cause
}
