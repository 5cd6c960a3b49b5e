package pg

import (
	"errors"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/internal/redact"
)

// Errors don't show the values of arguments and rows, unless Config.ShowParameters is set. The text
// leaves out what the server or pgx quotes, unless it is part of the statement or a name. errors.As
// finds the server's own message.

// apart are the SQLSTATEs, and classes of them, that have nothing to do with values: connections,
// permissions, resources, conflicts, states.
var apart = []string{"08", "25", "28", "40", "53", "57", "58", "42501", "3D000", "26000"}

// conceal makes the error's text leave out what may be values.
func (e *StatementError) conceal(sql string, args []any) {
	m := redact.Message{Text: e.Err.Error(), SQL: []string{sql}, Values: args}
	var server *pgconn.PgError
	switch {
	case errors.As(e.Err, &server):
		for _, a := range apart {
			if strings.HasPrefix(server.Code, a) {
				return
			}
		}
		m.Names = []string{server.SchemaName, server.TableName, server.ColumnName, server.ConstraintName, server.DataTypeName}
	case e.Stage == StageEncode || e.Stage == StageCopy:
		m.Text = unencodable.ReplaceAllString(m.Text, "unable to encode … into $1 format")
	default:
		return // no values have been involved yet
	}
	if shown := m.String(); shown != e.Err.Error() {
		e.shown = shown
	}
}

var (
	// unencodable matches pgx's text about a value that it can't encode, which shows the whole
	// value.
	unencodable = regexp.MustCompile(`(?s)unable to encode .* into (binary|text) format`)
	// beyond matches pgx's text about a number that is too large for a variable.
	beyond = regexp.MustCompile(`-?[0-9.]+ is (greater|less) than`)
)

// A concealedError is an error whose text leaves out a value.
type concealedError struct {
	text string
	err  error
}

func (e *concealedError) Error() string { return e.text }
func (e *concealedError) Unwrap() error { return e.err }

// unscannable returns the error for a value that can't be scanned.
func (db *DB) unscannable(err error, value []byte) error {
	if db.config.ShowParameters {
		return err
	}
	m := redact.Message{Text: beyond.ReplaceAllString(err.Error(), "… is $1 than"), Values: []any{value}}
	if shown := m.String(); shown != err.Error() {
		return &concealedError{shown, err}
	}
	return err
}
