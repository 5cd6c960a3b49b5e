package pg

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/seed1239206e/repaint/internal/cache"
)

// A description is what the driver knows of an SQL text. Its name is derived from the text, so a
// prepared statement has the same name on every connection.
type description struct {
	sql  string
	name string
	what verdict
	// shape is nil until the server has been asked. It is replaced, never changed.
	shape atomic.Pointer[shape]
}

// A shape has the types of a statement's parameters and result.
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

// sameResult reports whether rows with these fields can be read as rows of the shape.
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

// agreed notes a shape that the server has just described. It returns the noted one, which is the
// earlier one if the two are equal. So several callers who have asked at once all get the same
// shape, and the statement is prepared once for all of them.
func (d *description) agreed(s *shape) *shape {
	if old := d.shape.Load(); old != nil && slices.Equal(old.params, s.params) && slices.Equal(old.formats, s.formats) && old.sameResult(s.fields) {
		return old
	}
	d.shape.Store(s)
	return s
}

// namePrefix begins the names of all prepared statements.
const namePrefix = "repaint_"

func statementName(sql string) string {
	sum := sha256.Sum256([]byte(sql))
	return namePrefix + hex.EncodeToString(sum[:16])
}

// descriptions is a cache of descriptions, by their texts. All lanes share one. A session has its
// own, because its settings and temporary tables can give the same text another meaning.
type descriptions struct {
	known *cache.SecondChance[string, *description]
}

func newDescriptions(capacity int) *descriptions {
	return &descriptions{cache.NewSecondChance[string, *description](max(capacity, 16))}
}

func (d *descriptions) get(sql string) *description {
	if found, ok := d.known.Get(sql); ok {
		return found
	}
	return d.known.Put(sql, &description{sql: sql, name: statementName(sql), what: classify(sql)})
}

// forget drops everything, because the schema or a setting has changed. It returns how many texts
// had been described.
func (d *descriptions) forget() (described uint64) {
	d.known.Clear(func(one *description) {
		if one.shape.Load() != nil {
			described++
		}
	})
	return described
}

// prepared is the LRU of the statements that a connection has, or will have once the server has
// read what was written for them. The connection's mutex guards it.
type prepared struct {
	*cache.LRU[string, preparedStatement]
}

type preparedStatement struct {
	name  string
	shape *shape

	// What the server says of the result, on this connection. It can differ from the shape if the
	// schema has just changed, but for one prepared statement it never changes. Rows are read by
	// this, and by nothing else. It belongs to the reader, which sets it before it answers any
	// segment that executes the statement.
	described bool
	fields    []pgconn.FieldDescription
}

func newPrepared(capacity int) prepared {
	return prepared{cache.NewLRU[string, preparedStatement](capacity)}
}

// get returns the statement of this name and shape, or nil if there is none.
func (p prepared) get(name string, s *shape) *preparedStatement {
	if one := p.Get(name); one != nil && one.shape == s {
		return one
	}
	return nil
}

// add notes a statement. If that evicts the oldest one, add also returns the name of that.
func (p prepared) add(name string, s *shape) (one *preparedStatement, out string) {
	one, oldest := p.Put(name, preparedStatement{name: name, shape: s})
	if oldest != nil {
		out = oldest.name // the name doesn't change, unlike the fields, which the reader sets
	}
	return one, out
}
