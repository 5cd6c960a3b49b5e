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

// ConnectorDB returns a Connector for an open database of pgx's stdlib.
func (d Dialect) ConnectorDB(_ context.Context, pool *sql.DB) (backend.Connector, error) {
	return sqlbackend.NewDB(sqlDriver{connections: pool.Stats().MaxOpenConnections}, pool), nil
}

// sqlDriver is the sqlbackend.Driver for pgx's stdlib.
type sqlDriver struct {
	sqlbackend.Defaults
	connections int // the most connections; 0 means no limit
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

// Keep notes how a connection is set up. The pool's owner may have done that, so Reset can't do it
// again.
func (sqlDriver) Keep(ctx context.Context, c *sqlbackend.Conn) (err error) {
	c.Own, err = c.Value(ctx, pgstate.Setup)
	return err
}

// Reset undoes what doesn't touch the setup. It fails if the setup has changed.
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

// TxState returns the state in the last ReadyForQuery message, as pgx's stdlib has read it. For a
// connection of another driver it returns FailedTx.
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

// Recover checks that a connection works. In a failed transaction, the server's refusal shows that
// it does.
func (sqlDriver) Recover(ctx context.Context, c *sqlbackend.Conn) error {
	err := c.Exec(ctx, "select 1")
	var state interface{ SQLState() string }
	if errors.As(err, &state) && state.SQLState() == "25P02" {
		return nil
	}
	return err
}

// Lost reports whether pgx's stdlib has lost the connection after it had sent something, or has
// given it up because the context had ended.
func (sqlDriver) Lost(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		// These are the server's last words. It ends a connection for being idle only between
		// statements, so those codes don't count.
		return e.SeverityUnlocalized == "FATAL" && e.Code != "57P05" && e.Code != "25P03"
	}
	return disconnected(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Open reports whether a connection of pgx's stdlib is open. If the connection breaks after a Query
// message was sent, pgx still calls the error safe to retry, so stdlib returns driver.ErrBadConn.
func (sqlDriver) Open(c *sqlbackend.Conn) bool {
	known, ok := c.Driver().(interface{ Conn() *pgx.Conn })
	return ok && !known.Conn().IsClosed()
}

// Stale reports whether an error means that the columns of a prepared statement's result have
// changed.
func (sqlDriver) Stale(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && state.SQLState() == "0A000" && strings.Contains(err.Error(), "cached plan")
}

// Column returns the function that converts a column's values, or nil.
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
