package sqlbackend

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/seed1239206e/repaint/db/backend"
)

// hooks are a Driver's methods, looked up once. A method that the Driver lacks is nil; the
// interfaces in driver.go say what happens then.
type hooks struct {
	// One of these opens connections. The connections of a DB go back to it when they are closed.
	Connector driver.Connector
	DB        *sql.DB

	Limits         backend.Limits
	Init           func(ctx context.Context, c *Conn) error
	Keep, Reset    func(ctx context.Context, c *Conn) error
	BeginText      func(opts backend.TxOptions) []string
	SetReadOnly    func(ctx context.Context, c *Conn, on bool) error
	ReadOnlyTx     bool
	TxOpen         func(ctx context.Context, c *Conn, err error) bool
	FailsTx        func(err error) bool
	TxState        func(c *Conn) backend.Status
	Recover        func(ctx context.Context, c *Conn) error
	Interrupt      func(until context.Context, c *Conn)
	Abort          func(c *Conn)
	Interrupted    func(err error) bool
	Lost           func(err error) bool
	Open           func(c *Conn) bool
	Stale          func(err error) bool
	Convert        func(v any) (driver.Value, error)
	Arg            func(v driver.Value) (driver.Value, error)
	Column         func(typ string) func(v driver.Value) (driver.Value, error)
	KeepStatements int
	TextArgs       []driver.NamedValue
	SendsText      bool
	OneStatement   bool
	QueriesRows    bool
	IDsFromOne     bool
	EndsUnseen     bool
	Suspends       bool
	Emulate        func(c *Conn, call *backend.Call) (func(ctx context.Context) error, error)
	WaitForLocks   func(ctx context.Context, c *Conn, on bool) error
	Locked         func(err error) bool
	Refresh        func(ctx context.Context, c *Conn, text string, err error) bool
	OnClose        func() error

	native *hooks // these hooks with the differences for calls of database/sql; nil if there are none
}

// of returns the hooks for c, which may be nil.
func (h *hooks) of(c *backend.Call) *hooks {
	if c != nil && c.Native && h.native != nil {
		return h.native
	}
	return h
}

// emulates reports whether the driver may run a statement by means of others.
func (h *hooks) emulates(st *backend.Statement) bool {
	return h.Emulate != nil && st.Returns && st.Changes
}

func hooksOf(d Driver) hooks {
	f := d.Facts()
	h := hooks{
		Limits: f.Limits, KeepStatements: f.KeepStatements, TextArgs: f.TextArgs, SendsText: f.SendsText,
		OneStatement: f.OneStatement, QueriesRows: f.QueriesRows, IDsFromOne: f.IDsFromOne, ReadOnlyTx: f.ReadOnlyTx, EndsUnseen: f.EndsUnseen, Suspends: f.Suspends,
		Init: d.Init, BeginText: d.BeginText, FailsTx: d.FailsTx, Recover: d.Recover, Lost: d.Lost, Stale: d.Stale, Arg: d.Arg,
	}
	if d, ok := d.(Resetter); ok {
		h.Keep, h.Reset = d.Keep, d.Reset
	}
	if d, ok := d.(AccessSetter); ok {
		h.SetReadOnly = d.SetReadOnly
	}
	if d, ok := d.(TxWatcher); ok {
		h.TxOpen = d.TxOpen
	}
	if d, ok := d.(TxReporter); ok {
		h.TxState = d.TxState
	}
	if d, ok := d.(Interrupter); ok {
		h.Interrupt = d.Interrupt
	}
	if d, ok := d.(InterruptReader); ok {
		h.Interrupted = d.Interrupted
	}
	if d, ok := d.(Aborter); ok {
		h.Abort = d.Abort
	}
	if d, ok := d.(OpenReporter); ok {
		h.Open = d.Open
	}
	if d, ok := d.(ArgConverter); ok {
		h.Convert = d.Convert
	}
	if d, ok := d.(ColumnConverter); ok {
		h.Column = d.Column
	}
	if d, ok := d.(Emulator); ok {
		h.Emulate = d.Emulate
	}
	if d, ok := d.(LockWaiter); ok {
		h.WaitForLocks, h.Locked = d.WaitForLocks, d.Locked
	}
	if d, ok := d.(Refresher); ok {
		h.Refresh = d.Refresh
	}
	if d, ok := d.(Closer); ok {
		h.OnClose = d.Close
	}
	native := h
	native.Convert, native.Column = nil, nil
	if d, ok := d.(SQLConverter); ok {
		native.Convert, native.Column = d.SQLConvert, d.SQLColumn
	}
	h.native = &native
	return h
}

// Funcs is a Driver as a struct of functions, of which most may be nil.
//
// Deprecated: implement [Driver].
type Funcs = hooks

// OfFuncs is [New] for Funcs.
//
// Deprecated: implement [Driver], and call [New] or [NewDB].
func OfFuncs(f Funcs) backend.Connector { return newConnector(f) }
