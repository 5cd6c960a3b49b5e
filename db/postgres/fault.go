package postgres

import (
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/pg"
)

// conditions has the SQLSTATEs that mean one of db's conditions; those of two
// characters stand for all of their class that aren't listed.
var conditions = map[string]error{
	"23":    db.ErrConstraint,
	"23505": db.ErrUnique,
	"23503": db.ErrForeignKey,
	"23001": db.ErrForeignKey,
	"23502": db.ErrNotNull,
	"23514": db.ErrCheck,
	"23P01": db.ErrExclusion,

	"40":    db.ErrConflict,
	"40001": db.ErrSerialization,
	"40P01": db.ErrDeadlock,
	"40002": db.ErrConstraint,
	"40003": db.ErrUnknownOutcome, "08007": db.ErrUnknownOutcome,
	"55P03": db.ErrLockTimeout,
	"55006": db.ErrBusy,

	"42601": db.ErrSyntax, "42000": db.ErrSyntax,
	"42P01": db.ErrUndefinedTable,
	"42703": db.ErrUndefinedColumn,
	"42704": db.ErrUndefined, "42883": db.ErrUndefined, "42P02": db.ErrUndefined, "3F000": db.ErrUndefined, "3D000": db.ErrUndefined,
	"42501": db.ErrPermission,
	"28":    db.ErrPermission,
	"25006": db.ErrReadOnly,
	"25P02": db.ErrTxFailed,
	"25P03": db.ErrDisconnected,
	"25P04": db.ErrTimeout,
	"22":    db.ErrData,
	"21000": db.ErrData,
	"54000": db.ErrData,
	"0A":    db.ErrUnsupported,

	"08":    db.ErrDisconnected,
	"57P01": db.ErrDisconnected, "57P02": db.ErrDisconnected, "57P03": db.ErrDisconnected, "57P04": db.ErrDisconnected, "57P05": db.ErrDisconnected,
}

// Fault reads an error of package pg, or of another driver that knows SQLSTATEs.
func (Dialect) Fault(err error) db.Fault {
	var state interface{ SQLState() string }
	if !errors.As(err, &state) || state.SQLState() == "" {
		return unnamed(err)
	}
	code := state.SQLState()
	f := db.Fault{Code: code}
	if condition, ok := conditions[code]; ok {
		f.Condition = condition
	} else if len(code) == 5 {
		f.Condition = conditions[code[:2]]
	}
	if code == "57014" && strings.Contains(err.Error(), "timeout") {
		f.Condition = db.ErrTimeout // statement_timeout; without it, somebody's cancel
	}
	switch code {
	case "53300":
		f.Hint = "the server has as many connections as it allows: lower pool_size, max_overflow and pool_lanes, or raise its max_connections"
	case "42P18":
		f.Hint = "the server can't tell a parameter's type; write cast(:name as type)"
	}
	var e *pgconn.PgError
	if errors.As(err, &e) {
		f.Table, f.Column, f.Constraint = e.TableName, e.ColumnName, e.ConstraintName
		f.Raised = code == "P0001" || strings.HasPrefix(e.Routine, "exec_stmt_") // RAISE and ASSERT, whatever their code
		if f.Hint == "" {
			f.Hint = e.Hint
		}
		switch code {
		case "42P01":
			f.Table = quoted(e.Message)
		case "42703":
			f.Column = quoted(e.Message)
		}
	}
	return f
}

// unnamed reads an error that isn't the server's.
func unnamed(err error) db.Fault {
	switch text := err.Error(); {
	case strings.Contains(text, "failed to encode args["): // of pgx's stdlib
		if strings.Contains(text, noPlan) {
			return db.Fault{Condition: db.ErrParameter, Hint: jsonHint}
		}
		return db.Fault{Condition: db.ErrData}
	case errors.Is(err, pg.ErrClosed):
		return db.Fault{Condition: db.ErrClosed}
	case errors.Is(err, pg.ErrQueueFull):
		return db.Fault{Condition: db.ErrBusy, Hint: "raise pool_lanes or pool_queue"}
	case errors.Is(err, pg.ErrUnsupported):
		return db.Fault{Condition: db.ErrUnsupported}
	case errors.Is(err, pg.ErrConnLost), errors.Is(err, pg.ErrProtocol), disconnected(err):
		return db.Fault{Condition: db.ErrDisconnected}
	}
	return db.Fault{}
}

// disconnected tells whether an error comes from the network.
func disconnected(err error) bool {
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connecting) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// quoted returns what stands between the first pair of double quotes.
func quoted(message string) string {
	_, rest, _ := strings.Cut(message, `"`)
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

// isLost tells whether an error means that the connection is gone.
func isLost(err error) bool {
	return errors.Is(err, pg.ErrConnLost) || errors.Is(err, pg.ErrProtocol) || errors.Is(err, pg.ErrClosed)
}

// fromServer tells whether an error is what the server said of a statement.
func fromServer(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && state.SQLState() != ""
}

// uncertain marks an error of pg after which the statement may have been applied.
func uncertain(err error) error {
	var failed *pg.StatementError
	if errors.As(err, &failed) && failed.MaybeApplied {
		return db.UnknownOutcome(err)
	}
	return err
}
