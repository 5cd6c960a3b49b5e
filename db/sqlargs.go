package db

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// convertArgs converts the call's arguments for a driver of database/sql, by
// the rules of database/sql: the driver's own conversion first, if it has one. It
// calls methods of the caller's values, so it is called where the caller is.
func convertArgs(c *Call, checker driver.NamedValueChecker, d *SQLDriver) error {
	if c.driverArgs != nil || len(c.Args) == 0 {
		return nil
	}
	args := c.driverRoom[:0]
	if len(c.Args) > cap(args) {
		args = make([]driver.NamedValue, 0, len(c.Args))
	}
	for i, v := range c.Args {
		arg := driver.NamedValue{Ordinal: i + 1, Value: v}
		if err := convertArg(&arg, checker, d); err != nil {
			return BadArgument(c, i, ErrParameter, err)
		}
		args = append(args, arg)
	}
	c.driverArgs = args
	return nil
}

// DriverArgs returns the arguments as a driver of database/sql gets them.
func (c *Call) DriverArgs() []driver.Value {
	args := make([]driver.Value, len(c.driverArgs))
	for i, a := range c.driverArgs {
		args[i] = a.Value
	}
	return args
}

func convertArg(arg *driver.NamedValue, checker driver.NamedValueChecker, d *SQLDriver) error {
	if d.Convert != nil {
		v, err := d.Convert(arg.Value)
		if err != driver.ErrSkip {
			arg.Value = v
			return err
		}
	} else if checker != nil {
		err := checker.CheckNamedValue(arg)
		if err == nil || !errors.Is(err, driver.ErrSkip) {
			return err
		}
	}
	switch v := arg.Value.(type) {
	case nil, int64, float64, bool, string:
		return nil
	case int:
		arg.Value = int64(v)
		return nil
	case []byte:
		if v == nil {
			arg.Value = nil
		}
		return nil
	case time.Time:
	default:
		got, err := driver.DefaultParameterConverter.ConvertValue(v)
		if err != nil {
			if _, ok := v.(driver.Valuer); ok {
				return err
			}
			if why := notOneValue(v); why != nil {
				return why
			}
			return err
		}
		if b, ok := got.([]byte); ok && b == nil {
			got = nil
		}
		arg.Value = got
	}
	if d.Arg == nil {
		return nil
	}
	v, err := d.Arg(arg.Value)
	arg.Value = v
	return err
}

// notOneValue returns the error for an argument that a driver can't take as one value, nil if
// it isn't clear that it can't.
func notOneValue(v any) error {
	t := reflect.TypeOf(v)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Array:
		return fmt.Errorf("a list can't be one argument; it can stand alone in IN (:name), and db.JSON[%s]{V: …} is stored as JSON", t)
	case t.Kind() == reflect.Map, t.Kind() == reflect.Struct:
		return fmt.Errorf("unsupported type %[1]s: implement driver.Valuer, or write db.JSON[%[1]s]{V: …}, which is stored as JSON", t)
	}
	return nil
}
