package dbconform

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A ledger notes which parts of a Subject the cases have used. So a part that is declared, but that
// no case exercises, doesn't pass unnoticed.
//
// A part is a field of Subject or Capabilities. If its value is zero, the Subject lacks the part.
type ledger struct {
	mu    sync.Mutex
	parts map[string]bool // every part, and whether the Subject has it
	used  map[string]bool
	ran   int // how many cases ran, counted once for each colour
}

func newLedger(s *Subject) *ledger {
	l := &ledger{parts: make(map[string]bool), used: make(map[string]bool)}
	for _, v := range []reflect.Value{reflect.ValueOf(*s), reflect.ValueOf(s.Capabilities)} {
		for i := range v.NumField() {
			if field := v.Type().Field(i); !field.Anonymous && !always[field.Name] {
				l.parts[field.Name] = !v.Field(i).IsZero()
			}
		}
	}
	return l
}

// always are the fields that aren't optional, or that belong to others.
var always = map[string]bool{"Open": true, "Lacks": true, "Precision": true, "ShowSettings": true}

// optional are the parts without which cases skip, because no clear error can be expected instead.
var optional = []string{"URL", "Cut", "Impatient", "Reader", "Network", "SlowQuery", "Settings"}

// declared checks that each optional part is there, or that Lacks says why it isn't.
func (l *ledger) declared(s *Subject) error {
	var wrong []string
	for _, part := range optional {
		switch reason, lacks := s.Lacks[part]; {
		case l.parts[part] && lacks:
			wrong = append(wrong, part+" is set, and listed in Lacks too")
		case !l.parts[part] && reason == "":
			wrong = append(wrong, part+" is missing: set it, or say in Lacks why the Subject has none")
		}
	}
	for _, part := range slices.Sorted(maps.Keys(s.Lacks)) {
		if !slices.Contains(optional, part) && !isCase(part) {
			wrong = append(wrong, fmt.Sprintf("Lacks names %q, which isn't one of %s, nor an area or a case", part, strings.Join(optional, ", ")))
		}
	}
	if (s.Settings == "") != (s.ShowSettings == "") {
		wrong = append(wrong, "Settings and ShowSettings go together")
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("dbconform: the Subject isn't complete:\n\t%s", strings.Join(wrong, "\n\t"))
}

// isCase reports whether there is an area or a case with the name.
func isCase(name string) bool {
	for _, a := range areas {
		if name == a.name || slices.ContainsFunc(a.tests, func(k test) bool { return name == a.name+"/"+k.name }) {
			return true
		}
	}
	return false
}

// has reports whether the Subject has a part, and notes that a case used it.
func (l *ledger) has(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	has, known := l.parts[part]
	if !known {
		panic("dbconform: there is no part " + part)
	}
	if has {
		l.used[part] = true
	}
	return has
}

// unused returns the parts that the Subject has and that no case has used.
func (l *ledger) unused() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []string
	for part, has := range l.parts {
		if has && !l.used[part] {
			list = append(list, part)
		}
	}
	slices.Sort(list)
	return list
}

// exercised fails the test if no case has used a part that the Subject declares. If only some cases
// ran, it checks nothing.
func (l *ledger) exercised(t *testing.T, all int) {
	if l.ran < all {
		t.Skipf("only %d of %d cases ran", l.ran, all)
	}
	if list := l.unused(); len(list) > 0 {
		t.Errorf("the Subject declares %s, and no case made use of it", strings.Join(list, ", "))
	}
}

// can reports whether the Subject has a part. Without it, a case expects an error or another
// result.
func (c *run) can(part string) bool { return c.ledger.has(part) }

// needs skips the rest of the case, with a reason, unless the Subject has the part.
func (c *run) needs(part string) {
	c.Helper()
	if c.can(part) {
		return
	}
	if reason := c.Lacks[part]; reason != "" {
		c.Skipf("no %s: %s", part, reason)
	}
	c.Skipf("no %s", part)
}

// unless skips the rest of the case, with a reason, if the Subject has the part.
func (c *run) unless(part string) {
	c.Helper()
	if c.can(part) {
		c.Skipf("the database has %s", part)
	}
}
