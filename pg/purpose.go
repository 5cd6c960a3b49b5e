package pg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// A purpose is what a connection is for. It decides which host the connection leads to, and how it
// is set up.
type purpose uint8

const (
	forAll          purpose = iota
	forReads                // a Reader's lane, to the server that everything else uses, too
	forStandbyReads         // a Reader's lane, to a standby
	forLooks                // a lookout's, which asks a server for its role
)

// reads reports whether the connection is for Readers.
func (p purpose) reads() bool { return p == forReads || p == forStandbyReads }

const readOnlySetting = "default_transaction_read_only"

// target returns the configuration with which a connection is opened for its purpose. No other
// place decides which hosts are tried. The configuration leads to the node n, if that isn't nil,
// and else to the primary, if the DB wants that. target doesn't change config.
func (p purpose) target(config *pgconn.Config, ro *roles, n *node) *pgconn.Config {
	if !p.reads() && ro == nil {
		return config
	}
	own := config.Copy()
	if n != nil {
		narrow(own, n.at)
	}
	switch {
	case p == forLooks:
		own.ValidateConnect, own.AfterConnect, own.OnNotice, own.OnNotification = nil, nil, nil, nil
		return own
	case p == forStandbyReads:
		own.ValidateConnect = validateStandby
	case ro != nil && ro.leads && own.ValidateConnect == nil,
		p == forReads && own.ValidateConnect != nil && same(own.ValidateConnect, pgconn.ValidateConnectTargetSessionAttrsReadWrite): // a Reader's connections are never read-write
		own.ValidateConnect = validatePrimary
	}
	if !p.reads() {
		return own
	}
	// The setting is in the first message, so that neither RESET nor a hook changes it unnoticed. A
	// pooler that can't keep it for this client then says so.
	if own.RuntimeParams == nil {
		own.RuntimeParams = map[string]string{}
	}
	own.RuntimeParams[readOnlySetting] = "on"
	return own
}

// check checks that a new connection is what its purpose needs. It returns whether statements of
// several callers may share a transaction there.
func (p purpose) check(ctx context.Context, pc *pgconn.PgConn) (shares bool, err error) {
	if !p.reads() {
		return false, nil
	}
	// Pin the isolation level, so that a change of the server's configuration doesn't affect this
	// connection. But don't do so through a pooler, because its connections serve other clients
	// next.
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

// validatePrimary refuses standbys.
func validatePrimary(ctx context.Context, pc *pgconn.PgConn) error {
	standby, err := inRecovery(ctx, pc)
	if err == nil && standby {
		err = errNotPrimary
	}
	return err
}

// validateStandby refuses anything but a standby.
func validateStandby(ctx context.Context, pc *pgconn.PgConn) error {
	standby, err := inRecovery(ctx, pc)
	if err == nil && !standby {
		err = errNotStandby
	}
	return err
}

// inRecovery asks a server whether it is a standby. The server's parameter reports aren't enough: a
// pooler in between may pass on those of another server.
func inRecovery(ctx context.Context, pc *pgconn.PgConn) (bool, error) {
	results, err := pc.Exec(ctx, "select pg_is_in_recovery()").ReadAll()
	var server *pgconn.PgError
	switch {
	case errors.As(err, &server) && server.Code == "42883":
		return false, nil // such a server knows no standbys
	case err != nil:
		return false, err
	case len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) != 1:
		return false, fmt.Errorf("%w: no answer to whether it is a standby", ErrProtocol)
	}
	return string(results[0].Rows[0][0]) == "t", nil
}

// explain makes the error say what to do if a connection can't be opened for its purpose.
func (p purpose) explain(err error) error {
	var server *pgconn.PgError
	if p.reads() && errors.As(err, &server) && strings.Contains(server.Message, readOnlySetting) {
		return &notReadOnly{err}
	}
	return err
}

// notReadOnly says that no connection for a Reader can be opened. It wraps [ErrUnsupported].
type notReadOnly struct{ err error }

func (e *notReadOnly) Error() string {
	return "a Reader needs connections with " + readOnlySetting + "=on, which an AfterConnect hook, or a pooler in between, doesn't give it (" + e.err.Error() +
		"): connect to the server itself; or have PgBouncer ignore the startup parameter, and set it for the role with ALTER ROLE"
}

func (e *notReadOnly) Unwrap() []error { return []error{ErrUnsupported, e.err} }
