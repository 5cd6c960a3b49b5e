package pg

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// A description is what is known of an SQL text. Its name is derived from the text, so a prepared statement
// has the same name on every connection.
type description struct {
	sql  string
	name string
	what verdict
	// shape is nil until the server has been asked. It is replaced, never changed.
	shape atomic.Pointer[shape]
	used  atomic.Bool // since the last time that room was needed
}

// A shape is the types of a statement's parameters and result.
type shape struct {
	params  []uint32
	fields  []pgconn.FieldDescription // with the formats that are asked for
	formats []int16                   // of the result: one for each column, or one for all
	sd      pgconn.StatementDescription
}

func newShape(m *pgtype.Map, params []uint32, fields []pgconn.FieldDescription) *shape {
	s := &shape{params: params, fields: fields, sd: pgconn.StatementDescription{ParamOIDs: params}}
	same := true
	for i := range fields {
		fields[i].Format = m.FormatCodeForOID(fields[i].DataTypeOID)
		s.formats = append(s.formats, fields[i].Format)
		same = same && fields[i].Format == fields[0].Format
	}
	if same && len(fields) > 1 {
		s.formats = s.formats[:1]
	}
	return s
}

// sameResult reports whether rows of the one can be read as rows of the other.
func (s *shape) sameResult(fields []pgconn.FieldDescription) bool {
	if len(s.fields) != len(fields) {
		return false
	}
	for i := range fields {
		a, b := &s.fields[i], &fields[i]
		if a.DataTypeOID != b.DataTypeOID || a.Name != b.Name {
			return false
		}
	}
	return true
}

// namePrefix is how the names of the prepared statements begin.
const namePrefix = "repaint_"

func statementName(sql string) string {
	sum := sha256.Sum256([]byte(sql))
	return namePrefix + hex.EncodeToString(sum[:16])
}

// descriptions is a cache of them. All lanes share one; a session has its own, since its settings and
// temporary tables can give the same text another meaning.
type descriptions struct {
	capacity int
	mu       sync.RWMutex
	known    map[string]*description
}

func newDescriptions(capacity int) *descriptions {
	return &descriptions{capacity: max(capacity, 16), known: map[string]*description{}}
}

func (d *descriptions) get(sql string) *description {
	d.mu.RLock()
	found := d.known[sql]
	d.mu.RUnlock()
	if found != nil {
		if !found.used.Load() {
			found.used.Store(true)
		}
		return found
	}
	made := &description{sql: sql, name: statementName(sql), what: classify(sql)}
	made.used.Store(true)
	d.mu.Lock()
	defer d.mu.Unlock()
	if found := d.known[sql]; found != nil {
		return found
	}
	if len(d.known) >= d.capacity {
		d.makeRoom()
	}
	d.known[sql] = made
	return made
}

// makeRoom forgets those that have not been used since the last time, or some, if all have. It needs the mutex.
func (d *descriptions) makeRoom() {
	for sql, one := range d.known {
		if !one.used.Swap(false) {
			delete(d.known, sql)
		}
	}
	for sql := range d.known {
		if len(d.known) < d.capacity {
			return
		}
		delete(d.known, sql)
	}
}

// forget drops everything, because the schema or a setting has changed. It returns how many texts
// had been described.
func (d *descriptions) forget() (described uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.known {
		if one.shape.Load() != nil {
			described++
		}
	}
	clear(d.known)
	return described
}

// prepared is the LRU of the statements that a connection has, or will have when it has read what has been written for it.
// It is guarded by the connection's mutex.
type prepared struct {
	capacity int
	byName   map[string]*preparedStatement
	first    preparedStatement // sentinel of a circular list, the most recently used one first
}

type preparedStatement struct {
	name       string
	shape      *shape
	next, prev *preparedStatement

	// What the server says of its result, on this connection: it can differ from the shape, if the schema has just changed, but for one
	// prepared statement it never changes. Rows are read by this, and by nothing else.
	// It belongs to the reader, who sets it before any of those that execute the statement is answered.
	described bool
	fields    []pgconn.FieldDescription
}

func (p *prepared) init(capacity int) {
	p.capacity = capacity
	p.clear()
}

func (p *prepared) clear() {
	p.byName = map[string]*preparedStatement{}
	p.first.next, p.first.prev = &p.first, &p.first
}

// get returns the statement of this name and shape, nil if there is none.
func (p *prepared) get(name string, s *shape) *preparedStatement {
	one := p.byName[name]
	if one == nil || one.shape != s {
		return nil
	}
	if p.first.next != one {
		one.unlink()
		p.pushFront(one)
	}
	return one
}

// add notes a statement. It also returns the name of the one that it pushes out, if it does.
func (p *prepared) add(name string, s *shape) (one *preparedStatement, out string) {
	p.remove(name)
	if len(p.byName) >= p.capacity {
		out = p.first.prev.name
		p.remove(out)
	}
	one = &preparedStatement{name: name, shape: s}
	p.byName[name] = one
	p.pushFront(one)
	return one, out
}

func (p *prepared) remove(name string) {
	if one := p.byName[name]; one != nil {
		one.unlink()
		delete(p.byName, name)
	}
}

func (p *prepared) pushFront(one *preparedStatement) {
	one.prev, one.next = &p.first, p.first.next
	one.prev.next, one.next.prev = one, one
}

func (s *preparedStatement) unlink() { s.prev.next, s.next.prev = s.next, s.prev }
