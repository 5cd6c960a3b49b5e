package postgres

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/internal/pgvalues"
	"github.com/seed1239206e/repaint/pg"
)

// arguments returns the values to send for a call's arguments. It calls their methods. The call
// keeps the original arguments, for errors.
func arguments(call *backend.Call) ([]any, error) {
	if call.Native {
		return nativeArguments(call), nil
	}
	args := call.Args
	for i, v := range call.Args {
		switch v.(type) {
		case nil, int, int64, string, bool, []byte:
			continue // the argument is sent unchanged
		}
		converted, err := argument(v)
		if err != nil {
			return nil, backend.BadArgument(call, i, backend.ErrParameter, err)
		}
		if &args[0] == &call.Args[0] {
			args = slices.Clone(args)
		}
		args[i] = converted
	}
	return args, nil
}

// nativeArguments returns the values to send for a call of database/sql: the same that pgx's
// package stdlib would send.
func nativeArguments(call *backend.Call) []any {
	args := make([]any, 1, len(call.Args)+1)
	args[0] = pgvalues.Formats
	for _, v := range call.Args {
		if named, ok := v.(sql.NamedArg); ok {
			v = named.Value
		}
		args = append(args, v)
	}
	return args
}

// refuse returns the error for an argument, with a reason that doesn't show its value.
func refuse(call *backend.Call, i int, condition, why error) error {
	return &backend.ArgumentError{Param: call.Statement.Params[i], Value: call.Args[i], Condition: condition, Err: why, Plain: true}
}

// argument converts arguments that pgx would treat otherwise than the other dialects do. Times
// become UTC, even for a column without a zone.
func argument(v any) (any, error) {
	switch v := v.(type) {
	case nil, int, int64, string, bool, []byte:
		return v, nil
	case float64:
		return float(v), nil
	case time.Time:
		return momentOf(v), nil
	case driver.Valuer:
		if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
			return nil, nil
		}
		got, err := v.Value()
		if err != nil {
			return nil, err
		}
		if _, again := got.(driver.Valuer); again {
			return nil, fmt.Errorf("its Value returns another Valuer, a %T", got)
		}
		return argument(got)
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer:
		if r.IsNil() {
			return nil, nil
		}
		return argument(r.Elem().Interface())
	case reflect.Slice, reflect.Array:
		if isTimes(r.Type()) {
			return inUTC(r).Interface(), nil
		}
	case reflect.Float32, reflect.Float64:
		return float(r.Float()), nil
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return nil, errors.New("no column has such values")
	}
	return v, nil
}

// float is a number that pgx doesn't truncate to an integer, as it does with a float64.
type float float64

func (f float) Float64Value() (pgtype.Float8, error) {
	return pgtype.Float8{Float64: float64(f), Valid: true}, nil
}

func (f float) Int64Value() (pgtype.Int8, error) {
	if f != float(math.Trunc(float64(f))) || f < math.MinInt64 || f >= math.MaxInt64 {
		return pgtype.Int8{}, errors.New("it is no integer that fits")
	}
	return pgtype.Int8{Int64: int64(f), Valid: true}, nil
}

// notEncoded returns the error for an argument that its parameter's type can't take. It returns nil
// if err has another cause. The error doesn't show the value, which may be hidden.
func notEncoded(call *backend.Call, err error) error {
	var e *pg.EncodeError
	if !errors.As(err, &e) || e.Arg >= len(call.Args) || e.Arg >= len(call.Statement.Params) {
		return nil
	}
	typ := "what the statement needs there"
	if e.Type != "" {
		typ = "a value of type " + e.Type
	}
	switch {
	case errors.Is(err, backend.ErrData): // this package has refused the argument; pgx's error would show the value
		why := error(e)
		for inner := why; inner != nil; inner = errors.Unwrap(inner) {
			why = inner
		}
		return backend.BadArgument(call, e.Arg, backend.ErrData, why)
	case e.Unsuitable:
		return refuse(call, e.Arg, backend.ErrParameter, errors.New("it can't be made "+typ+"; "+jsonHint))
	}
	return refuse(call, e.Arg, backend.ErrData, errors.New("it is too large for "+typ+", or malformed"))
}

// jsonHint tells the caller what to do with a map or struct.
const jsonHint = "write db.JSON[T]{V: value} for what is to be stored as JSON"
