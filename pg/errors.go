package pg

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5/pgconn"
)

var (
	// ErrConnLost says that the connection broke. The error that wraps it is a [*LostError], which
	// knows whether the statement may have been applied.
	ErrConnLost = errors.New("pg: the connection was lost")

	// ErrClosed says that the DB, or the session or transaction, has been closed.
	ErrClosed = errors.New("pg: closed")

	// ErrQueueFull says that too many statements wait for a lane already: see Config.QueueLimit.
	ErrQueueFull = errors.New("pg: too many statements are waiting")

	// ErrRefusedOnLane says that a statement would leave something behind on a connection that
	// others use, too. It needs a session or a transaction of its own.
	ErrRefusedOnLane = errors.New("pg: refused on a shared connection")

	// ErrProtocol says that the server sent what it must not send at that point. The connection is
	// given up.
	ErrProtocol = errors.New("pg: the server doesn't keep to the protocol")

	// ErrInUse says that the session, or transaction, has an open stream or a COPY under way, so
	// that nothing else can be executed on it; or that a session has a transaction, so that another
	// one can't be begun.
	ErrInUse = errors.New("pg: the session is in use")

	// ErrBusy is [ErrInUse], as db calls it.
	//
	// Deprecated: use ErrInUse. In db, ErrBusy is a lock of the database that isn't free.
	ErrBusy = ErrInUse

	// ErrResultTooLarge says that a result has more bytes than are kept in memory: see
	// Config.ResultLimit. The statement was executed.
	ErrResultTooLarge = errors.New("pg: the result is too large to be kept in memory")

	// ErrUnsupported says that this driver can't do something. It is errors.ErrUnsupported, too.
	ErrUnsupported error = unsupported{}
)

type unsupported struct{}

func (unsupported) Error() string        { return "pg: not supported" }
func (unsupported) Is(target error) bool { return target == errors.ErrUnsupported }

// A StatementError is the error of a statement: what it was, where it was, and what happened.
// errors.As finds the server's *pgconn.PgError in it. Its text doesn't show values, see
// Config.ShowParameters.
type StatementError struct {
	SQL   string // shortened
	Stage Stage  // what was being done
	Host  string // where; empty if the statement had not been sent anywhere
	Err   error

	// MaybeApplied is true if the statement may have been applied: the connection broke,
	// or the context ended, when it had been sent. In a transaction that concerns only what
	// commits, since the server rolls the rest back.
	MaybeApplied bool

	unsent bool   // nothing was sent
	shown  string // what is printed for Err; "" prints it as it is
}

// A Stage says what was being done with a statement when it failed.
type Stage string

// The stages of a statement.
const (
	StageWait    Stage = "waiting for a connection for"
	StageCheck   Stage = "checking"
	StagePrepare Stage = "preparing" // the server looks at the text
	StageLimit   Stage = "limiting"  // setting its Timeout, or making it read-only
	StageBegin   Stage = "beginning the transaction of"
	StageEncode  Stage = "encoding the arguments of"
	StageColumns Stage = "asking for the types of the columns of"
	StageRun     Stage = "running"
	StageCopy    Stage = "producing the data of"
	StageRead    Stage = "reading the result of"
	StageWrite   Stage = "writing what came of"
)

// Error says at which stage the statement has failed, and quotes its text, shortened.
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

// MarshalText is Error, for encoders such as that of JSON, which would show what Err has.
func (e *StatementError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// Unwrap returns what happened.
func (e *StatementError) Unwrap() error { return e.Err }

// A callError is the error of a call that is about no statement.
type callError struct {
	call   string
	unsent bool // nothing was sent
	err    error
}

func (e *callError) Error() string {
	return "pg: " + e.call + ": " + strings.TrimPrefix(e.err.Error(), "pg: ")
}

func (e *callError) Unwrap() error { return e.err }

// A LostError says that a statement's connection broke. errors.Is(err, ErrConnLost) holds for it.
type LostError struct {
	// MaybeApplied is false if the statement certainly changed no row. It can be repeated then, unless
	// RolledBack is true.
	MaybeApplied bool
	// RolledBack is true if the server may have executed the statement, and has rolled it back with
	// its transaction. Not everything is undone by that: a sequence goes on, for one. So what is
	// repeated is the transaction, by its owner, and nothing is repeated without being asked for.
	RolledBack bool
	Err        error // why: an error of the network, or the server's last words as *pgconn.PgError
}

// Error says whether the statement may have been applied.
func (e *LostError) Error() string {
	fate := "the statement had no effect"
	switch {
	case e.RolledBack:
		fate = "the statement was rolled back, if the server had begun with it"
	case e.MaybeApplied:
		fate = "the statement may have been applied"
	}
	return fmt.Sprintf("the connection was lost, %s: %v", fate, e.Err)
}

// Unwrap returns ErrConnLost and the reason.
func (e *LostError) Unwrap() []error { return []error{ErrConnLost, e.Err} }

// A BatchError says which statement of a batch failed: the server refused it, or it couldn't be
// encoded. None of the batch's statements has had an effect then, or in a transaction, none will
// have. What concerns no single statement, such as a lost connection or the end of the context, is
// no BatchError.
type BatchError struct {
	Index int // of the statement in the batch, from 0
	Count int // how many statements the batch has
	Err   error
}

// Error says which statement of the batch has failed, and how.
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
		return fmt.Errorf("%w: COPY from or to the client isn't possible with Exec or Query", ErrUnsupported)
	case what.effects.Any(ofTx):
		return fmt.Errorf("%w: %s would concern a transaction that others get into: use Begin, or Acquire a session", ErrRefusedOnLane, what.cause)
	}
	return fmt.Errorf("%w: %s leaves a state behind on its connection: Acquire a session for it, or use a transaction", ErrRefusedOnLane, what.cause)
}

const shortLength = 80

// resultTooLarge is the error of a statement whose rows were thrown away.
func resultTooLarge(most int) error {
	return fmt.Errorf("%w: it has more than %d bytes (result_limit); the statement was executed, only its rows were thrown away: read them with Stream, or with LIMIT", ErrResultTooLarge, most)
}

// shorten returns the beginning of a statement, on one line.
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

// backendEnds reports whether these are the last words of a backend that ends itself, instead of
// executing what it has been sent next. A pooler in between may use others when it has lost the
// server, and doesn't know how far that came.
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

// endsAtRest reports whether these are the last words of a backend, or of PgBouncer, that had nothing
// to do: it looks at the clock for how long it was idle before it begins with what it is sent next,
// and never in between. So nothing that it hasn't answered had an effect.
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

// endsBefore reports whether these are the last words of a backend that was told to end itself, in
// its own voice: it names the function that said so, as no pooler does. It says everything in order,
// so with the extended protocol it has executed nothing of a statement of which it has not even
// accepted the text or the parameters.
func endsBefore(e *pgconn.PgError) bool { return backendEnds(e) && e.Routine == "ProcessInterrupts" }

// explain adds what to do to an error of the server that doesn't tell.
func explain(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == "26000" && strings.Contains(e.Message, namePrefix) {
		return fmt.Errorf("%w: if there is a pooler in between that shares its connections, such as PgBouncer in transaction mode, "+
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
