package sqlbackend

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
)

// Arguments are converted by the rules of database/sql, see [argChecker]. A prepared statement may
// take part in that. But the methods of the caller's values are the caller's code, so they run on
// the caller's goroutine. That leaves three ways:
//
//	neither connection nor statements convert    the caller converts, before there is a connection
//	the connection converts, statements don't    the caller converts, with the connection
//	statements convert, or it isn't known yet    values without methods: the executing code converts;
//	                                             others: the statement is prepared, then the caller converts

// asks says what a driver needs to convert and check its arguments.
type asks int32

const (
	asksUnknown   asks = iota // no statement has been prepared yet
	asksNobody                // neither a connection nor a statement
	asksConn                  // a connection, not a statement
	asksStatement             // a statement
)

// argChecker converts arguments in the order of database/sql: a statement's NamedValueChecker comes
// first, or else the connection's. If that is missing or returns driver.ErrSkip, the statement's
// ColumnConverter follows. If that is missing or returns driver.ErrSkip, the default converter
// follows.
type argChecker struct {
	named   driver.NamedValueChecker
	columns columnConverter
	want    int // how many arguments the statement takes; -1 means unknown
}

// columnConverter is driver.ColumnConverter. It is deprecated for drivers, but old drivers have it.
type columnConverter interface {
	ColumnConverter(i int) driver.ValueConverter
}

// checkerOf returns the argChecker of a connection and, unless it is nil, a statement.
func checkerOf(conn driver.Conn, stmt driver.Stmt) argChecker {
	k := argChecker{want: -1}
	k.named, _ = stmt.(driver.NamedValueChecker)
	if k.named == nil {
		k.named, _ = conn.(driver.NamedValueChecker)
	}
	if stmt != nil {
		k.columns, _ = stmt.(columnConverter)
		k.want = stmt.NumInput()
	}
	return k
}

// statementChecks reports whether a statement checks or converts its arguments.
func statementChecks(stmt driver.Stmt) bool {
	if _, ok := stmt.(driver.NamedValueChecker); ok {
		return true
	}
	_, ok := stmt.(columnConverter)
	return ok
}

// convertArgs converts the call's arguments. It calls methods of the caller's values.
func convertArgs(c *backend.Call, k argChecker, d *hooks) error {
	d = d.of(c)
	args := c.RoomForArgs(len(c.Args))
	for i, v := range c.Args {
		arg := driver.NamedValue{Ordinal: len(args) + 1, Value: v}
		if named, ok := v.(sql.NamedArg); ok && c.Native {
			arg.Name, arg.Value = named.Name, named.Value
		}
		switch err := k.convert(&arg, d); {
		case err == nil:
			args = append(args, arg)
		case err == driver.ErrRemoveArgument && d.Convert == nil:
		default:
			return backend.BadArgument(c, i, backend.ErrParameter, err)
		}
	}
	c.Bound = args
	return k.count(len(args))
}

// count checks how many arguments there are.
func (k *argChecker) count(n int) error {
	if k.want >= 0 && k.want != n {
		return backend.Errorf(backend.ErrParameter, "the driver's statement takes %d arguments, and there are %d", k.want, n)
	}
	return nil
}

// convert converts one argument.
func (k *argChecker) convert(arg *driver.NamedValue, d *hooks) error {
	if d.Convert != nil {
		v, err := d.Convert(arg.Value)
		if err == driver.ErrSkip {
			return byDefault(arg, d)
		}
		arg.Value = v
		return err
	}
	if k.named == nil && k.columns == nil {
		return byDefault(arg, d)
	}
	err := driver.ErrSkip
	if k.named != nil {
		err = k.named.CheckNamedValue(arg)
	}
	if err == driver.ErrSkip && k.columns != nil {
		err = k.byColumn(arg)
	}
	switch {
	case err == driver.ErrSkip:
		return byDefault(arg, d)
	case err != nil || d.Arg == nil:
		return err
	}
	arg.Value, err = d.Arg(arg.Value)
	return err
}

// byColumn asks the statement's ColumnConverter.
func (k *argChecker) byColumn(arg *driver.NamedValue) error {
	index := arg.Ordinal - 1
	if k.want <= index {
		return nil // the statement doesn't expect the argument, so it isn't asked
	}
	v := arg.Value
	if valuer, ok := v.(driver.Valuer); ok {
		var err error
		if v, err = callValuer(valuer); err != nil {
			return err
		}
		if !driver.IsValue(v) {
			return fmt.Errorf("its Value method returned a %T, which no driver takes", v)
		}
	}
	converted, err := k.columns.ColumnConverter(index).ConvertValue(v)
	if err != nil {
		return err
	}
	if !driver.IsValue(converted) {
		return fmt.Errorf("the driver's ColumnConverter made a %T of it, which no driver takes", converted)
	}
	arg.Value = converted
	return nil
}

// callValuer calls a Valuer's method. For a nil pointer to a type that has the method itself, it
// returns nil.
func callValuer(v driver.Valuer) (driver.Value, error) {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() && r.Type().Elem().Implements(reflect.TypeFor[driver.Valuer]()) {
		return nil, nil
	}
	return v.Value()
}

// byDefault converts an argument for which the driver has no converter.
func byDefault(arg *driver.NamedValue, d *hooks) error {
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

// notOneValue returns the error for an argument that a driver can't take as one value. It returns
// nil if the driver may be able to.
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

// plain reports whether the arguments have no methods of the caller's code.
func plain(args []any) bool {
	for _, v := range args {
		switch v.(type) {
		case nil, bool, string, []byte, time.Time,
			int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		default:
			return false
		}
	}
	return true
}

// Convert converts a call's arguments if that needs no connection, and returns true. It also
// returns true, without converting, if the executing code can do it.
func (c *connector) Convert(call *backend.Call) (ok bool, err error) {
	switch {
	case len(call.Args) == 0 || call.Bound != nil:
		return true, nil
	case c.d.of(call).Convert != nil || c.asked() == asksNobody:
		return true, convertArgs(call, argChecker{want: -1}, &c.d)
	case c.d.emulates(call.Statement):
		return false, nil
	}
	return c.asked() != asksConn && plain(call.Args), nil
}

// convert converts a call's arguments, unless the executing code can do it.
func (s *session) convert(ctx context.Context, c *backend.Call) error {
	if ok, err := s.c.Convert(c); ok {
		return err
	}
	if s.c.asked() == asksConn || s.d.emulates(c.Statement) || !s.conn.prepares(c) {
		return convertArgs(c, checkerOf(s.conn.conn, nil), s.d)
	}
	if plain(c.Args) {
		return nil
	}
	var k argChecker
	err := s.block(ctx, func(ctx context.Context) error {
		err := s.ready(ctx)
		if err == nil {
			k, err = s.conn.checkerFor(ctx, c.Statement)
		}
		if err != nil {
			s.examine(ctx, err)
		}
		return err
	})
	if err != nil {
		return err
	}
	c.Checked = true
	return convertArgs(c, k, s.d)
}

// arguments are a call's arguments or, if call is nil, arguments in the driver's form.
type arguments struct {
	call  *backend.Call
	given []driver.NamedValue
}

// none reports whether there are no arguments.
func (a arguments) none() bool { return len(a.given) == 0 && (a.call == nil || len(a.call.Args) == 0) }

// of returns the arguments for a statement or, if stmt is nil, for a text that isn't prepared. It
// lets the statement check them unless that has been done.
func (a arguments) of(c *Conn, stmt driver.Stmt) ([]driver.NamedValue, error) {
	ready := a.given
	if a.call != nil {
		ready = a.call.Bound
	}
	switch {
	case c.d.of(a.call).Convert != nil:
		return ready, nil
	case a.call != nil:
		if len(a.call.Args) == 0 || a.call.Checked || ready != nil && (stmt == nil || !statementChecks(stmt)) {
			return ready, nil
		}
		err := convertArgs(a.call, checkerOf(c.conn, stmt), c.d)
		a.call.Checked = stmt != nil
		return a.call.Bound, err
	case len(ready) == 0 || stmt == nil || !statementChecks(stmt):
		return ready, nil
	}
	k := checkerOf(c.conn, stmt)
	checked := make([]driver.NamedValue, 0, len(ready))
	for i, arg := range ready {
		arg.Ordinal = len(checked) + 1
		switch err := k.convert(&arg, c.d); {
		case err == nil:
			checked = append(checked, arg)
		case err != driver.ErrRemoveArgument:
			return nil, fmt.Errorf("the argument %d: %w", i+1, err)
		}
	}
	return checked, k.count(len(checked))
}

// prepares reports whether a call's arguments go to a prepared statement.
func (c *Conn) prepares(call *backend.Call) bool {
	if call.Rows || call.Statement.Plan || call.Statement.Returns && c.d.QueriesRows {
		return true // a query with arguments is always prepared
	}
	_, ok := c.conn.(driver.ExecerContext)
	return !ok
}

// checkerFor prepares a statement and returns the converter for its arguments. The call then
// executes that statement.
func (c *Conn) checkerFor(ctx context.Context, st *backend.Statement) (argChecker, error) {
	stmt, err := c.prepare(ctx, st.Text, st.Plan)
	if err != nil {
		return argChecker{}, err
	}
	if !st.Plan {
		c.spare, c.spareText = stmt, st.Text
	}
	return checkerOf(c.conn, stmt), nil
}
