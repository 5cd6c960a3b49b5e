package db

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seed1239206e/repaint/db/sqltext"
)

// Statement is a text with :name parameters, read once and rendered for the
// dialect. It doesn't change any more.
type Statement struct {
	Source string   // as the caller wrote it
	Text   string   // as the database wants it; nothing follows the last statement
	Params []string // the name behind each argument to send, in order
	Traits

	names []string // the distinct names, in order of first appearance
}

// parseStatement reads source. numbered tells that the dialect's placeholders
// have numbers, so that one argument can serve several of them.
func parseStatement(d Dialect, source string, numbered bool) (*Statement, error) {
	if i := strings.IndexByte(source, 0); i >= 0 {
		// SQLite's interface would end the text here, silently.
		return nil, badStatement(d, source, "byte %d of the statement is NUL", i)
	}
	rules := d.Rules()
	parts := rules.Split(source)
	if len(parts) == 0 {
		return nil, badStatement(d, source, "the statement is empty")
	}
	st := &Statement{Source: source}
	end := parts[len(parts)-1].End
	var b strings.Builder
	done := parts[0].Start // what comes before is comment
	for t := rules.Next(source, done); t.Kind != sqltext.End && t.Start < end; t = rules.Next(source, t.End) {
		switch t.Kind {
		case sqltext.Param:
			b.WriteString(source[done:t.Start])
			done = t.End
			name := source[t.Start+1 : t.End]
			known := slices.Index(st.names, name)
			if known < 0 {
				st.names = append(st.names, name)
			}
			if numbered && known >= 0 {
				b.WriteString(d.Placeholder(known + 1))
				continue
			}
			st.Params = append(st.Params, name)
			b.WriteString(d.Placeholder(len(st.Params)))
		case sqltext.Colon:
			b.WriteString(source[done:t.Start])
			done = t.End - 1
		case sqltext.Native:
			return nil, badStatement(d, source,
				"%s is a placeholder of %s itself; parameters are written :name, with white space or a sign before the colon",
				source[t.Start:t.End], d.Name())
		}
	}
	if done == 0 && end == len(source) {
		st.Text = source
	} else {
		b.WriteString(source[done:end])
		st.Text = b.String()
	}
	st.Traits = d.Traits(source, parts)
	st.Script = len(parts) > 1
	if st.Script && len(st.names) > 0 {
		return nil, badStatement(d, source,
			"it is a script of %d statements, which takes no parameters; execute its statements one by one", len(parts))
	}
	return st, nil
}

func badStatement(d Dialect, source, format string, args ...any) error {
	err := fail("parse", ErrSyntax, format, args...)
	err.Dialect, err.Statement = d.Name(), source
	return err
}

// statementCache keeps parsed statements. A text that is in it costs a look-up
// under a read lock; when it is full it drops texts that weren't asked for
// lately (the second-chance rule, which is nearly LRU without writing on reads).
type statementCache struct {
	size int
	mu   sync.RWMutex // guards what follows; nothing is parsed under it
	all  map[string]*cachedStatement
	ring []*cachedStatement
	hand int
}

type cachedStatement struct {
	st   *Statement
	used atomic.Bool
}

// longestCached bounds the texts worth keeping: a longer one is a script or has
// data in it, and won't come again.
const longestCached = 16 << 10

func (c *statementCache) get(source string) *Statement {
	c.mu.RLock()
	e := c.all[source]
	c.mu.RUnlock()
	if e == nil {
		return nil
	}
	if !e.used.Load() {
		e.used.Store(true)
	}
	return e.st
}

func (c *statementCache) put(st *Statement) {
	if c.size <= 0 || len(st.Source) > longestCached {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.all[st.Source]; ok {
		return
	}
	if c.all == nil {
		c.all = make(map[string]*cachedStatement)
	}
	e := &cachedStatement{st: st}
	c.all[st.Source] = e
	if len(c.ring) < c.size {
		c.ring = append(c.ring, e)
		return
	}
	for c.ring[c.hand].used.Swap(false) {
		c.hand = (c.hand + 1) % len(c.ring)
	}
	delete(c.all, c.ring[c.hand].st.Source)
	c.ring[c.hand] = e
	c.hand = (c.hand + 1) % len(c.ring)
}

func (c *statementCache) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.ring)
}
