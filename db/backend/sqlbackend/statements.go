package sqlbackend

import (
	"database/sql/driver"

	"github.com/seed1239206e/repaint/internal/cache"
)

// statementsOf keeps the most recently used prepared statements of one connection. It keeps at
// least one.
type statementsOf struct {
	*cache.LRU[string, preparedStatement]

	// redefined counts how often texts may have changed their meaning. A statement prepared before
	// the latest change is prepared anew at its next use.
	redefined int
	inTx      bool // the latest change was in the transaction, whose end may undo it
}

type preparedStatement struct {
	stmt driver.Stmt
	at   int // the value of redefined when it was prepared
}

func newStatementsOf(size int) statementsOf {
	return statementsOf{LRU: cache.NewLRU[string, preparedStatement](size)}
}

func (s *statementsOf) get(text string) driver.Stmt {
	p := s.Get(text)
	switch {
	case p == nil:
		return nil
	case p.at != s.redefined:
		s.drop(text)
		return nil
	}
	return p.stmt
}

func (s *statementsOf) put(text string, stmt driver.Stmt) {
	if _, oldest := s.Put(text, preparedStatement{stmt, s.redefined}); oldest != nil {
		_ = oldest.stmt.Close() // Close can only repeat an error of the last use
	}
}

// drop removes and closes a statement.
func (s *statementsOf) drop(text string) {
	if p := s.Remove(text); p != nil {
		_ = p.stmt.Close() // the statement is useless now
	}
}

// redefine notes a statement after which texts may mean something else.
func (s *statementsOf) redefine(inTx bool) {
	s.redefined++
	s.inTx = inTx
}

// undo notes that a transaction, or a part of it, was rolled back. over says that the transaction
// has ended.
func (s *statementsOf) undo(over bool) {
	if s.inTx {
		s.redefined++
		s.inTx = !over
	}
}

func (s *statementsOf) close() {
	for p := range s.Values() {
		_ = p.stmt.Close()
	}
	s.Clear()
}
