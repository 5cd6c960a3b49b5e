package stdlib

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/pg"
)

// asDriver turns an error of package pg into the error that callers of database/sql get.
//
// If a connection broke before the server can have executed the statement, the error is a
// driver.ErrBadConn, so that database/sql repeats the call on another connection. If the server
// refused the statement, it is the *pgconn.PgError itself, as in pgx's package stdlib: code for
// that, such as GORM's TranslateError, asserts the type. All other errors stay as they are, because
// they say more than the server did: what was lost, which context ended, or why the message isn't
// shown.
func asDriver(err error) error {
	if err == nil {
		return nil
	}
	var lost *pg.LostError
	if errors.As(err, &lost) {
		if !lost.SafeToRetry() {
			return err
		}
		return &badConn{err}
	}
	var connect *pg.ConnectError
	var server *pgconn.PgError
	switch {
	case !errors.As(err, &server), errors.As(err, &connect),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		!strings.HasSuffix(err.Error(), server.Error()): // a part of it might be secret
		return err
	}
	return server
}

// A badConn is driver.ErrBadConn with the text of the original error.
type badConn struct{ error }

func (e *badConn) Unwrap() []error { return []error{e.error, driver.ErrBadConn} }
