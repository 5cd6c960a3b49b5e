package backend_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"strings"

	driver "modernc.org/sqlite"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/sqlite"
)

// open registers a dialect and opens an Engine on it.
func open(ctx context.Context, d backend.Dialect, opts ...db.Option) *db.Engine {
	backend.Register(d)
	e, err := db.Open(ctx, d.Name()+"://", opts...)
	if err != nil {
		log.Fatal(err)
	}
	return e
}

// careful is SQLite's dialect, which takes pools of one driver only.
type careful struct{ sqlite.Dialect }

func (d careful) ConnectorDB(ctx context.Context, pool *sql.DB) (backend.Connector, error) {
	if _, ok := pool.Driver().(*driver.Driver); !ok {
		return nil, fmt.Errorf("careful: %T isn't the driver modernc.org/sqlite", pool.Driver())
	}
	return d.Dialect.ConnectorDB(ctx, pool)
}

var _ backend.SQLDialect = careful{}

// A SQLDialect checks the *sql.DB that a user gives to db.OpenDB, and makes a Connector of it.
func ExampleSQLDialect() {
	ctx := context.Background()
	pool, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	e, err := db.OpenDB(ctx, careful{}, pool)
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close(ctx)
	fmt.Println(db.Scalar[string](ctx, e, "select 'from the pool'"))
	// Output: from the pool <nil>
}

// dual is the dialect of a database in which a SELECT needs a FROM.
type dual struct{ sqlite.Dialect }

func (dual) Name() string { return "dual" }

func (dual) EmptyList(columns int, _ bool) string {
	return "select null" + strings.Repeat(", null", columns-1) + " from dual where 1 = 0"
}

var _ backend.ListWriter = dual{}

func ExampleListWriter() {
	ctx := context.Background()
	e := open(ctx, dual{})
	defer e.Close(ctx)
	_, err := db.Scalar[bool](ctx, e, "select 1 in (:ids)", db.Named("ids", []int{}))
	fmt.Println(errors.Is(err, db.ErrUndefinedTable)) // SQLite has no table dual, until now
	if _, err := e.Exec(ctx, "create table dual(x)"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(db.Scalar[bool](ctx, e, "select 1 in (:ids)", db.Named("ids", []int{})))
	// Output:
	// true
	// false <nil>
}

// documents is SQLite's dialect for databases that keep JSON in columns of the type DOCUMENT only.
type documents struct{ sqlite.Dialect }

func (documents) Name() string              { return "documents" }
func (documents) KeepsJSON(typ string) bool { return typ == "DOCUMENT" }

var _ backend.JSONKeeper = documents{}

func ExampleJSONKeeper() {
	ctx := context.Background()
	e := open(ctx, documents{})
	defer e.Close(ctx)
	if _, err := e.Exec(ctx, "create table t(a document, b text); insert into t values ('[1, 2]', '[1, 2]')"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(db.Scalar[[]int](ctx, e, "select a from t"))
	_, err := db.Scalar[[]int](ctx, e, "select b from t")
	fmt.Println(errors.Is(err, db.ErrScan))
	// Output:
	// [1 2] <nil>
	// true
}

// replacing is the dialect of SQLite before version 3.24, which had no ON CONFLICT.
type replacing struct{ sqlite.Dialect }

func (replacing) Name() string { return "replacing" }

func (replacing) Upsert(u *backend.Upsert) (string, error) {
	if len(u.Key)+len(u.Update) < len(u.Columns) {
		return "", errors.New("REPLACE gives all columns their new values, so Key and Update must name all")
	}
	text := u.Insert(func(name string) string { return backend.QuoteName(name, '"') })
	return "replace" + strings.TrimPrefix(text, "insert"), nil
}

var _ backend.Upserter = replacing{}

func ExampleUpserter() {
	u := db.Upsert{Table: "visits", Columns: []string{"page", "n"}, Key: []string{"page"}, Update: []string{"n"}}
	fmt.Println(db.UpsertText(replacing{}, u))
	u.Update, u.Add = nil, []string{"n"}
	_, err := db.UpsertText(replacing{}, u)
	fmt.Println(errors.Is(err, db.ErrUnsupported), err)
	// Output:
	// replace into "visits" ("page", "n") values (:page, :n) <nil>
	// true db: upsert: REPLACE gives all columns their new values, so Key and Update must name all
}

// coded is SQLite's dialect for code that looks for a *codeError in errors of database/sql.
type coded struct{ sqlite.Dialect }

func (coded) Name() string { return "coded" }

func (coded) Restate(err error, message string) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return nil // the database hasn't said that
	}
	return &codeError{e.Code(), message}
}

// codeError is an error with SQLite's code.
type codeError struct {
	code    int
	message string
}

func (e *codeError) Error() string { return e.message }

var _ backend.ErrorRestater = coded{}

func ExampleErrorRestater() {
	ctx := context.Background()
	e := open(ctx, coded{}, db.DriverErrors())
	defer e.Close(ctx)
	_, err := e.SQL().ExecContext(ctx, "create table t(v not null); insert into t values (null)")
	var known *codeError
	fmt.Println(errors.As(err, &known), known.code)
	// Output: true 1299
}

// hinted is SQLite's dialect for code that passes hints in front of arguments.
type hinted struct{ sqlite.Dialect }

// hint says how to execute a statement.
type hint string

func (hinted) Name() string { return "hinted" }

func (hinted) IsHint(arg any) bool {
	_, is := arg.(hint)
	return is
}

var _ backend.HintKnower = hinted{}

func ExampleHintKnower() {
	ctx := context.Background()
	e := open(ctx, hinted{})
	defer e.Close(ctx)
	var sum int
	err := e.SQL().QueryRowContext(ctx, "select ? + ?", hint("unprepared"), 1, 2).Scan(&sum)
	fmt.Println(sum, err)
	// Output: 3 <nil>
}

// reversing is SQLite's dialect for a tool that reverses the order of rows for some time.
type reversing struct{ sqlite.Dialect }

func (reversing) Name() string { return "reversing" }

func (reversing) Setting(text string) string {
	if strings.HasPrefix(text, "pragma reverse_unordered_selects=") {
		return "pragma reverse_unordered_selects"
	}
	return ""
}

var _ backend.SettingKnower = reversing{}

func ExampleSettingKnower() {
	ctx := context.Background()
	e := open(ctx, reversing{})
	defer e.Close(ctx)
	for _, text := range []string{"pragma reverse_unordered_selects=on", "pragma reverse_unordered_selects=off"} {
		if _, err := e.SQL().ExecContext(ctx, text); err != nil {
			fmt.Println(err)
		}
		var on bool
		err := e.SQL().QueryRowContext(ctx, "pragma reverse_unordered_selects").Scan(&on)
		fmt.Println(on, err)
	}
	// Output:
	// true <nil>
	// false <nil>
}

// moving is SQLite's dialect, which knows the options of another program.
type moving struct{ sqlite.Dialect }

func (moving) Name() string { return "moving" }

func (moving) Advice(option string) string {
	if option == "cache" {
		return "write cache_size, whose unit is a page"
	}
	return ""
}

// KnowsOption prevents the guess that cache_size is meant, which would lack the unit.
func (moving) KnowsOption(option string) bool { return option == "cache" }

var _ backend.OptionKnower = moving{}

func ExampleOptionKnower() {
	backend.Register(moving{})
	_, err := db.Open(context.Background(), "moving://?cache=2000")
	var e *db.Error
	fmt.Println(errors.As(err, &e), e.Hint)
	// Output: true write cache_size, whose unit is a page
}

// locked is SQLite's dialect for databases that need a password.
type locked struct{ sqlite.Dialect }

func (locked) Name() string { return "locked" }

func (d locked) Connector(u *backend.URL) (backend.Connector, error) {
	return d.ConnectorBefore(u, func(context.Context, *backend.Login) error { return nil })
}

func (d locked) ConnectorBefore(u *backend.URL, before func(context.Context, *backend.Login) error) (backend.Connector, error) {
	c, err := d.Dialect.Connector(&backend.URL{Dialect: u.Dialect, Database: u.Database, Options: u.Options})
	return lock{c, backend.Login{User: u.User, Password: u.Password, Database: u.Database}, before}, err
}

// lock is a Connector that logs in before each connection.
type lock struct {
	backend.Connector
	login  backend.Login
	before func(context.Context, *backend.Login) error
}

func (l lock) Connect(ctx context.Context) (backend.Session, error) {
	login := l.login // a copy for this connection
	if err := l.before(ctx, &login); err != nil {
		return nil, err
	}
	if login.Password != "sesame" {
		return nil, backend.Errorf(backend.ErrPermission, "the password for %s is wrong", login.User)
	}
	return l.Connector.Connect(ctx)
}

var _ backend.Authenticator = locked{}

func ExampleAuthenticator() {
	ctx := context.Background()
	backend.Register(locked{})
	_, err := db.Open(ctx, "locked://ada@")
	fmt.Println(errors.Is(err, db.ErrPermission))

	e, err := db.Open(ctx, "locked://ada@", db.BeforeConnect(func(_ context.Context, login *db.Login) error {
		login.Password = "sesame"
		return nil
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close(ctx)
	fmt.Println(db.Scalar[string](ctx, e, "select 'open'"))
	// Output:
	// true
	// open <nil>
}

// A function for db.BeforeConnect sees how the URL logs in, and changes what has to be fresh.
func ExampleLogin() {
	before := func(_ context.Context, login *backend.Login) error {
		login.Password = "token for " + login.User + " at " + login.Host
		return nil
	}
	login := backend.Login{Host: "db1", Port: "5432", User: "ada", Database: "app"}
	fmt.Println(before(context.Background(), &login), login.Password)
	// Output: <nil> token for ada at db1
}
