package repainttest

import (
	"cmp"
	"slices"

	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/sqltext"
)

// A session is what the footprints of a connection's statements depend on. It is that of a new
// connection when a schedule begins.
type session struct {
	open    bool      // there is a transaction
	level   string    // of isolation, of the transaction; "" if it isn't known
	next    string    // the level of the next transaction, or ""
	tables  footprint // of the transaction so far
	looked  bool      // the transaction has executed a statement about rows
	doubted bool      // nothing is known until the transaction ends
	strange bool      // nothing is known any more
}

// A touch is what the steps have to do with, while schedules are left out that only exchange
// independent steps.
type touch struct {
	schema   *Schema
	sessions map[user]*session
	step     []footprint // of the statements of the present step
	before   []string    // the tasks that could have gone on at the last choice
}

// touches notes what the statement that is about to be executed has to do with.
func (r *recorder) touches(s explore.Statement) {
	if t := &r.touch; t.schema != nil {
		t.step = append(t.step, t.footprint(s))
	}
}

// touchesAll notes that the present step has to do with everything.
func (r *recorder) touchesAll() { r.touch.step = append(r.touch.step, everything) }

// footprint returns that of a statement that is about to be executed.
func (t *touch) footprint(s explore.Statement) footprint {
	if t.sessions[user{s.Server, s.Session}] == nil {
		t.sessions[user{s.Server, s.Session}] = &session{}
	}
	at := t.sessions[user{s.Server, s.Session}]
	var language *sqltext.Language
	switch s.Server.(type) {
	case explore.Local:
		language = sqltext.SQLite
	case *explore.Postgres:
		language = sqltext.PostgreSQL
	case *explore.MySQL, *explore.MariaDB:
		language = sqltext.MySQL
	default:
		return everything
	}
	read := t.schema.readStatement(language, s.Text)
	if s.Partial {
		read = reading{touch: everything}
	}
	doubted := at.doubted
	f := at.footprint(read, t.schema.level, s.Server)
	if doubted || at.doubted || at.strange {
		return everything
	}
	return f
}

// stateless are the verbs of statements that may do anything but leave no setting on their session.
var stateless = []string{"alter", "analyze", "copy", "create", "drop", "explain", "lock", "merge", "notify", "show", "truncate"}

// footprint returns that of a statement in the session, and notes what it does to the session.
func (s *session) footprint(read reading, usual string, server explore.Server) footprint {
	_, lite := server.(explore.Local)
	level := s.level
	if !s.open {
		level = usual
	}
	ordered := level == "" || level == "serializable" // transactions are
	switch read.verb {
	case unknownVerb:
		if len(read.words) > 0 && slices.Contains(stateless, read.words[0]) {
			s.doubted = s.open
		} else {
			s.strange = true
		}
		return everything
	case levelVerb:
		if s.open {
			s.strange = true
		}
		s.next = isolationLevel(read.words)
		return footprint{}
	case beginVerb:
		*s = session{open: true, level: cmp.Or(isolationLevel(read.words), s.next, usual), strange: s.strange}
		if lite {
			return footprint{moment: holds} // it may be BEGIN IMMEDIATE, though the text doesn't say so
		}
		return footprint{}
	case endVerb:
		f := s.tables
		f.moment = shows
		if lite || ordered {
			f.moment = holds
		}
		*s = session{strange: s.strange}
		return f
	case pastVerb:
		f := s.tables
		f.moment = holds
		return f
	case markVerb:
		return footprint{}
	}
	f := read.touch
	changes := len(f.writes) > 0
	if !s.open {
		switch {
		case lite && changes, !lite && !ordered && changes:
			f.moment = shows
		case lite:
			f.moment = uses // some ways of keeping a database have readers wait for a transaction that writes
		case ordered:
			f.moment = holds
		}
		return f
	}
	switch {
	case lite && changes, !lite && ordered:
		f.moment = holds
	case lite:
		f.moment = looks
	case level == "repeatable read":
		if _, postgres := server.(*explore.Postgres); !s.looked || !postgres {
			f.moment = looks
		}
	}
	s.looked = true
	s.tables.add(&f)
	return f
}

// failed notes that the last statement of a session has failed: it may have ended its transaction.
func (t *touch) failed(u user) {
	if s := t.sessions[u]; s != nil {
		s.doubted = true
	}
}
