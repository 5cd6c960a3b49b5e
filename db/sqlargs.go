package db

import (
	"database/sql/driver"
	"errors"
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
			if k := reflect.TypeOf(v).Kind(); k == reflect.Slice || k == reflect.Array {
				return errors.New("a list can't be one argument; it can stand alone in IN (:name)")
			}
			return err
		}
		if b, ok := got.([]byte); ok && b == nil {
			got = nil
		}
		arg.Value = got
	}
	if d.Arg != nil {
		arg.Value = d.Arg(arg.Value)
	}
	return nil
}
