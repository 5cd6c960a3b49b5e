package db

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/telling"
)

// wrap turns an error of a driver, a pool or a context into an *Error that says what was attempted.
func (e *Engine) wrap(ctx context.Context, op string, call *call, err error) error {
	var refused *backend.ArgumentError
	if errors.As(err, &refused) {
		err = ofArgument(refused, call.tells())
	}
	var known *backend.ConditionError
	if errors.As(err, &known) {
		err = &Error{Op: op, Fault: Fault{Condition: known.Condition}, Err: known.Err}
	}
	var own *Error
	if errors.As(err, &own) {
		if own.Statement != "" || call == nil {
			return err
		}
		err := *own // other code may hold the original
		err.Dialect = e.dialect.Name()
		if err.URL == "" { // otherwise connecting failed, before op
			err.Op = op
		}
		e.describe(&err, call)
		return &err
	}
	why, isContext := ofContext(ctx, err)
	if errors.Is(err, ErrUnknownOutcome) {
		why = backend.UnknownOutcome(why)
	}
	result := &Error{Op: op, Dialect: e.dialect.Name(), Err: why}
	var late *backend.LateError
	switch {
	case isContext:
		if errors.Is(why, context.DeadlineExceeded) {
			result.Condition = ErrTimeout
		}
	case errors.Is(err, driver.ErrBadConn):
		result.Condition = ErrDisconnected
	case errors.As(err, &late):
		result.Condition = ErrDisconnected
	default:
		result.Fault = e.dialect.Fault(err)
		result.conceal(call)
	}
	if result.Hint == "" && errors.Is(result, ErrUnknownOutcome) {
		result.Hint = lookFirst
	}
	if call != nil {
		e.describe(result, call)
	}
	return result
}

// fail is wrap for an error that the caller is about to get.
func (e *Engine) fail(ctx context.Context, op string, call *call, err error) error {
	return e.events.fail(ctx, e.wrap(ctx, op, call, err))
}

// unreachable returns the error of an Engine that couldn't connect, with its URL.
func (e *Engine) unreachable(ctx context.Context, err error) error {
	wrapped := e.wrap(ctx, "connect", nil, err)
	var own *Error
	if !errors.As(wrapped, &own) || own.URL != "" {
		return wrapped
	}
	known := *own
	known.Op, known.URL = "connect", e.url.String()
	return &known
}

func (e *Engine) describe(err *Error, call *call) {
	err.Statement = call.Statement.Source
	if call.tells() != telling.Nothing {
		err.Params = call.st.Named(call.Args)
	}
	err.telling = call.tells()
}
