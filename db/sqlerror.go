package db

import (
	"database/sql/driver"
	"encoding/json"
	"errors"

	"github.com/seed1239206e/repaint/db/backend"
)

// DriverErrors has the sql.DB of [Engine.SQL] return errors of the type that the database's own
// driver has, where the database has refused something: *mysql.MySQLError on MySQL and MariaDB,
// *pgconn.PgError on PostgreSQL. It is for code that asserts the type, such as GORM's TranslateError
// on MySQL. The messages have no values, as everywhere in this package. The conditions of this
// package, such as ErrUnique, aren't found in these errors. SQLite's errors stay those of this
// package, in which GORM finds what it looks for.
func DriverErrors() Option { return option(func(c *config) { c.driverErrors = true }) }

// asDriver makes of an error what a caller of database/sql gets.
func (c *VirtualConn) asDriver(err error) error {
	own, is := err.(*Error)
	if !is || own.Err == nil || own.URL != "" || errors.Is(err, driver.ErrBadConn) {
		return err
	}
	d, can := c.e.dialect.(backend.ErrorRestater)
	if !can {
		return err
	}
	refusal := own.Err
	if shown, is := refusal.(*concealed); is {
		refusal = shown.err
	}
	restated := d.Restate(refusal, own.Err.Error())
	switch {
	case restated == nil:
		return err
	case c.e.conf.driverErrors:
		return restated
	}
	return &sqlError{own, restated}
}

// sqlError is an Error that JSON shows as the driver's own. GORM looks for codes there.
type sqlError struct {
	own      *Error
	restated error
}

func (e *sqlError) Error() string                { return e.own.Error() }
func (e *sqlError) GoString() string             { return e.own.GoString() }
func (e *sqlError) Unwrap() error                { return e.own }
func (e *sqlError) MarshalJSON() ([]byte, error) { return json.Marshal(e.restated) }
