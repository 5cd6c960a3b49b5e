package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/scanning"
	"github.com/seed1239206e/repaint/db/internal/telling"
	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/internal/redact"
)

// Errors and logs show neither the values of parameters nor stored values, unless ShowParameters asks
// for them. Databases and drivers put values into their messages, such as a duplicate key or a
// malformed number. Package redact removes what a message quotes. With HideParameters a message that
// may have values in it is replaced by what else is known.

// tells returns how much errors and logs show of the call's parameters.
func (c *call) tells() telling.Level {
	if c == nil || c.conf == nil {
		return telling.Types
	}
	return c.conf.telling
}

// discreet returns a context under which a schedule of package repainttest doesn't show the call's
// values, if the Conn hides parameters.
func (c *call) discreet(ctx context.Context) context.Context {
	if c.tells() == telling.Nothing && explores() {
		return explore.Conceal(ctx)
	}
	return ctx
}

// concealed stands for an error whose text may have values in it. errors.Is and errors.As still find
// that error; printing doesn't show it.
type concealed struct {
	text string
	err  error
}

func (c *concealed) Error() string    { return c.text }
func (c *concealed) GoString() string { return fmt.Sprintf("%q", c.text) }

func (c *concealed) Is(target error) bool { return errors.Is(c.err, target) }
func (c *concealed) As(target any) bool   { return errors.As(c.err, target) }

// apart are the conditions whose messages have no values in them.
var apart = []error{ErrDisconnected, ErrConflict, ErrSerialization, ErrDeadlock, ErrBusy, ErrLockTimeout, ErrTimeout, ErrPoolTimeout, ErrReadOnly, ErrClosed, ErrMisuse}

// conceal removes from a database's error what may show values.
func (e *Error) conceal(c *call) {
	if c == nil || c.Statement == nil {
		return
	}
	hasParams := len(c.Statement.Params) > 0
	switch how := c.tells(); {
	case how == telling.Values:
	case hasParams && (how == telling.Nothing || e.Raised):
		e.veil(c.Statement.Source)
	default:
		e.redact([]string{c.Statement.Source, c.Statement.Text}, c.Args)
	}
}

// concealCommit is conceal for an error of a commit, which may be about any statement before it.
func (e *Error) concealCommit(how telling.Level) {
	switch how {
	case telling.Types:
		e.redact(nil, nil)
	case telling.Nothing:
		e.veil("")
	}
}

// redact removes from the message what may be values.
func (e *Error) redact(sql []string, args []any) {
	if e.Err == nil || e.Condition == ErrPermission || slices.Contains(apart, e.Condition) {
		return
	}
	m := redact.Message{Text: e.Err.Error(), SQL: sql, Names: []string{e.Table, e.Column, e.Constraint}, Values: args}
	// Even if the text shows none: a driver's error can have values in fields of its own.
	e.Err = &concealed{m.String(), e.Err}
	m.Text = e.Hint
	e.Hint = m.String()
}

// veil replaces the message of an error about the statement source, or, if that is "", of an error of a
// commit.
func (e *Error) veil(source string) {
	if e.Err == nil || slices.Contains(apart, e.Condition) {
		return
	}
	text := "it failed"
	if e.Condition != nil {
		text = strings.TrimPrefix(e.Condition.Error(), "db: ")
	}
	if e.Code != "" {
		text += ", code " + e.Code
	}
	if errors.Is(e.Condition, ErrUndefined) {
		// A name that isn't in the statement may have come as a parameter.
		for _, name := range []*string{&e.Table, &e.Column, &e.Constraint} {
			if !strings.Contains(source, *name) {
				*name = ""
			}
		}
	}
	for _, place := range []struct{ what, name string }{{"table", e.Table}, {"column", e.Column}, {"constraint", e.Constraint}} {
		if place.name != "" {
			text += ", " + place.what + " " + place.name
		}
	}
	e.Err = &concealed{text + " (the message is hidden, because it may have values of parameters in it)", e.Err}
	e.Hint = ""
}

// ofArgument returns the Error for an argument that can't be sent.
func ofArgument(e *backend.ArgumentError, how telling.Level) *Error {
	err := fmt.Errorf("%s: %w", e.Where(), e.Err)
	switch {
	case e.Plain:
	case how == telling.Nothing:
		err = &concealed{e.Where() + ", can't be sent", e.Err}
	case how == telling.Types: // the text of an application's Valuer is its own choice
		if shown := e.Redacted(); shown != e.Err.Error() {
			err = &concealed{e.Where() + ": " + shown, e.Err}
		}
	}
	return &Error{Op: "bind", Fault: Fault{Condition: e.Condition}, Err: err}
}

// concealMisfit returns the misfit without what the option hides: the value, or the whole reason.
func concealMisfit(m *scanning.Misfit, how telling.Level) error {
	switch how {
	case telling.Values:
		return m
	case telling.Nothing:
		return &concealed{m.Where + ": the value doesn't fit", m.Why}
	}
	return &concealed{m.Redacted(), m.Why}
}
