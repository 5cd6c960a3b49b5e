package telling

import (
	"strings"
	"unicode/utf8"
)

// Short returns text on one line, cut to about n bytes. It never cuts a character in two.
func Short(text string, n int) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(text) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		if b.Len()+len(word) > n {
			rest := max(0, n-b.Len())
			for rest > 0 && !utf8.RuneStart(word[rest]) {
				rest--
			}
			b.WriteString(word[:rest] + "…")
			break
		}
		b.WriteString(word)
	}
	return b.String()
}

// OneLine joins the lines of a text with "; ", or with a space after a colon.
func OneLine(text string) string {
	if !strings.Contains(text, "\n") {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		switch {
		case b.Len() == 0:
		case strings.HasSuffix(b.String(), ":"):
			b.WriteString(" ")
		default:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}
