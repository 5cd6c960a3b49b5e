package repainttest

import (
	"fmt"
	"math/big"

	"github.com/seed1239206e/repaint/internal/explore"
)

// Reduced makes [Explore] and [Search] leave out schedules that differ from another one only in the
// order of independent steps, whose statements touch different tables. If n is large enough, the
// remaining schedules stand for all; the test says for how many interleavings. [ReadSchema] or
// [PlainTables] makes the schema.
//
// That is a proof only if the tasks share nothing but the database and what they wait for. Explore
// doesn't see a variable of the program that two tasks use, with or without a mutex, nor a file,
// nor another service. So Reduced is an option.
//
// Reduced also assumes that the schema stays as it is, that each session has the isolation level of
// a new one unless its BEGIN says otherwise, and that the database's own functions do what their
// manual says. Where it knows too little it leaves nothing out. A step depends on all others if
//
//   - it belongs to the main function, or a task begins, waits for another, wakes another, or fails
//     in it,
//   - its statement waits for a lock, fails, meets with a fault, or is a batch or a stream,
//   - its text isn't a SELECT, INSERT, UPDATE, DELETE, REPLACE or VALUES, or a beginning or end of
//     a transaction, or a savepoint,
//   - its text calls a function that isn't known to be harmless, or names what the schema doesn't
//     know, a view, or a table with triggers, rules, row-level security, partitions, or definitions
//     that call functions of the user's or use another table's sequence.
//
// A change also touches the tables to which foreign keys lead. A commit or rollback touches all
// tables of its transaction. Statements of transactions that see a snapshot depend on each commit.
// In serializable transactions nothing but BEGIN is independent. SQLite has only one writer, so
// there a transaction that writes depends on all others; single statements don't.
//
// Without an option for the strategy it is [Exhaustive]. Other strategies leave out less, because
// they go on elsewhere before they are done with one part.
//
// Explore checks these assumptions as far as it can see. If a step does something else after one
// that should be independent of it, Explore tries both orders, and the test says that there is no
// proof.
func Reduced(schema *Schema) Option {
	if schema == nil {
		return wrongOption("the option Reduced has no schema: was the error of ReadSchema looked at? PlainTables makes one without a database")
	}
	return setting(func(s *settings) { s.schema = schema })
}

// newTree returns the tree of an exploration.
func (s *settings) newTree() *tree {
	t := &tree{}
	if s.schema != nil {
		t.reduction = &reduction{schema: s.schema, effects: map[effectKey]*effect{}, stands: new(big.Int), counted: map[uint64]bool{}}
	}
	return t
}

// said says what a finished exploration has proved.
func (t *tree) said(schedules int) string {
	switch {
	case t.reduction == nil || !t.slept:
		return fmt.Sprintf("all %s explored", explore.Count(schedules, "interleaving"))
	case t.broken != "":
		return fmt.Sprintf("%s explored, and the others left out, which proves nothing: %s", explore.Count(schedules, "schedule"), t.broken)
	}
	all := "all interleavings"
	if t.stands != nil {
		all = fmt.Sprintf("all %d interleavings", t.stands)
	}
	return fmt.Sprintf("%s explored, which stand for %s, if tasks share nothing but the database (see Reduced)", explore.Count(schedules, "schedule"), all)
}
