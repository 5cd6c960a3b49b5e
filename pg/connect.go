package pg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/loop"
)

// A ConnectStage says how far an attempt to connect got.
type ConnectStage string

// The stages of connecting, in their order. If the configuration doesn't set a stage's function,
// the stage before covers it.
const (
	ConnectBefore   ConnectStage = "running BeforeConnect"
	ConnectLookup   ConnectStage = "looking up the host"
	ConnectDial     ConnectStage = "dialing"
	ConnectTLS      ConnectStage = "negotiating TLS"
	ConnectStart    ConnectStage = "starting" // authentication, and the settings of the connection
	ConnectValidate ConnectStage = "validating"
	ConnectSetUp    ConnectStage = "running AfterConnect"
	ConnectTakeOver ConnectStage = "taking over" // the connection from pgconn
)

// A ConnectAttempt is one attempt to connect that failed.
type ConnectAttempt struct {
	Address string       // host:port; the host alone if it couldn't be looked up
	Stage   ConnectStage // the stage that failed
	Err     error        // the reason; for what the server says, a *pgconn.PgError
}

// A ConnectError reports that no connection could be opened. The statement that needed it wasn't
// sent and had no effect; pgconn.SafeToRetry reports true. errors.As finds the server's
// *pgconn.PgError in it, for example for a wrong password. If the caller's context ended first,
// errors.Is finds its cause. It usually comes inside a [*StatementError]. Its text never has the
// password.
type ConnectError struct {
	Host     string           // host:port as configured; several are separated by commas
	Database string           // as configured; may be empty
	Attempts []ConnectAttempt // those that failed, in their order
	Err      error            // as pgconn, or a function of the configuration, returned it

	limit time.Duration
}

// Error says which addresses were tried, and how far each attempt got.
func (e *ConnectError) Error() string {
	to := e.Host
	if e.Database != "" {
		to += "/" + e.Database
	}
	return "pg: connecting to " + to + ": " + e.text()
}

// text is the error without the host and the database.
func (e *ConnectError) text() string {
	var shown []string
	for _, a := range e.Attempts {
		if text := e.attempt(a); !slices.Contains(shown, text) { // the same address is tried with TLS and without
			shown = append(shown, text)
		}
	}
	if len(shown) == 0 {
		shown = append(shown, e.Err.Error())
	}
	return strings.Join(shown, "; ")
}

// reasons returns the error for a text that already names the host and the database.
func (e *ConnectError) reasons() error { return &reasons{e} }

type reasons struct{ *ConnectError }

func (e *reasons) Error() string { return e.text() }

func (e *ConnectError) attempt(a ConnectAttempt) string {
	cause := a.Err
	if op, ok := cause.(*net.OpError); ok && a.Stage == ConnectDial {
		cause = op.Err // the rest repeats the address
	}
	text := string(a.Stage) + ": " + strings.TrimPrefix(cause.Error(), "pg: ")
	if a.Address != e.Host {
		text = a.Address + ": " + text
	}
	if e.limit > 0 && isTimeout(a.Err) {
		text += fmt.Sprintf(" (connect_timeout is %v)", e.limit)
	}
	return text
}

// Unwrap returns Err.
func (e *ConnectError) Unwrap() error { return e.Err }

// connect opens a connection to a server that fits: the given one, or else the primary if the DB
// knows which one that is, or one that pgconn chooses.
func (db *DB) connect(ctx context.Context, what purpose, to *node) (*wire, error) {
	if ro := db.roles; to == nil && ro != nil && ro.leads {
		return ro.connect(ctx, what)
	}
	return db.connectTo(ctx, what, to)
}

// connectTo opens a connection and calls the tracer.
func (db *DB) connectTo(ctx context.Context, what purpose, to *node) (*wire, error) {
	at := &attempts{config: db.config.Conn, purpose: what, db: db, node: to}
	w, err := aside(func() (*wire, error) {
		if err := at.before(ctx, db.config); err != nil {
			return nil, err
		}
		t, ok := db.config.Tracer.(pgx.ConnectTracer)
		if !ok {
			return connect(ctx, at)
		}
		at.calls = "TraceConnectStart"
		ctx := t.TraceConnectStart(ctx, pgx.TraceConnectStartData{ConnConfig: &pgx.ConnConfig{Config: *at.config}})
		at.calls = ""
		w, err := connect(ctx, at)
		if err != nil {
			err = at.failed(err)
		}
		at.calls = "TraceConnectEnd"
		t.TraceConnectEnd(ctx, pgx.TraceConnectEndData{Err: err})
		return w, err
	})
	if err == nil {
		return w, nil
	}
	for _, socket := range at.dialed {
		_ = socket.Close() // pgconn doesn't when a function of the configuration panics
	}
	if left := (*loop.PanicError)(nil); errors.As(err, &left) || errors.Is(err, loop.ErrGoexit) {
		err = &callbackError{name: at.calling(), err: err}
	}
	return nil, at.failed(err)
}

// aside calls fn in a goroutine of its own and waits for it. fn calls functions of the application:
// if one panics or calls runtime.Goexit, aside returns an error.
func aside[T any](fn func() (T, error)) (T, error) {
	p := loop.NewPromise[T](nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Complete(fn)
	}()
	<-done
	return p.Future().Result()
}

// attempts records how a connection is opened. It belongs to the goroutine that opens it.
type attempts struct {
	db      *DB
	config  *pgconn.Config
	purpose purpose
	node    *node            // the server that it must lead to; may be nil
	lookups []ConnectAttempt // that failed
	dials   []ConnectAttempt
	dialed  []net.Conn
	calls   string // the function of the application that runs; "" if none does
}

// before calls BeforeConnect, which may change the configuration of this connection.
func (t *attempts) before(ctx context.Context, c *Config) error {
	if c.BeforeConnect == nil {
		t.config = t.purpose.target(t.config, t.db.roles, t.node)
		return nil
	}
	if limit := c.Conn.ConnectTimeout; limit > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, limit)
		defer end()
	}
	own := &pgx.ConnConfig{Config: *c.Conn.Copy()}
	t.calls = "BeforeConnect"
	err := c.BeforeConnect(ctx, own)
	t.calls = ""
	if err == nil && own.DialFunc == nil { // or else pgconn panics
		err = errReplaced
	}
	if err != nil {
		t.lookups = append(t.lookups, ConnectAttempt{hosts(c.Conn), ConnectBefore, err})
		return err
	}
	t.config = t.purpose.target(&own.Config, t.db.roles, t.node)
	return nil
}

var errReplaced = errors.New("it has replaced the configuration by one that doesn't come from ParseConfig")

// calling names the function of the application that runs.
func (t *attempts) calling() string {
	if t.calls != "" {
		return t.calls
	}
	return "a function of the configuration"
}

// within returns a context that tells the functions of [attempts.noting] that they are called for
// the attempt itself. pgconn dials again later, in a goroutine of its own, to cancel a statement of
// a connection that it closes. Those calls aren't recorded.
func (t *attempts) within(ctx context.Context) context.Context {
	return context.WithValue(ctx, attemptsKey{}, t)
}

func (t *attempts) own(ctx context.Context) bool { return ctx.Value(attemptsKey{}) == t }

type attemptsKey struct{}

// noting returns the configuration with functions that record their calls, if the context is one of
// [attempts.within].
func (t *attempts) noting() *pgconn.Config {
	from := t.config
	config := *from
	config.LookupFunc = func(ctx context.Context, host string) ([]string, error) {
		t.calls = "LookupFunc"
		found, err := from.LookupFunc(ctx, host)
		t.calls = ""
		if err != nil {
			t.lookups = append(t.lookups, ConnectAttempt{host, ConnectLookup, err})
		}
		return found, err
	}
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if !t.own(ctx) {
			return from.DialFunc(ctx, network, addr)
		}
		t.dials = append(t.dials, ConnectAttempt{Address: addr, Stage: ConnectDial})
		t.calls = "DialFunc"
		socket, err := from.DialFunc(ctx, network, addr)
		t.calls = ""
		t.reached(ConnectTLS, err)
		if err == nil {
			t.dialed = append(t.dialed, socket)
		}
		return socket, err
	}
	config.AfterNetConnect = func(ctx context.Context, config *pgconn.Config, socket net.Conn) (_ net.Conn, err error) {
		if !t.own(ctx) {
			if from.AfterNetConnect == nil {
				return socket, nil
			}
			return from.AfterNetConnect(ctx, config, socket)
		}
		if from.AfterNetConnect != nil {
			t.calls = "AfterNetConnect"
			socket, err = from.AfterNetConnect(ctx, config, socket)
			t.calls = ""
		}
		t.reached(ConnectStart, err)
		return socket, err
	}
	if from.ValidateConnect != nil {
		config.ValidateConnect = func(ctx context.Context, pc *pgconn.PgConn) error {
			t.reached(ConnectValidate, nil)
			t.calls = "ValidateConnect"
			err := from.ValidateConnect(ctx, pc)
			t.calls = ""
			t.reached(ConnectValidate, err)
			return err
		}
	}
	if from.AfterConnect != nil {
		config.AfterConnect = func(ctx context.Context, pc *pgconn.PgConn) error {
			t.reached(ConnectSetUp, nil)
			if from.ConnectTimeout > 0 { // pgconn doesn't limit it
				var end context.CancelFunc
				ctx, end = context.WithTimeout(ctx, from.ConnectTimeout)
				defer end()
			}
			t.calls = "AfterConnect"
			err := from.AfterConnect(ctx, pc)
			t.calls = ""
			t.reached(ConnectSetUp, err)
			return err
		}
	}
	return &config
}

// reached records that the last attempt has come to a stage or, with an error, that it failed
// before it.
func (t *attempts) reached(stage ConnectStage, err error) {
	if len(t.dials) == 0 {
		return
	}
	last := &t.dials[len(t.dials)-1]
	if err != nil {
		last.Err = err
		return
	}
	last.Stage = stage
}

// failed makes a ConnectError from an error.
func (t *attempts) failed(err error) error {
	if known := (*ConnectError)(nil); errors.As(err, &known) {
		return err
	}
	err = t.purpose.explain(err)
	e := &ConnectError{Host: hosts(t.config), Database: t.config.Database, Err: err, limit: t.config.ConnectTimeout}
	e.Attempts = append(e.Attempts, t.lookups...)
	all := eachOf(err)
	for i, a := range t.dials {
		if k := len(t.lookups) + i; a.Err == nil && len(all) == len(t.lookups)+len(t.dials) {
			a.Err = reasonOf(all[k])
		}
		if a.Err == nil && i == len(t.dials)-1 {
			a.Err = err
		}
		if a.Err != nil {
			e.Attempts = append(e.Attempts, a)
		}
	}
	return e
}

// connecting returns the error of a caller that gives up while a connection is being opened. last
// is the error of the last attempt, if there is one.
func (db *DB) connecting(err, last error) error {
	if failed := (*ConnectError)(nil); errors.As(last, &failed) {
		last = failed.reasons()
	}
	if last != nil {
		err = &gaveUp{err, last}
	}
	return &ConnectError{Host: hosts(db.config.Conn), Database: db.config.Conn.Database, Err: err}
}

// gaveUp is the end of a context, together with the error of the last attempt to connect.
type gaveUp struct{ error, last error }

func (e *gaveUp) Error() string {
	return e.error.Error() + "; the last attempt failed: " + e.last.Error()
}
func (e *gaveUp) Unwrap() []error { return []error{e.error, e.last} }

// eachOf returns pgconn's errors: one for each host that couldn't be looked up, then one for each
// address that was tried. It returns nil for an error of another kind.
func eachOf(err error) []error {
	outer, ok := err.(*pgconn.ConnectError)
	if !ok {
		return nil
	}
	if list, ok := outer.Unwrap().(interface{ Unwrap() []error }); ok {
		return list.Unwrap()
	}
	return nil
}

// reasonOf removes the address at the beginning of pgconn's error. It returns the server's own
// error if there is one.
func reasonOf(err error) error {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// hosts names the hosts of a configuration.
func hosts(config *pgconn.Config) string {
	all := []string{address(config.Host, config.Port)}
	for _, f := range config.Fallbacks {
		if one := address(f.Host, f.Port); !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return strings.Join(all, ",")
}
