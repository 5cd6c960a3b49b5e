// Package redact removes values from the messages of databases and drivers. Such messages quote the
// faulty value: a key that exists already, a text that isn't a number. Parts of the statement and
// known names stay.
package redact

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Message is what is known about a message.
type Message struct {
	Text   string
	SQL    []string // the statement, as its caller wrote it and as it was sent
	Names  []string // the tables, columns and constraints that the message is about
	Values []any    // the statement's arguments
}

// mark replaces what was removed.
const mark = "…"

// String returns the message without anything that may be a value. It masks quoted text, except
// parts of the statement and names, and it masks the arguments wherever they are.
func (m Message) String() string {
	values := forms(nil, reflect.ValueOf(m.Values), 0)
	return without(m.maskQuoted(values), values)
}

// maskQuoted masks the text from the first unknown quoted part to the last quote, because a value
// may contain quotes itself. If the database quotes a name after the value, the name stays.
func (m Message) maskQuoted(values []string) string {
	text := m.Text
	first := -1
	for i := 0; i < len(text) && first < 0; i++ {
		if !isQuote(text[i]) || isInWord(text, i) {
			continue
		}
		end := closing(text, i)
		switch {
		case text[i] == '`': // only names are quoted so
			if end < 0 {
				return text
			}
			i = end
		case end < 0 || !m.knows(text[i+1:end], values):
			first = i
		default:
			i = end
		}
	}
	if first < 0 {
		return text
	}
	last := strings.LastIndexAny(text, `'"`)
	for last > first {
		open := strings.LastIndexByte(text[:last], text[last])
		if open <= first || !m.isName(text[open+1:last]) {
			break
		}
		last = strings.LastIndexAny(text[:open], `'"`)
	}
	quote := text[first : first+1]
	if last <= first {
		return text[:first] + quote + mark // the quote isn't closed
	}
	return text[:first] + quote + mark + quote + text[last+1:]
}

func isQuote(c byte) bool { return c == '\'' || c == '"' || c == '`' }

// isInWord reports whether the quote at i is an apostrophe inside a word.
func isInWord(text string, i int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:i])
	return i > 0 && isWord(before)
}

// closing returns where the quote at i is closed, or -1 if it isn't.
func closing(text string, i int) int {
	for j := i + 1; j < len(text); j++ {
		if text[j] != text[i] {
			continue
		}
		if after, _ := utf8.DecodeRuneInString(text[j+1:]); j+1 == len(text) || !isWord(after) {
			return j
		}
	}
	return -1
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// clauses are MySQL's names for the parts of a statement.
var clauses = regexp.MustCompile(`^(field|select|where|on|from|order|group|having|window) (list|clause|statement)$`)

// knows reports whether a quoted part is from the statement or is a name, and isn't an argument.
func (m Message) knows(part string, values []string) bool {
	if part == "" || without(part, values) != part {
		return part == ""
	}
	if m.isName(part) || clauses.MatchString(part) {
		return true
	}
	for _, sql := range m.SQL {
		if contains(sql, part) {
			return true
		}
	}
	return false
}

// isName reports whether a quoted part is a name, perhaps a qualified one.
func (m Message) isName(part string) bool {
	for _, name := range m.Names {
		if name != "" && (part == name || strings.HasSuffix(part, "."+name)) {
			return true
		}
	}
	return false
}

// long is the length from which a part of the statement needn't begin and end at word boundaries,
// because databases truncate what they quote.
const long = 12

// contains reports whether the text contains the part as whole words.
func contains(text, part string) bool {
	return find(text, part, len(part) >= long) >= 0
}

// find returns the position of the part in the text, or -1. Unless anywhere is true, the part must
// not begin or end within a word.
func find(text, part string, anywhere bool) int {
	for from := 0; ; {
		i := strings.Index(text[from:], part)
		if i < 0 {
			return -1
		}
		i += from
		end := i + len(part)
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[end:])
		if anywhere || (i == 0 || !isWord(before)) && (end == len(text) || !isWord(after)) {
			return i
		}
		from = i + 1
	}
}

// without masks the values in a text, in upper or lower case.
func without(text string, values []string) string {
	for _, v := range values {
		for {
			lower := strings.ToLower(text)
			if len(lower) != len(text) { // the lower case of a letter has another length
				lower = text
			}
			i := find(lower, strings.ToLower(v), false)
			if i < 0 {
				break
			}
			text = text[:i] + mark + text[i+len(v):]
		}
	}
	return text
}

// shortest is the least length of the values that are masked. Shorter ones occur in many messages
// by chance.
const shortest = 3

// forms appends the texts that a value may have in messages.
func forms(all []string, v reflect.Value, depth int) []string {
	const deepest = 8
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() || depth > deepest {
			return all
		}
		v, depth = v.Elem(), depth+1
	}
	if !v.IsValid() || depth > deepest {
		return all
	}
	if k := v.Kind(); (k == reflect.Slice || k == reflect.Array) && v.Type().Elem().Kind() != reflect.Uint8 {
		for i := range v.Len() {
			all = forms(all, v.Index(i), depth+1)
		}
		return all
	}
	text := ""
	switch x := v.Interface().(type) {
	case []byte:
		text = string(x)
	case driver.Valuer:
		return all // only its own method knows its text
	default:
		text = fmt.Sprint(x)
	}
	if utf8.RuneCountInString(text) < shortest {
		return all
	}
	return append(all, text)
}
