package sqlbackend_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log"
	"sync"
	"time"

	"modernc.org/sqlite"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/backend/sqlbackend"
)

// remote opens connections to SQLite that behave as if there were a server.
type remote struct {
	driver.Connector
	stuck bool // the server doesn't answer a rollback
}

func newRemote(stuck bool) remote {
	open, err := sqlite.NewConnector(":memory:")
	if err != nil {
		log.Fatal(err)
	}
	return remote{open, stuck}
}

func (r remote) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := r.Connector.Connect(ctx)
	gone := make(chan struct{})
	return &wire{Conn: c, stuck: r.stuck, stop: make(chan struct{}), gone: gone, cut: sync.OnceFunc(func() { close(gone) })}, err
}

// wire is a connection whose driver knows the state of the transaction, and ignores contexts.
type wire struct {
	driver.Conn
	stuck  bool
	status backend.Status
	stop   chan struct{} // ends a call
	gone   chan struct{} // closed by cut
	cut    func()        // closes the network connection
}

var errStopped = errors.New("the call was stopped")

func (w *wire) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	switch {
	case text == "analyze", text == "rollback" && w.stuck: // takes forever
		select {
		case <-w.stop:
			return nil, errStopped
		case <-w.gone:
			return nil, driver.ErrBadConn
		}
	case text == "reindex": // doesn't get an answer
		return nil, driver.ErrBadConn
	}
	result, err := w.Conn.(driver.ExecerContext).ExecContext(ctx, text, args)
	switch {
	case err != nil && w.status == backend.InTx:
		w.status = backend.FailedTx
	case text == "begin":
		w.status = backend.InTx
	case text == "commit", text == "rollback":
		w.status = backend.Idle
	}
	return result, err
}

// far is a Driver for the connections of remote.
type far struct{ sqlbackend.Defaults }

func (far) Facts() sqlbackend.Facts {
	return sqlbackend.Facts{Limits: backend.Limits{MaxConns: 1}, SendsText: true}
}

// reporter asks the driver's connection for the state of the transaction.
type reporter struct{ far }

func (reporter) TxState(c *sqlbackend.Conn) backend.Status { return c.Driver().(*wire).status }

var _ sqlbackend.TxReporter = reporter{}

// A transaction in which a statement has failed isn't committed.
func ExampleTxReporter() {
	ctx := context.Background()
	e := openWith(ctx, reporter{}, newRemote(false))
	defer e.Close(ctx)
	err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, "drop table missing")
		fmt.Println(errors.Is(err, db.ErrUndefinedTable))
		return nil
	})
	fmt.Println(errors.Is(err, db.ErrTxFailed))
	// Output:
	// true
	// true
}

// interrupter stops a call of the driver.
type interrupter struct{ far }

func (interrupter) Interrupt(until context.Context, c *sqlbackend.Conn) {
	select {
	case c.Driver().(*wire).stop <- struct{}{}:
	case <-until.Done(): // the call has ended by itself
	}
}

func (interrupter) Interrupted(err error) bool { return err == errStopped }

var _ sqlbackend.Interrupter = interrupter{}

// The connection stays usable.
func ExampleInterrupter() {
	ctx := context.Background()
	e := openWith(ctx, interrupter{}, newRemote(false))
	defer e.Close(ctx)
	short, done := context.WithTimeout(ctx, time.Millisecond)
	defer done()
	_, err := e.Exec(short, "analyze")
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	fmt.Println(db.Scalar[int](ctx, e, "select 1"))
	fmt.Println(e.Stats().Connects)
	// Output:
	// true
	// 1 <nil>
	// 1
}

// aborter closes the connection during a call.
type aborter struct{ far }

func (aborter) Abort(c *sqlbackend.Conn) { c.Driver().(*wire).cut() }

var _ sqlbackend.Aborter = aborter{}

// A rollback without an answer costs its connection, and no more time than db.TeardownTimeout.
func ExampleAborter() {
	ctx := context.Background()
	e := openWith(ctx, aborter{}, newRemote(true), db.TeardownTimeout(10*time.Millisecond))
	defer e.Close(ctx)
	undecided := errors.New("undecided")
	err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "create table t(n)"); err != nil {
			return err
		}
		return undecided
	})
	fmt.Println(errors.Is(err, undecided))
	fmt.Println(db.Scalar[int](ctx, e, "select 1"))
	fmt.Println(e.Stats().Connects)
	// Output:
	// true
	// 1 <nil>
	// 2
}

// doubtful says that the driver returns driver.ErrBadConn even after it has sent something.
type doubtful struct{ far }

func (doubtful) Open(*sqlbackend.Conn) bool { return true }

var _ sqlbackend.OpenReporter = doubtful{}

// Without Open, package db would repeat the statement on another connection.
func ExampleOpenReporter() {
	ctx := context.Background()
	e := openWith(ctx, doubtful{}, newRemote(false))
	defer e.Close(ctx)
	_, err := e.Exec(ctx, "reindex")
	fmt.Println(errors.Is(err, db.ErrUnknownOutcome))
	// Output: true
}
