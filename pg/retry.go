package pg

import (
	"context"
	"errors"
	"net"
	"reflect"

	"github.com/jackc/pgx/v5/pgconn"
)

// pgconn.SafeToRetry and pgconn.Timeout know the errors of this package.

// SafeToRetry reports whether the server has certainly not executed the statement, as
// pgconn.SafeToRetry asks.
func (e *LostError) SafeToRetry() bool { return !e.MaybeApplied && !e.RolledBack }

// SafeToRetry returns true, as pgconn.SafeToRetry asks: nothing was sent.
func (e *ConnectError) SafeToRetry() bool { return true }

// SafeToRetry returns true, as pgconn.SafeToRetry asks: nothing was sent.
func (e *ExhaustedError) SafeToRetry() bool { return true }

// SafeToRetry reports whether the statement certainly had no effect: it wasn't sent, or its
// connection broke before it was executed, as pgconn.SafeToRetry asks.
func (e *StatementError) SafeToRetry() bool {
	return e.unsent || pgconn.SafeToRetry(e.Err)
}

// SafeToRetry reports whether the call certainly had no effect, as pgconn.SafeToRetry asks.
func (e *callError) SafeToRetry() bool {
	return e.unsent || pgconn.SafeToRetry(e.err)
}

// As makes pgconn.Timeout return true if a deadline has ended the call.
func (e *callError) As(target any) bool { return asTimeout(e.err, target) }

// As makes pgconn.Timeout return true if a deadline has ended the statement.
func (e *StatementError) As(target any) bool { return asTimeout(e.Err, target) }

// As makes pgconn.Timeout return true if a deadline has ended the attempt.
func (e *ConnectError) As(target any) bool { return asTimeout(e.Err, target) }

// As makes pgconn.Timeout return true if a deadline has ended the wait.
func (e *ExhaustedError) As(target any) bool { return asTimeout(e.Err, target) }

// asTimeout sets the target if it has the type that pgconn.Timeout looks for and the error is that
// of a deadline. Only pgconn knows the type, and asks only whether there is such an error.
func asTimeout(err error, target any) bool {
	p := reflect.ValueOf(target)
	t := p.Type().Elem()
	if t.Kind() != reflect.Pointer || t.Elem().Name() != "errTimeout" || t.Elem().PkgPath() != "github.com/jackc/pgx/v5/pgconn" || !isTimeout(err) {
		return false
	}
	p.Elem().Set(reflect.New(t.Elem()))
	return true
}

// isTimeout reports whether a deadline has passed: that of a context, or of the network.
func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}
