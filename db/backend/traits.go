package backend

import "github.com/seed1239206e/repaint/sqltext"

// Traits is what can be told about a text by looking at it. Wrong ones must be
// wrong on the safe side.
type Traits struct {
	Script     bool // several statements
	Writes     bool // it may change the database
	Session    bool // it may leave something behind in the connection: settings, temporary tables
	Redefines  bool // what was prepared before may mean something else after it, unnoticed
	Obscure    bool // it runs code that the text doesn't show; so it may leave what can't be seen
	TxControl  bool // it begins, ends or marks a transaction
	EndsItself bool // it may commit or roll back by itself, midway: CALL
	EndsTx     bool // the database would commit the transaction that it is run in
	Plan       bool // worth preparing once and keeping
	Changes    bool // it has a count of rows it changed
	Inserts    bool // it may have made a key for the last row it inserted
	Returns    bool // it returns rows

	Refused string // why the database can't run it, if that can be seen; else ""
}

// TraitsOf makes the traits of what a language knows about the statements of a text. Where they
// differ, Changes, Inserts and Returns are the last statement's.
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

// LostOf is Lost for what a language knows. A script is lost if every statement of it is.
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
