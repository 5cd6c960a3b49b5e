package db

import (
	"database/sql/driver"

	"github.com/seed1239206e/repaint/internal/cache"
)

// statementsOf keeps the prepared statements of one connection that were used last, one at least.
type statementsOf struct {
	*cache.LRU[string, driver.Stmt]
}

func newStatementsOf(size int) statementsOf {
	return statementsOf{cache.NewLRU[string, driver.Stmt](size)}
}

func (s statementsOf) get(text string) driver.Stmt {
	if stmt := s.Get(text); stmt != nil {
		return *stmt
	}
	return nil
}

func (s statementsOf) put(text string, stmt driver.Stmt) {
	if _, oldest, dropped := s.Put(text, stmt); dropped {
		_ = oldest.Close() // an error of its last use, reported then
	}
}

// drop closes a statement.
func (s statementsOf) drop(text string) {
	if stmt, ok := s.Remove(text); ok {
		_ = stmt.Close() // it is of no use any more
	}
}

func (s statementsOf) close() {
	for stmt := range s.Values() {
		_ = stmt.Close()
	}
	s.Clear()
}
