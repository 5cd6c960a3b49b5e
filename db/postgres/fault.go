package postgres

import (
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/pg"
)

// conditions maps SQLSTATEs to db's conditions. A key of two characters stands for its whole class,
// except the codes that have a key of their own.
var conditions = map[string]error{
	"23":    backend.ErrConstraint,
	"23505": backend.ErrUnique,
	"23503": backend.ErrForeignKey,
	"23001": backend.ErrForeignKey,
	"23502": backend.ErrNotNull,
	"23514": backend.ErrCheck,
	"23P01": backend.ErrExclusion,

	"40":    backend.ErrConflict,
	"40001": backend.ErrSerialization,
	"40P01": backend.ErrDeadlock,
	"40002": backend.ErrConstraint,
	"40003": backend.ErrUnknownOutcome, "08007": backend.ErrUnknownOutcome,
	"55P03": backend.ErrLockTimeout,
	"55006": backend.ErrBusy,
	"53100": backend.ErrDiskFull,

	"42601": backend.ErrSyntax, "42000": backend.ErrSyntax,
	"42P01": backend.ErrUndefinedTable,
	"42703": backend.ErrUndefinedColumn,
	"42704": backend.ErrUndefined, "42883": backend.ErrUndefined, "42P02": backend.ErrUndefined, "3F000": backend.ErrUndefined, "3D000": backend.ErrUndefined,
	"42501": backend.ErrPermission,
	"28":    backend.ErrPermission,
	"25006": backend.ErrReadOnly,
	"25P02": backend.ErrTxFailed,
	"25P03": backend.ErrDisconnected,
	"25P04": backend.ErrTimeout,
	"22":    backend.ErrData,
	"21000": backend.ErrData,
	"54000": backend.ErrData,
	"0A":    backend.ErrUnsupported,

	"08":    backend.ErrDisconnected,
	"57P01": backend.ErrDisconnected, "57P02": backend.ErrDisconnected, "57P03": backend.ErrDisconnected, "57P04": backend.ErrDisconnected, "57P05": backend.ErrDisconnected,
}

// Restate implements backend.ErrorRestater. It leaves out other fields that may contain values.
func (Dialect) Restate(err error, message string) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return nil
	}
	if _, after, found := strings.Cut(message, e.Severity+": "); found {
		message = after
	}
	return &pgconn.PgError{
		Severity: e.Severity, SeverityUnlocalized: e.SeverityUnlocalized, Code: e.Code,
		Message:    strings.TrimSuffix(message, " (SQLSTATE "+e.Code+")"),
		SchemaName: e.SchemaName, TableName: e.TableName, ColumnName: e.ColumnName, DataTypeName: e.DataTypeName, ConstraintName: e.ConstraintName,
		File: e.File, Line: e.Line, Routine: e.Routine,
	}
}

// IsHint implements backend.HintKnower. It returns true for pgx's QueryExecMode, which GORM's
// migrator passes.
func (Dialect) IsHint(arg any) bool {
	_, is := arg.(pgx.QueryExecMode)
	return is
}

// Fault returns what an error means that comes from package pg, or from another driver with
// SQLSTATEs.
func (Dialect) Fault(err error) backend.Fault {
	var state interface{ SQLState() string }
	if !errors.As(err, &state) || state.SQLState() == "" {
		return unnamed(err)
	}
	code := state.SQLState()
	f := backend.Fault{Code: code}
	if condition, ok := conditions[code]; ok {
		f.Condition = condition
	} else if len(code) == 5 {
		f.Condition = conditions[code[:2]]
	}
	if code == "57014" && strings.Contains(err.Error(), "timeout") {
		f.Condition = backend.ErrTimeout // statement_timeout; without it, a cancel by another session
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

// unnamed returns what an error without an SQLSTATE means.
func unnamed(err error) backend.Fault {
	if e, ok := pg.AsEncodeError(err); ok {
		if e.Unsuitable {
			return backend.Fault{Condition: backend.ErrParameter, Hint: jsonHint}
		}
		return backend.Fault{Condition: backend.ErrData}
	}
	switch {
	case errors.Is(err, pg.ErrClosed):
		return backend.Fault{Condition: backend.ErrClosed}
	case errors.Is(err, pg.ErrQueueFull):
		return backend.Fault{Condition: backend.ErrBusy, Hint: "raise pool_lanes or pool_queue"}
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return backend.Fault{Condition: backend.ErrTxFailed}
	case errors.Is(err, pg.ErrUnsupported):
		return backend.Fault{Condition: backend.ErrUnsupported}
	case errors.Is(err, pg.ErrConnLost), errors.Is(err, pg.ErrProtocol), disconnected(err):
		return backend.Fault{Condition: backend.ErrDisconnected}
	}
	return backend.Fault{}
}

// disconnected reports whether an error comes from the network.
func disconnected(err error) bool {
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connecting) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// quoted returns the text between the first pair of double quotes.
func quoted(message string) string {
	_, rest, _ := strings.Cut(message, `"`)
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

// isLost reports whether an error means that the connection is gone.
func isLost(err error) bool {
	return errors.Is(err, pg.ErrConnLost) || errors.Is(err, pg.ErrProtocol) || errors.Is(err, pg.ErrClosed)
}

// fromServer reports whether an error is the server's answer to a statement.
func fromServer(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && state.SQLState() != ""
}

// uncertain marks an error of pg if the statement may have been applied.
func uncertain(err error) error {
	var failed *pg.StatementError
	if errors.As(err, &failed) && failed.MaybeApplied {
		return backend.UnknownOutcome(err)
	}
	return err
}
