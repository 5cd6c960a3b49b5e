package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/pgstate"
)

// keptStatements is how many prepared statements a connection of database/sql keeps.
const keptStatements = 256

// ConnectorDB uses an open database.
func (d Dialect) ConnectorDB(_ context.Context, pool *sql.DB) (db.Connector, error) {
	return db.SQLConnector(db.SQLDriver{
		DB:             pool,
		Keep:           keep,
		Reset:          reset,
		Limits:         db.Limits{MaxParams: maxParams, MaxConns: pool.Stats().MaxOpenConnections},
		BeginText:      beginText,
		FailsTx:        failsTx,
		Recover:        recoverConn,
		Lost:           lost,
		Open:           open,
		Stale:          stale,
		Convert:        convert,
		Column:         column,
		KeepStatements: keptStatements,
		SendsText:      true,
		TextArgs:       []driver.NamedValue{{Ordinal: 1, Value: pgx.QueryExecModeExec}},
		OneStatement:   true,
	}), nil
}

// keep notes how a connection is set up. The pool's owner may have done that, so it can't be done
// again here.
func keep(ctx context.Context, c *db.SQLConn) (err error) {
	c.Own, err = c.Value(ctx, pgstate.Setup)
	return err
}

// reset undoes what doesn't touch the setup, and compares that.
func reset(ctx context.Context, c *db.SQLConn) error {
	if err := c.Exec(ctx, pgstate.UndoKept); err != nil {
		return err
	}
	now, err := c.Value(ctx, pgstate.Setup)
	if err == nil && now != c.Own {
		err = errors.New("the connection isn't set up as it was at first")
	}
	return err
}

func convert(v any) (driver.Value, error) {
	converted, err := argument(v)
	if err == nil {
		err = checkTimes(converted)
	}
	return converted, err
}

func beginText(o db.TxOptions) []string {
	words := []string{"begin"}
	if level, ok := levels[o.Isolation]; ok {
		words = append(words, "isolation level", string(level))
	}
	if o.ReadOnly {
		words = append(words, "read only")
	}
	if o.Deferrable {
		words = append(words, "deferrable")
	}
	return []string{strings.Join(words, " ")}
}

// failsTx tells of the errors that come from the server: after each of them a
// transaction can only be rolled back.
func failsTx(err error) bool { return fromServer(err) }

// recoverConn tells whether a connection is well. In a failed transaction it says no
// more than that.
func recoverConn(ctx context.Context, c *db.SQLConn) error {
	err := c.Exec(ctx, "select 1")
	var state interface{ SQLState() string }
	if errors.As(err, &state) && state.SQLState() == "25P02" {
		return nil
	}
	return err
}

// lost tells whether a driver like pgx's stdlib has lost the connection after it had sent
// something, or has given it up because the context had ended.
func lost(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		// The server's last words. It looks at the time that it was idle for only between statements.
		return e.SeverityUnlocalized == "FATAL" && e.Code != "57P05" && e.Code != "25P03"
	}
	return disconnected(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// open tells whether a connection of pgx's stdlib is open. When a Query message has been sent
// and the connection breaks, pgx says of the error that it is safe to retry, so stdlib
// makes driver.ErrBadConn of it.
func open(c *db.SQLConn) bool {
	known, ok := c.Driver().(interface{ Conn() *pgx.Conn })
	return ok && !known.Conn().IsClosed()
}

// stale tells that a prepared statement's result has other columns now.
func stale(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && state.SQLState() == "0A000" && strings.Contains(err.Error(), "cached plan")
}

// column returns how to convert a column's values.
func column(typ string) func(driver.Value) (driver.Value, error) {
	switch typ {
	case "JSON", "JSONB", "XML", "NUMERIC", "UUID", "TIME", "INTERVAL":
		return text
	}
	if element, ok := strings.CutPrefix(typ, "_"); ok {
		return func(v driver.Value) (driver.Value, error) {
			s, ok := v.(string)
			if !ok {
				return v, nil
			}
			return arrayOf(element, s)
		}
	}
	return nil
}

func text(v driver.Value) (driver.Value, error) {
	if b, ok := v.([]byte); ok {
		return string(b), nil
	}
	return v, nil
}
