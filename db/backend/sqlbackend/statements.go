package sqlbackend

import (
	"database/sql/driver"

	"github.com/seed1239206e/repaint/internal/cache"
)

// statementsOf keeps the prepared statements of one connection that were used last, one at least.
type statementsOf struct {
	*cache.LRU[string, preparedStatement]

	// redefined counts how often texts may have got another meaning. What was prepared before is
	// prepared anew when it is used next.
	redefined int
	inTx      bool // the last time was in the transaction, whose end may take it back
}

type preparedStatement struct {
	stmt driver.Stmt
	at   int // redefined
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
		_ = oldest.stmt.Close() // an error of its last use, reported then
	}
}

// drop closes a statement.
func (s *statementsOf) drop(text string) {
	if p := s.Remove(text); p != nil {
		_ = p.stmt.Close() // it is of no use any more
	}
}

// redefine takes note of a statement after which texts may mean something else.
func (s *statementsOf) redefine(inTx bool) {
	s.redefined++
	s.inTx = inTx
}

// undo takes note that something, or all, of a transaction was taken back, or is over.
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
