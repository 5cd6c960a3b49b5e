package pg

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// An EncodeError says which argument of a statement can't be sent as what its parameter is, and
// why. Its text may show the argument; that of the [StatementError] around it doesn't.
type EncodeError struct {
	Arg  int    // from 0
	OID  uint32 // of the parameter's type; 0 if only the server knows it
	Type string // its name; "" if that isn't known

	// Unsuitable is true if no value of the argument's Go type can be one of that type. Otherwise
	// it is this value that can't.
	Unsuitable bool
	Err        error
}

// Error names the argument by its placeholder, without its value.
func (e *EncodeError) Error() string { return fmt.Sprintf("argument $%d: %v", e.Arg+1, e.Err) }

// Unwrap returns why.
func (e *EncodeError) Unwrap() error { return e.Err }

// notEncoded explains why the arguments couldn't be encoded. Those before the one in question have
// been.
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

// pgx's own driver for database/sql tells only in its text what it can't encode.
var (
	pgxArgument = regexp.MustCompile(`failed to encode args\[(\d+)\]: `)
	pgxType     = regexp.MustCompile(`format for (\S+) \(OID (\d+)\)`)
)

const pgxNoPlan = "cannot find encode plan"

// AsEncodeError finds the EncodeError in an error, and reads one out of the text of an error of
// pgx.
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
