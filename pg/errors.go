package pg

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5/pgconn"
)

var (
	// ErrConnLost reports that the connection broke. The error that wraps it is a [*LostError],
	// which says whether the statement may have been applied.
	ErrConnLost = errors.New("pg: the connection was lost")

	// ErrClosed reports that the DB, session, listener, cursor or result that was called had been
	// closed. A closed transaction returns pgx.ErrTxClosed instead.
	ErrClosed = errors.New("pg: closed")

	// ErrQueueFull reports that the statement wasn't sent, because Config.QueueLimit statements
	// already wait for a lane.
	ErrQueueFull = errors.New("pg: too many statements are waiting")

	// ErrRefusedOnLane reports that a statement would leave something behind on a connection that
	// other callers use, too. It needs a session or a transaction of its own.
	ErrRefusedOnLane = errors.New("pg: refused on a shared connection")

	// ErrProtocol reports that the server sent a message that the protocol doesn't allow at that
	// point. The driver closes the connection.
	ErrProtocol = errors.New("pg: the server doesn't keep to the protocol")

	// ErrInUse reports that a session or transaction can't do what was asked, because it is busy:
	// it has an open stream, runs a COPY or has lent its connection (see [Session.Pgx]). A session
	// also returns it from Begin while it has an open transaction.
	ErrInUse = errors.New("pg: the session is in use")

	// ErrBusy is [ErrInUse], as db calls it.
	//
	// Deprecated: use ErrInUse. In db, ErrBusy is a lock of the database that isn't free.
	ErrBusy = ErrInUse

	// ErrResultTooLarge reports that a result has more bytes than Config.ResultLimit. The statement
	// was executed, and its rows were thrown away.
	ErrResultTooLarge = errors.New("pg: the result is too large to be kept in memory")

	// ErrUnsupported reports that this driver doesn't have a feature. errors.Is finds
	// errors.ErrUnsupported in it, too.
	ErrUnsupported error = unsupported{}
)

type unsupported struct{}

func (unsupported) Error() string        { return "pg: not supported" }
func (unsupported) Is(target error) bool { return target == errors.ErrUnsupported }

// A StatementError is the error of a statement: its text, the connection that it ran on, and what
// went wrong. errors.As finds the server's *pgconn.PgError in it, if the server refused the
// statement. The error's text doesn't show values of arguments and rows, unless
// Config.ShowParameters is set.
type StatementError struct {
	SQL   string // the statement's text, shortened to about 80 characters
	Stage Stage  // what the driver was doing
	Host  string // host:port of the server; empty if the statement had not been sent
	Err   error  // what went wrong

	// MaybeApplied is true if the statement may have been applied, because it had been sent when
	// the connection broke or the context ended. In a transaction it is true only for the statement
	// that commits, since the server rolls back the others.
	MaybeApplied bool

	unsent bool   // nothing was sent
	shown  string // what is printed for Err; "" prints it as it is
}

// A Stage says what the driver was doing with a statement when the statement failed.
type Stage string

// The stages of a statement.
const (
	StageWait    Stage = "waiting for a connection for"
	StageCheck   Stage = "checking"
	StagePrepare Stage = "preparing" // the server looks at the text and the values, and plans; it executes nothing
	StageLimit   Stage = "limiting"  // setting its Timeout, or making it read-only
	StageBegin   Stage = "beginning the transaction of"
	StageEncode  Stage = "encoding the arguments of"
	StageColumns Stage = "asking for the types of the columns of"
	StageRun     Stage = "running"
	StageCopy    Stage = "producing the data of"
	StageRead    Stage = "reading the result of"
	StageWrite   Stage = "writing the output of"
)

// Error says at which stage the statement failed, and quotes its shortened text.
func (e *StatementError) Error() string {
	var b strings.Builder
	b.WriteString("pg: ")
	b.WriteString(string(e.Stage))
	fmt.Fprintf(&b, " %q", e.SQL)
	if e.Host != "" {
		b.WriteString(" at " + e.Host)
	}
	b.WriteString(": ")
	text := e.shown
	if text == "" {
		text = e.Err.Error()
	}
	b.WriteString(strings.TrimPrefix(text, "pg: "))
	return b.String()
}

// MarshalText returns the text of Error, so that encoders such as encoding/json don't show the
// values in Err. It never fails.
func (e *StatementError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// Unwrap returns Err.
func (e *StatementError) Unwrap() error { return e.Err }

// A callError is the error of a call that runs no statement of the caller's.
type callError struct {
	call   string
	unsent bool // nothing was sent
	err    error
}

func (e *callError) Error() string {
	return "pg: " + e.call + ": " + strings.TrimPrefix(e.err.Error(), "pg: ")
}

func (e *callError) Unwrap() error { return e.err }

// A LostError reports that a statement's connection broke, and whether the statement may have been
// applied. errors.Is finds [ErrConnLost] in it, and errors.As the server's *pgconn.PgError if the
// server gave a reason. It usually comes inside a [*StatementError].
type LostError struct {
	// MaybeApplied is false if the statement certainly changed no row. The caller can then repeat
	// it, unless RolledBack is true.
	MaybeApplied bool
	// RolledBack is true if the server may have executed the statement and then rolled it back with
	// its transaction. A rollback doesn't undo everything: sequences keep their new values. So the
	// driver repeats nothing. The caller can repeat the whole transaction.
	RolledBack bool
	Err        error // the reason: an error of the network, or the server's last *pgconn.PgError
}

// Error says whether the statement may have been applied.
func (e *LostError) Error() string {
	fate := "the statement had no effect"
	switch {
	case e.RolledBack:
		fate = "the statement was rolled back if the server had begun to execute it"
	case e.MaybeApplied:
		fate = "the statement may have been applied"
	}
	return fmt.Sprintf("the connection was lost, %s: %v", fate, e.Err)
}

// Unwrap returns ErrConnLost and the reason.
func (e *LostError) Unwrap() []error { return []error{ErrConnLost, e.Err} }

// A BatchError says which statement of a batch failed, because the server refused it or its
// arguments couldn't be encoded. Then no statement of the batch has an effect; in a transaction,
// that transaction must be rolled back. An error that concerns no single statement, such as a lost
// connection or the end of the context, isn't a BatchError.
type BatchError struct {
	Index int   // the statement's place in the batch, from 0
	Count int   // how many statements the batch has
	Err   error // usually a [*StatementError]
}

// Error says which statement of the batch failed, and how.
func (e *BatchError) Error() string {
	if e.Count == 1 {
		return e.Err.Error()
	}
	return fmt.Sprintf("pg: statement %d of the batch's %d: %v", e.Index+1, e.Count, e.Err)
}

// Unwrap returns what happened: a [*StatementError].
func (e *BatchError) Unwrap() error { return e.Err }

// refused explains why a statement can't run on a lane.
func refused(what verdict) error {
	switch {
	case what.effects.Any(copies):
		return fmt.Errorf("%w: Exec and Query can't run a COPY from or to the client: use CopyFrom, CopyFromReader, CopyTo or CopyOut", ErrUnsupported)
	case what.effects.Any(ofTx):
		return fmt.Errorf("%w: %s would change the transaction of other callers: use Begin, or Acquire a session", ErrRefusedOnLane, what.cause)
	}
	return fmt.Errorf("%w: %s leaves state behind on its connection: Acquire a session for it, or use a transaction", ErrRefusedOnLane, what.cause)
}

const shortLength = 80

// resultTooLarge is the error of a statement whose rows were thrown away.
func resultTooLarge(most int) error {
	return fmt.Errorf("%w: it has more than %d bytes (result_limit); the statement was executed, but its rows were thrown away: use Stream, or a LIMIT in the query", ErrResultTooLarge, most)
}

// shorten returns the first 80 characters of a statement, on one line.
func shorten(sql string) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range sql {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			space = n > 0
			continue
		}
		if n >= shortLength {
			b.WriteString(" …")
			break
		}
		if space {
			b.WriteByte(' ')
			n, space = n+1, false
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// backendEnds reports whether a backend says with this error that it ends, instead of executing
// what it was sent next. A pooler that has lost its server may use other codes, and doesn't know
// how far the server came.
func backendEnds(e *pgconn.PgError) bool {
	if e == nil {
		return false
	}
	switch e.Code {
	case "57P01", "57P02", "57P04", "57P05", "25P03", "25P04": // shutdown, crash, dropped database, idle for too long
		return true
	}
	return false
}

// endsAtRest reports whether a backend, or PgBouncer, says with this error that it ends because it
// was idle. It checks its idle time only before it begins with the next statement. So nothing that
// it hasn't answered had an effect.
func endsAtRest(e *pgconn.PgError) bool {
	if e == nil {
		return false
	}
	switch e.Code {
	case "57P05", "25P03": // idle_session_timeout, idle_in_transaction_session_timeout
		return true
	case "08P01":
		return e.Message == "client_idle_timeout" // PgBouncer's
	}
	return false
}

// endsBefore reports whether a backend itself says with this error that it was told to end: it
// names the function that raised the error, which no pooler does. A backend answers in order. So
// with the extended protocol, it has executed nothing of a statement whose text or parameters it
// hasn't accepted yet.
func endsBefore(e *pgconn.PgError) bool { return backendEnds(e) && e.Routine == "ProcessInterrupts" }

// explain adds advice to a server error that doesn't say what to do.
func explain(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == "26000" && strings.Contains(e.Message, namePrefix) {
		return fmt.Errorf("%w: if a pooler such as PgBouncer in transaction mode is in between, "+
			"set default_query_exec_mode=exec in the connection string", err)
	}
	return err
}

// isFatal reports whether the server ends the connection with this error.
func isFatal(e *pgconn.PgError) bool {
	severity := e.SeverityUnlocalized
	if severity == "" {
		severity = e.Severity
	}
	return severity == "FATAL" || severity == "PANIC"
}
