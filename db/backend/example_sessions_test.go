package backend_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
)

// sessions is a Connector whose Sessions are wrapped. It embeds only what it says: the abilities of
// the Connector in it, such as Converter, are hidden, and so are those of its Sessions.
type sessions struct {
	backend.Connector
	wrap func(backend.Session) backend.Session
}

func (c sessions) Connect(ctx context.Context) (backend.Session, error) {
	s, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return c.wrap(s), nil
}

// openSessions opens an Engine on SQLite, whose connections are wrapped.
func openSessions(ctx context.Context, name string, wrap func(backend.Session) backend.Session, opts ...db.Option) *db.Engine {
	return open(ctx, around{name: name, wrap: func(c backend.Connector) backend.Connector { return sessions{c, wrap} }}, opts...)
}

// forgetful is a Session whose connection doesn't answer a ping.
type forgetful struct{ backend.Session }

func (forgetful) Ping(context.Context) error {
	fmt.Println("no answer")
	return driver.ErrBadConn
}

var _ backend.Pinger = forgetful{}

// With db.PrePing, the pool replaces a connection that doesn't answer a ping.
func ExamplePinger() {
	ctx := context.Background()
	e := openSessions(ctx, "pinged", func(s backend.Session) backend.Session { return forgetful{s} }, db.PrePing(0))
	defer e.Close(ctx)
	_, err := e.Exec(ctx, "create table t(n)")
	fmt.Println(err, e.Stats().Connects)
	// Output:
	// no answer
	// <nil> 2
}

// tidy is a Session that undoes what its user has left in the connection.
type tidy struct{ backend.Session }

func (s tidy) Keep(context.Context) error { return nil } // no db.Events.Connect has set up anything

func (s tidy) Reset(ctx context.Context, thorough bool) error {
	fmt.Println("reset, thorough:", thorough)
	if !thorough {
		return nil // the user has sent only texts that leave nothing
	}
	reset := backend.Call{Statement: &backend.Statement{Text: "pragma cache_size = 100"}}
	return s.Do(ctx, &reset)
}

var _ backend.Resetter = tidy{}

// A connection is reset before its next user gets it. Opening the Engine leaves nothing in its first
// connection; the user of a Conn may have left anything.
func ExampleResetter() {
	ctx := context.Background()
	e := openSessions(ctx, "tidy", func(s backend.Session) backend.Session { return tidy{s} })
	defer e.Close(ctx)
	conn, err := e.Connect(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("a Conn is closed")
	fmt.Println(conn.Close())
	// Output:
	// reset, thorough: false
	// a Conn is closed
	// reset, thorough: true
	// <nil>
}

// batching is a Session that runs calls together.
type batching struct{ backend.Session }

func (s batching) DoMany(ctx context.Context, calls []*backend.Call) (failed int, err error) {
	fmt.Println("a batch of", len(calls))
	for i, c := range calls {
		if err := s.Do(ctx, c); err != nil {
			return i, err
		}
	}
	return 0, nil
}

var _ backend.Batcher = batching{}

// The first row begins the transaction. The others come in one batch. Of an INSERT … VALUES, package
// db makes one statement with many rows instead.
func ExampleBatcher() {
	ctx := context.Background()
	e := openSessions(ctx, "batching", func(s backend.Session) backend.Session { return batching{s} })
	defer e.Close(ctx)
	if _, err := e.Exec(ctx, "create table t as values (1), (2), (3)"); err != nil {
		log.Fatal(err)
	}
	result, err := db.ExecMany(ctx, e, "delete from t where column1 = :n", []map[string]any{{"n": 1}, {"n": 2}, {"n": 4}})
	fmt.Println(result.RowsAffected(), err)
	// Output:
	// a batch of 2
	// 2 <nil>
}

// silent is an argument whose conversion panics.
type silent struct{}

func (silent) Value() (driver.Value, error) { panic("no value") }

// A panic of an argument costs the connection, unless a CallTracker says that no call has begun.
func ExampleCallTracker() {
	ctx := context.Background()
	for _, wrap := range []func(backend.Session) backend.Session{
		func(s backend.Session) backend.Session { return struct{ backend.Session }{s} },
		func(s backend.Session) backend.Session { return struct{ backend.CallTracker }{s.(backend.CallTracker)} },
	} {
		e := openSessions(ctx, "tracked", wrap)
		conn, err := e.Connect(ctx)
		if err != nil {
			log.Fatal(err)
		}
		func() {
			defer func() { fmt.Println("panic:", recover()) }()
			_, _ = conn.Exec(ctx, "select :v", db.Named("v", silent{}))
		}()
		_, err = db.Scalar[int](ctx, conn, "select 1")
		fmt.Println(errors.Is(err, db.ErrClosed))
		conn.Close()
		e.Close(ctx)
	}
	// Output:
	// panic: no value
	// true
	// panic: no value
	// false
}

// paging is a Streamer that tells what its Cursors fetch.
type paging struct{ backend.Streamer }

func (s paging) Stream(ctx context.Context, c *backend.Call) (backend.Cursor, error) {
	cursor, err := s.Streamer.Stream(ctx, c)
	return page{cursor}, err
}

type page struct{ backend.Cursor }

func (p page) Fetch(ctx context.Context, c *backend.Call, max int) (more bool, err error) {
	more, err = p.Cursor.Fetch(ctx, c, max)
	fmt.Println("fetched", c.Count(), "of at most", max, "rows; more may follow:", more)
	return more, err
}

func (p page) Close(ctx context.Context) error {
	fmt.Println("closed")
	return p.Cursor.Close(ctx)
}

func ExampleCursor() {
	ctx := context.Background()
	e := openSessions(ctx, "paging", func(s backend.Session) backend.Session { return paging{s.(backend.Streamer)} })
	defer e.Close(ctx)
	rows, err := e.Stream(ctx, "values (1), (2), (3)")
	if err != nil {
		log.Fatal(err)
	}
	for n, err := range db.Each[int](rows) {
		fmt.Println(n, err)
	}
	// Output:
	// fetched 3 of at most 64 rows; more may follow: false
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
	// closed
}

// shown is a Session that shows what it is asked to do, and what comes back.
type shown struct {
	backend.Session
	show func(c *backend.Call)
}

func (s shown) Do(ctx context.Context, c *backend.Call) error {
	err := s.Session.Do(ctx, c)
	s.show(c)
	return err
}

// A Session gets a Statement, which is the same one for each call with the same text.
func ExampleStatement() {
	ctx := context.Background()
	e := openSessions(ctx, "statements", func(s backend.Session) backend.Session {
		return shown{s, func(c *backend.Call) {
			st := c.Statement
			fmt.Println(st.Source)
			fmt.Println(st.Text, st.Params, c.Args)
			fmt.Println("writes:", st.Writes)
		}}
	})
	defer e.Close(ctx)
	fmt.Println(db.Scalar[int](ctx, e, "select :n + :m", db.Named("n", 1), db.Named("m", 2)))
	// Output:
	// select :n + :m
	// select ? + ? [n m] [1 2]
	// writes: false
	// 3 <nil>
}

func ExampleColumn() {
	ctx := context.Background()
	e := openSessions(ctx, "columns", func(s backend.Session) backend.Session {
		return shown{s, func(c *backend.Call) {
			for _, column := range c.Columns {
				fmt.Printf("%q has the type %q\n", column.Name, column.Type)
			}
		}}
	})
	defer e.Close(ctx)
	if _, err := e.Exec(ctx, "create table users(name varchar(20))"); err != nil {
		log.Fatal(err)
	}
	if _, err := db.All[struct{ Name, Loud string }](ctx, e, "select name, name || '!' as loud from users"); err != nil {
		log.Fatal(err)
	}
	// Output:
	// "name" has the type "VARCHAR(20)"
	// "loud" has the type ""
}

// strict is a Session of a database whose transactions fail with their first error.
type strict struct {
	backend.Session
	failed bool
}

func (s *strict) Do(ctx context.Context, c *backend.Call) error {
	err := s.Session.Do(ctx, c)
	s.failed = s.failed || err != nil && s.Session.Status() == backend.InTx
	return err
}

func (s *strict) Rollback(ctx context.Context) error {
	s.failed = false
	return s.Session.Rollback(ctx)
}

func (s *strict) Status() backend.Status {
	if s.failed {
		return backend.FailedTx
	}
	return s.Session.Status()
}

// Package db learns from the Status that a transaction has failed, and says so to later calls.
func ExampleStatus() {
	ctx := context.Background()
	e := openSessions(ctx, "strict", func(s backend.Session) backend.Session { return &strict{Session: s} })
	defer e.Close(ctx)
	err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, "insert into missing values (1)")
		fmt.Println(errors.Is(err, db.ErrUndefinedTable))
		_, err = tx.Exec(ctx, "select 1")
		return err
	})
	fmt.Println(errors.Is(err, db.ErrTxFailed))
	// Output:
	// true
	// true
}

// A Session writes the level that the user asks for; sql.LevelDefault leaves it to the database.
func ExampleIsolationLevel() {
	begin := func(level backend.IsolationLevel) string {
		if level == sql.LevelDefault {
			return "begin"
		}
		return "begin isolation level " + strings.ToLower(level.String())
	}
	fmt.Println(begin(backend.TxOptions{}.Isolation))
	fmt.Println(begin(sql.LevelRepeatableRead))
	// Output:
	// begin
	// begin isolation level repeatable read
}
