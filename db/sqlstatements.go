package db

import "database/sql/driver"

// statementsOf keeps the prepared statements of one connection: those used last,
// up to its size.
type statementsOf struct {
	size int
	all  map[string]*preparedStatement
	ends preparedStatement // next is the one used last, prev the one used longest ago
}

type preparedStatement struct {
	text       string
	stmt       driver.Stmt
	next, prev *preparedStatement
}

func (s *statementsOf) get(text string) driver.Stmt {
	p := s.all[text]
	if p == nil {
		return nil
	}
	if s.ends.next != p {
		p.unlink()
		s.pushFront(p)
	}
	return p.stmt
}

// put adds a statement. With size 0 it is kept all the same, until the next one.
func (s *statementsOf) put(text string, stmt driver.Stmt) {
	if s.all == nil {
		s.all = make(map[string]*preparedStatement)
		s.ends.next, s.ends.prev = &s.ends, &s.ends
	}
	for len(s.all) > 0 && len(s.all) >= s.size {
		oldest := s.ends.prev
		oldest.unlink()
		delete(s.all, oldest.text)
		_ = oldest.stmt.Close() // an error of its last use, reported then
	}
	p := &preparedStatement{text: text, stmt: stmt}
	s.all[text] = p
	s.pushFront(p)
}

// drop closes a statement.
func (s *statementsOf) drop(text string) {
	if p := s.all[text]; p != nil {
		p.unlink()
		delete(s.all, text)
		_ = p.stmt.Close() // it is of no use any more
	}
}

func (s *statementsOf) close() {
	for _, p := range s.all {
		_ = p.stmt.Close()
	}
	s.all = nil
}

func (s *statementsOf) pushFront(p *preparedStatement) {
	p.prev, p.next = &s.ends, s.ends.next
	p.prev.next, p.next.prev = p, p
}

func (p *preparedStatement) unlink() {
	p.prev.next, p.next.prev = p.next, p.prev
}
