package scanning

import (
	"database/sql/driver"
	"regexp"

	"github.com/seed1239206e/repaint/internal/redact"
)

// Misfit is the error for a value that doesn't fit the variable for it. Its text may show the
// value.
type Misfit struct {
	Where string // the column and the variable
	Why   error
	value driver.Value
}

func (m *Misfit) Error() string { return m.Where + ": " + m.Why.Error() }

// Unwrap returns the reason, which may be the error of a Scanner of the program.
func (m *Misfit) Unwrap() error { return m.Why }

// numbers matches the values that this package's own reasons show without quotes.
var numbers = regexp.MustCompile(`\b(integer|float|time|number) [-+]?[0-9][^ :,]*`)

// Redacted returns the error's text without the value.
func (m *Misfit) Redacted() string {
	text := numbers.ReplaceAllString(m.Why.Error(), "$1 …")
	return m.Where + ": " + redact.Message{Text: text, Values: []any{m.value}}.String()
}
