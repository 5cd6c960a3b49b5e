package pg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// A purpose is what a connection is for. It decides to which host it leads, and how it is set up.
type purpose uint8

const (
	forAll   purpose = iota
	forReads         // one of a Reader's lanes
)

const readOnlySetting = "default_transaction_read_only"

// target returns the configuration with which a connection is opened for its purpose: this is the one
// place that decides which hosts it is tried with. The one that it is given must not be changed.
func (p purpose) target(config *pgconn.Config) *pgconn.Config {
	if p != forReads {
		return config
	}
	// In the first message, so that neither RESET nor a hook changes it unnoticed, and a pooler that
	// can't keep it for this client says so.
	own := config.Copy()
	if own.RuntimeParams == nil {
		own.RuntimeParams = map[string]string{}
	}
	own.RuntimeParams[readOnlySetting] = "on"
	return own
}

// check makes sure, on a new connection, that it is what its purpose needs. It returns whether
// statements of several callers may share a transaction there.
func (p purpose) check(ctx context.Context, pc *pgconn.PgConn) (shares bool, err error) {
	if p != forReads {
		return false, nil
	}
	// The level is pinned, so that a change of the server's configuration doesn't concern this
	// connection; but not where there is a pooler in between, whose connections are others' next.
	results, err := pc.Exec(ctx, "select current_setting('"+readOnlySetting+"'), case pg_backend_pid() when "+strconv.Itoa(int(int32(pc.PID())))+
		" then set_config('default_transaction_isolation', current_setting('default_transaction_isolation'), false)"+
		" else current_setting('default_transaction_isolation') end").ReadAll()
	if err != nil {
		return false, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) != 2 {
		return false, fmt.Errorf("%w: no answer to what its settings are", ErrProtocol)
	}
	row := results[0].Rows[0]
	if string(row[0]) != "on" {
		return false, &notReadOnly{fmt.Errorf("%s is %s there", readOnlySetting, row[0])}
	}
	return string(row[1]) == "read committed", nil
}

// explain says what to do if a connection can't be opened for its purpose.
func (p purpose) explain(err error) error {
	var server *pgconn.PgError
	if p == forReads && errors.As(err, &server) && strings.Contains(server.Message, readOnlySetting) {
		return &notReadOnly{err}
	}
	return err
}

// notReadOnly says that there are no connections for a Reader. It is [ErrUnsupported], too.
type notReadOnly struct{ err error }

func (e *notReadOnly) Error() string {
	return "a Reader needs connections with " + readOnlySetting + "=on, which an AfterConnect hook, or a pooler in between, doesn't give it (" + e.err.Error() +
		"): connect to the server itself; or have PgBouncer ignore the startup parameter, and set it for the role with ALTER ROLE"
}

func (e *notReadOnly) Unwrap() []error { return []error{ErrUnsupported, e.err} }
