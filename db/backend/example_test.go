package backend_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/sqltext"
)

func ExampleURL() {
	u, err := backend.ParseURL("mysql://ada:secret@db1:3306/app?tls=verify")
	fmt.Println(u, err)
	fmt.Println(u.Dialect, u.User, u.Database, u.Option("tls"))
	// Output:
	// mysql://ada:***@db1:3306/app?tls=verify <nil>
	// mysql ada app verify
}

func ExampleHost() {
	fmt.Println(backend.Host{Name: "::1", Port: "5432"})
	// Output: [::1]:5432
}

// A Fault is what Dialect.Fault has read in a driver's error.
func ExampleFault() {
	f := backend.Fault{Condition: backend.ErrUnique, Code: "23505", Table: "users", Constraint: "users_name_key"}
	fmt.Println(errors.Is(f.Condition, backend.ErrConstraint), f.Code)
	// Output: true 23505
}

func ExampleConditionError() {
	err := backend.Errorf(backend.ErrUnsupported, "the server has no %s", "RETURNING")
	var known *backend.ConditionError
	fmt.Println(err, errors.As(err, &known), errors.Is(err, errors.ErrUnsupported))
	// Output: the server has no RETURNING true true
}

// The text of an ArgumentError doesn't show the value.
func ExampleArgumentError() {
	c := &backend.Call{Statement: &backend.Statement{Params: []string{"age"}}, Args: []any{uint64(1 << 63)}}
	err := backend.BadArgument(c, 0, backend.ErrData, backend.OutOfRange("%d doesn't fit", c.Args[0]))
	var bad *backend.ArgumentError
	fmt.Println(errors.As(err, &bad), errors.Is(err, backend.ErrData))
	fmt.Println(bad.Where())
	// Output:
	// true true
	// the parameter :age, a uint64
}

func ExampleLateError() {
	ctx, done := backend.Ending(context.Background(), time.Nanosecond)
	defer done()
	<-ctx.Done()
	var late *backend.LateError
	fmt.Println(errors.As(context.Cause(ctx), &late), late.Limit)
	// Output: true 1ns
}

func ExampleUnknownOutcome() {
	lost := errors.New("connection reset by peer")
	err := backend.UnknownOutcome(lost)
	fmt.Println(errors.Is(err, backend.ErrUnknownOutcome), errors.Is(err, lost))
	// Output: true true
}

func ExampleTraits() {
	text := "create temp table t (a int)"
	t := backend.TraitsOf(sqltext.SQLite, text, sqltext.SQLite.Split(text))
	fmt.Println(t.Session, t.Returns)
	// Output: true false
}

// A Dialect that is a StateReader can leave the work to package sqltext.
func ExampleStateReader() {
	text := "set time zone 'UTC'"
	fmt.Println(backend.LostOf(sqltext.PostgreSQL, text, sqltext.PostgreSQL.Split(text)))
	// Output: SET
}

func ExampleUpsert() {
	u := &backend.Upsert{Table: "visits", Columns: []string{"page", "n"}, Key: []string{"page"}, Add: []string{"n"}}
	if err := u.Check(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(u.OnConflict())
	// Output: insert into "visits" ("page", "n") values (:page, :n) on conflict ("page") do update set "n" = "visits"."n" + excluded."n"
}

// A Session fills a Call: its columns, and its values row after row.
func ExampleCall() {
	c := &backend.Call{Statement: &backend.Statement{Text: "select id, name from users"}, Rows: true}
	names := []string{"id", "name"}
	c.Describe(len(names), func(i int) backend.Column { return backend.Column{Name: names[i]} })
	c.Values = append(c.Room(4), int64(1), "ada", int64(2), "grace")
	fmt.Println(c.Count(), c.Columns[1].Name)
	// Output: 2 name
}

func ExampleColumnType() {
	t := backend.ColumnType{HasLength: true, Length: 20}
	if t.HasLength {
		fmt.Println("varchar", t.Length)
	}
	// Output: varchar 20
}

// After eight short runs a call is known to be short.
func ExamplePace() {
	var p backend.Pace
	for range 9 {
		if p.Short() {
			fmt.Println("short")
			return
		}
		p.End(p.Begin(), time.Hour)
	}
	fmt.Println(p.Short())
	// Output: short
}

func ExampleTxOptions() {
	o := backend.TxOptions{ReadOnly: true, Isolation: sql.LevelSerializable, Deferrable: true}
	fmt.Println(o.Isolation, o.ReadOnly)
	// Output: Serializable true
}

// echo is a dialect whose database answers each query with its own text.
type echo struct{}

func (echo) Name() string                                                    { return "echo" }
func (echo) Options() []string                                               { return nil }
func (echo) Rules() *sqltext.Rules                                           { return &sqltext.SQLite.Rules }
func (echo) Placeholder(int) string                                          { return "?" }
func (echo) Traits(string, []sqltext.Statement) backend.Traits               { return backend.Traits{Returns: true} }
func (echo) Fault(error) backend.Fault                                       { return backend.Fault{} }
func (echo) Connector(*backend.URL) (backend.Connector, error)               { return echoes{}, nil }
func (echo) KeepsJSON(string) bool                                           { return true }
func (echo) EmptyList(int, bool) string                                      { return "" }
func (echo) Advice(option string) string                                     { return "echo has no " + option }
func (echo) ConnectorDB(context.Context, *sql.DB) (backend.Connector, error) { return echoes{}, nil }

// ScanValue fills a loud variable.
func (echo) ScanValue(dest any, _ string, v driver.Value) error {
	l, ok := dest.(*loud)
	if !ok {
		return driver.ErrSkip
	}
	l.text = fmt.Sprint(v, "!")
	return nil
}

type loud struct{ text string }

// echoes opens sessions.
type echoes struct{}

func (echoes) Connect(context.Context) (backend.Session, error) { return &echoSession{}, nil }
func (echoes) Limits() backend.Limits                           { return backend.Limits{PoolSize: 2, MaxParams: 100} }
func (echoes) Driver() any                                      { return "the echo" }
func (echoes) Close() error                                     { return nil }

// echoSession is one connection.
type echoSession struct{ status backend.Status }

func (s *echoSession) Do(_ context.Context, c *backend.Call) error {
	c.Describe(1, func(int) backend.Column { return backend.Column{Name: "text"} })
	c.Values = append(c.Room(1), c.Statement.Text)
	return nil
}
func (s *echoSession) Begin(context.Context, backend.TxOptions) error {
	s.status = backend.InTx
	return nil
}
func (s *echoSession) Commit(context.Context) error             { s.status = backend.Idle; return nil }
func (s *echoSession) Rollback(context.Context) error           { s.status = backend.Idle; return nil }
func (s *echoSession) Savepoint(context.Context, string) error  { return nil }
func (s *echoSession) Release(context.Context, string) error    { return nil }
func (s *echoSession) RollbackTo(context.Context, string) error { return nil }
func (s *echoSession) Status() backend.Status                   { return s.status }
func (s *echoSession) Close(context.Context) error              { return nil }
func (s *echoSession) Ping(context.Context) error               { return nil }
func (s *echoSession) Reset(context.Context, bool) error        { return nil }
func (s *echoSession) Keep(context.Context) error               { return nil }
func (s *echoSession) Calling() bool                            { return false }
func (s *echoSession) Raw(ctx context.Context, _ bool, fn func(context.Context, any) error) error {
	return fn(ctx, "the echo's connection")
}
func (s *echoSession) DoMany(ctx context.Context, calls []*backend.Call) (int, error) {
	for i, c := range calls {
		if err := s.Do(ctx, c); err != nil {
			return i, err
		}
	}
	return 0, nil
}
func (s *echoSession) Stream(ctx context.Context, c *backend.Call) (backend.Cursor, error) {
	c.Describe(1, func(int) backend.Column { return backend.Column{Name: "text"} })
	return &echoCursor{}, nil
}

// echoCursor returns the text twice.
type echoCursor struct{ rows int }

func (k *echoCursor) Fetch(_ context.Context, c *backend.Call, _ int) (more bool, err error) {
	k.rows++
	c.Values = append(c.Room(1), c.Statement.Text)
	return k.rows < 2, nil
}
func (k *echoCursor) Close(context.Context) error { return nil }

var (
	_ backend.ListWriter   = echo{}
	_ backend.JSONKeeper   = echo{}
	_ backend.ValueScanner = echo{}
	_ backend.Adviser      = echo{}
	_ backend.SQLDialect   = echo{}
	_ backend.Exposer      = echoes{}
	_ backend.Pinger       = (*echoSession)(nil)
	_ backend.Resetter     = (*echoSession)(nil)
	_ backend.Batcher      = (*echoSession)(nil)
	_ backend.Lender       = (*echoSession)(nil)
	_ backend.Streamer     = (*echoSession)(nil)
	_ backend.CallTracker  = (*echoSession)(nil)
)

// openEcho opens an Engine on the dialect echo.
func openEcho(ctx context.Context) *db.Engine {
	backend.Register(echo{})
	e, err := db.Open(ctx, "echo://")
	if err != nil {
		panic(err)
	}
	return e
}

// This is a whole dialect: echo, with its Connector, Session and Cursor.
func ExampleDialect() {
	ctx := context.Background()
	e := openEcho(ctx)
	defer e.Close(ctx)
	fmt.Println(db.Scalar[string](ctx, e, "hello :name", db.Named("name", "ada")))
	// Output: hello ? <nil>
}

func ExampleValueScanner() {
	ctx := context.Background()
	e := openEcho(ctx)
	defer e.Close(ctx)
	l, err := db.Scalar[loud](ctx, e, "hello")
	fmt.Println(l.text, err)
	// Output: hello! <nil>
}

func ExampleAdviser() {
	backend.Register(echo{})
	_, err := db.Open(context.Background(), "echo://?volume=11")
	fmt.Println(errors.Is(err, db.ErrUnknownOption))
	// Output: true
}

func ExampleConnector() {
	ctx := context.Background()
	var c backend.Connector = echoes{}
	s, err := c.Connect(ctx)
	fmt.Println(s.Status() == backend.Idle, err)
	// Output: true <nil>
}

func ExampleLimits() {
	sqlite := backend.Limits{OneWriter: true, Local: true}
	fmt.Println(sqlite.OneWriter, sqlite.MaxConns == 0)
	// Output: true true
}

func ExampleExposer() {
	ctx := context.Background()
	e := openEcho(ctx)
	defer e.Close(ctx)
	fmt.Println(e.Driver())
	// Output: the echo
}

func ExampleSession() {
	ctx := context.Background()
	var s backend.Session = &echoSession{}
	fmt.Println(s.Begin(ctx, backend.TxOptions{}), s.Status() == backend.InTx)
	fmt.Println(s.Commit(ctx), s.Status() == backend.Idle)
	// Output:
	// <nil> true
	// <nil> true
}

func ExampleLender() {
	ctx := context.Background()
	e := openEcho(ctx)
	defer e.Close(ctx)
	conn, err := e.Connect(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	err = conn.Raw(ctx, func(_ context.Context, c any) error { fmt.Println(c); return nil })
	fmt.Println(err)
	// Output:
	// the echo's connection
	// <nil>
}

func ExampleStreamer() {
	ctx := context.Background()
	e := openEcho(ctx)
	defer e.Close(ctx)
	rows, err := e.Stream(ctx, "hello")
	if err != nil {
		fmt.Println(err)
		return
	}
	for text, err := range db.Each[string](rows) {
		fmt.Println(text, err)
	}
	// Output:
	// hello <nil>
	// hello <nil>
}
