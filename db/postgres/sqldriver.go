package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/backend/sqlbackend"
	"github.com/seed1239206e/repaint/internal/pgstate"
)

// keptStatements is how many prepared statements a connection of database/sql keeps.
const keptStatements = 256

// ConnectorDB uses an open database.
func (d Dialect) ConnectorDB(_ context.Context, pool *sql.DB) (backend.Connector, error) {
	return sqlbackend.NewDB(sqlDriver{connections: pool.Stats().MaxOpenConnections}, pool), nil
}

// sqlDriver is a driver like pgx's stdlib.
type sqlDriver struct {
	sqlbackend.Defaults
	connections int // the most there may be; 0 is no bound
}

var (
	_ sqlbackend.Resetter        = sqlDriver{}
	_ sqlbackend.OpenReporter    = sqlDriver{}
	_ sqlbackend.TxReporter      = sqlDriver{}
	_ sqlbackend.ArgConverter    = sqlDriver{}
	_ sqlbackend.ColumnConverter = sqlDriver{}
)

func (d sqlDriver) Facts() sqlbackend.Facts {
	return sqlbackend.Facts{
		Limits:         backend.Limits{MaxParams: maxParams, MaxConns: d.connections},
		KeepStatements: keptStatements,
		SendsText:      true,
		TextArgs:       []driver.NamedValue{{Ordinal: 1, Value: pgx.QueryExecModeExec}},
		OneStatement:   true,
	}
}

// Keep notes how a connection is set up. The pool's owner may have done that, so it can't be done
// again here.
func (sqlDriver) Keep(ctx context.Context, c *sqlbackend.Conn) (err error) {
	c.Own, err = c.Value(ctx, pgstate.Setup)
	return err
}

// Reset undoes what doesn't touch the setup, and compares that.
func (sqlDriver) Reset(ctx context.Context, c *sqlbackend.Conn) error {
	if err := c.Exec(ctx, pgstate.UndoKept); err != nil {
		return err
	}
	now, err := c.Value(ctx, pgstate.Setup)
	if err == nil && now != c.Own {
		err = errors.New("the connection isn't set up as it was at first")
	}
	return err
}

func (sqlDriver) Convert(v any) (driver.Value, error) {
	converted, err := argument(v)
	if err == nil {
		err = checkTimes(converted)
	}
	return converted, err
}

func (sqlDriver) BeginText(o backend.TxOptions) []string {
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

// TxState tells what pgx's stdlib has read in the last ReadyForQuery. What is no connection of it is
// never open.
func (sqlDriver) TxState(c *sqlbackend.Conn) backend.Status {
	known, ok := c.Driver().(interface{ Conn() *pgx.Conn })
	if !ok {
		return backend.FailedTx
	}
	switch known.Conn().PgConn().TxStatus() {
	case 'T':
		return backend.InTx
	case 'E':
		return backend.FailedTx
	}
	return backend.Idle
}

// Recover finds out whether a connection is well. In a failed transaction it says no
// more than that.
func (sqlDriver) Recover(ctx context.Context, c *sqlbackend.Conn) error {
	err := c.Exec(ctx, "select 1")
	var state interface{ SQLState() string }
	if errors.As(err, &state) && state.SQLState() == "25P02" {
		return nil
	}
	return err
}

// Lost reports whether a driver like pgx's stdlib has lost the connection after it had sent
// something, or has given it up because the context had ended.
func (sqlDriver) Lost(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		// The server's last words. It looks at the time that it was idle for only between statements.
		return e.SeverityUnlocalized == "FATAL" && e.Code != "57P05" && e.Code != "25P03"
	}
	return disconnected(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Open reports whether a connection of pgx's stdlib is open. When a Query message has been sent
// and the connection breaks, pgx says of the error that it is safe to retry, so stdlib
// makes driver.ErrBadConn of it.
func (sqlDriver) Open(c *sqlbackend.Conn) bool {
	known, ok := c.Driver().(interface{ Conn() *pgx.Conn })
	return ok && !known.Conn().IsClosed()
}

// Stale reports whether a prepared statement's result has other columns now.
func (sqlDriver) Stale(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && state.SQLState() == "0A000" && strings.Contains(err.Error(), "cached plan")
}

// Column returns how to convert a column's values.
func (sqlDriver) Column(typ string) func(driver.Value) (driver.Value, error) {
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
