package pg

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// An EncodeError says which argument of a statement can't be encoded as the type of its parameter,
// and why. Nothing was sent. Its text may show the argument. The text of the [StatementError]
// around it doesn't.
type EncodeError struct {
	Arg  int    // the argument's place, from 0
	OID  uint32 // the parameter's type; 0 if only the server knows it
	Type string // the name of that type; "" if it isn't known

	// Unsuitable is true if no value of the argument's Go type can be encoded as that type.
	// Otherwise just this value can't.
	Unsuitable bool
	Err        error // the reason
}

// Error names the argument by its placeholder, without its value.
func (e *EncodeError) Error() string { return fmt.Sprintf("argument $%d: %v", e.Arg+1, e.Err) }

// Unwrap returns Err.
func (e *EncodeError) Unwrap() error { return e.Err }

// notEncoded explains why the arguments couldn't be encoded. The builder has encoded those before
// the one in question.
func (c *codec) notEncoded(s *shape, args []any, err error) error {
	e := &EncodeError{Arg: len(c.builder.ParamValues), Err: err}
	if e.Arg >= len(args) {
		return err
	}
	if inner := errors.Unwrap(err); inner != nil {
		e.Err = inner // without the number, which EncodeError has
	}
	arg := args[e.Arg]
	if s == nil {
		e.Unsuitable = c.types.PlanEncode(0, pgtype.TextFormatCode, arg) == nil
		return e
	}
	e.OID = s.params[e.Arg]
	if t, ok := c.types.TypeForOID(e.OID); ok {
		e.Type = t.Name
	}
	e.Unsuitable = c.types.PlanEncode(e.OID, pgtype.BinaryFormatCode, arg) == nil && c.types.PlanEncode(e.OID, pgtype.TextFormatCode, arg) == nil
	e.Err = unknownType(c.types, e.OID, e.Err)
	return e
}

// pgx's own driver for database/sql says only in the error's text which argument it can't encode.
var (
	pgxArgument = regexp.MustCompile(`failed to encode args\[(\d+)\]: `)
	pgxType     = regexp.MustCompile(`format for (\S+) \(OID (\d+)\)`)
)

const pgxNoPlan = "cannot find encode plan"

// AsEncodeError returns the EncodeError in an error's chain. If there is none, it makes one from
// the text of an error of pgx's own driver for database/sql. It reports whether it has found one.
// err must not be nil.
func AsEncodeError(err error) (*EncodeError, bool) {
	var e *EncodeError
	if errors.As(err, &e) {
		return e, true
	}
	text := err.Error()
	which := pgxArgument.FindStringSubmatch(text)
	if which == nil {
		return nil, false
	}
	e = &EncodeError{Unsuitable: strings.Contains(text, pgxNoPlan), Err: err}
	e.Arg, _ = strconv.Atoi(which[1])
	if found := pgxType.FindStringSubmatch(text); found != nil {
		oid, _ := strconv.ParseUint(found[2], 10, 32)
		e.Type, e.OID = found[1], uint32(oid)
	}
	return e, true
}
