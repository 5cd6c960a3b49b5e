package db_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/sqlite"
)

// newEngine opens a database in memory with a table, for the examples.
func newEngine(ctx context.Context) *db.Engine {
	engine, err := db.Open(ctx, "sqlite://")
	if err != nil {
		panic(err)
	}
	if _, err := engine.Exec(ctx, "create table users(id integer primary key, name text not null unique, born date)"); err != nil {
		panic(err)
	}
	return engine
}

func ExampleOpen() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://", db.PoolSize(2), db.PoolTimeout(5*time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	answer, err := db.Scalar[int](ctx, engine, "select :a * 7", db.Named("a", 6))
	fmt.Println(answer, err)
	// Output: 42 <nil>
}

// One function has both colours: first it blocks goroutines, then it suspends tasks.
func ExampleEngine() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)

	rename := func(ctx context.Context, name string) (string, error) {
		id, err := db.Scalar[int](ctx, engine, "insert into users(name) values (:name) returning id", db.Named("name", name))
		if err != nil {
			return "", err
		}
		return db.Scalar[string](ctx, engine, "update users set name = upper(name) where id = :id returning name", db.Named("id", id))
	}

	name, err := rename(ctx, "ada")
	fmt.Println(name, err)

	err = repaint.Run(ctx, func(ctx context.Context) error {
		names, err := repaint.Gather(ctx,
			func(ctx context.Context) (string, error) { return rename(ctx, "grace") },
			func(ctx context.Context) (string, error) { return rename(ctx, "barbara") },
		)
		fmt.Println(names)
		return err
	})
	fmt.Println(err)
	// Output:
	// ADA <nil>
	// [GRACE BARBARA]
	// <nil>
}

func ExampleEngine_InTx() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)

	err := engine.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "insert into users(name) values ('ada')"); err != nil {
			return err
		}
		return errors.New("changed my mind")
	})
	fmt.Println(err)
	count, _ := db.Scalar[int](ctx, engine, "select count(*) from users")
	fmt.Println(count, "users")
	// Output:
	// changed my mind
	// 0 users
}

// The difference of two Stats is what has happened in between.
func ExampleStats() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	before := engine.Stats()
	for range 3 {
		if _, err := db.Scalar[int](ctx, engine, "select count(*) from users"); err != nil {
			fmt.Println(err)
		}
	}
	after := engine.Stats()
	fmt.Println(after.Acquired-before.Acquired, after.Waits-before.Waits, after.InUse)
	// Output: 3 0 0
}

func ExampleEngine_Stats() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	conn, _ := engine.Connect(ctx)
	stats := engine.Stats()
	fmt.Println(stats.InUse, "in use,", stats.Waiting, "waiting")
	conn.Close()
	// Output: 1 in use, 0 waiting
}

func ExampleConn() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)

	conn, err := engine.Connect(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	// A temporary table belongs to its connection.
	conn.Exec(ctx, "create temp table seen(id integer)")
	conn.Exec(ctx, "insert into seen values (1)")
	seen, err := db.All[int](ctx, conn, "select id from seen")
	fmt.Println(seen, err)
	// Output: [1] <nil>
}

func ExampleTx_InTx() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)

	err := engine.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		for _, name := range []string{"ada", "grace", "ada"} {
			// This is a savepoint: one that fails doesn't spoil the others.
			err := tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "insert into users(name) values (:name)", db.Named("name", name))
				return err
			})
			if errors.Is(err, db.ErrUnique) {
				fmt.Println(name, "is there already")
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	count, _ := db.Scalar[int](ctx, engine, "select count(*) from users")
	fmt.Println(count, "users", err)
	// Output:
	// ada is there already
	// 2 users <nil>
}

func ExampleReadOnly() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	err := engine.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, "delete from users")
		return err
	}, db.ReadOnly())
	fmt.Println(errors.Is(err, db.ErrReadOnly))
	// Output: true
}

// A function that takes a Querier works alone and as part of a transaction.
func ExampleQuerier() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)

	add := func(ctx context.Context, q db.Querier, name string) error {
		_, err := q.Exec(ctx, "insert into users(name) values (:name)", db.Named("name", name))
		return err
	}
	fmt.Println(add(ctx, engine, "ada"))
	fmt.Println(engine.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		return errors.Join(add(ctx, tx, "grace"), add(ctx, tx, "barbara"))
	}))
	// Output:
	// <nil>
	// <nil>
}

func ExampleRows() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	engine.Exec(ctx, "insert into users(name) values ('ada'), ('grace')")

	rows, err := engine.Query(ctx, "select id, name from users order by id")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		var id int
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(id, name)
	}
	fmt.Println(rows.Err())
	// Output:
	// 1 ada
	// 2 grace
	// <nil>
}

func ExampleRow() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	var name string
	err := engine.QueryRow(ctx, "select name from users where id = :id", db.Named("id", 1)).Scan(&name)
	fmt.Println(errors.Is(err, db.ErrNoRows))
	// Output: true
}

func ExampleResult() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	result, err := engine.Exec(ctx, "insert into users(name) values ('ada'), ('grace')")
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := result.LastInsertID()
	fmt.Println(result.RowsAffected(), id, err)
	// Output: 2 2 <nil>
}

func ExampleAll() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)

	type User struct {
		ID    int
		Name  string
		Birth *time.Time `db:"born"` // NULL is nil
	}
	born := time.Date(1815, 12, 10, 0, 0, 0, 0, time.UTC)
	for _, user := range []User{{Name: "ada", Birth: &born}, {Name: "nobody"}} {
		engine.Exec(ctx, "insert into users(name, born) values (:name, :born)", user)
	}
	users, err := db.All[User](ctx, engine, "select id, name, born from users order by id")
	for _, u := range users {
		fmt.Println(u.ID, u.Name, u.Birth)
	}
	fmt.Println(err)
	// Output:
	// 1 ada 1815-12-10 00:00:00 +0000 UTC
	// 2 nobody <nil>
	// <nil>
}

func ExampleOne() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	engine.Exec(ctx, "insert into users(name) values ('ada'), ('grace')")
	_, err := db.One[string](ctx, engine, "select name from users")
	fmt.Println(errors.Is(err, db.ErrMultipleRows))
	// Output: true
}

func ExampleNamed() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	const query = "select :first || ' ' || :last"
	for _, args := range [][]any{
		{db.Named("first", "ada"), db.Named("last", "lovelace")},
		{map[string]any{"first": "grace", "last": "hopper"}},
		{struct{ First, Last string }{"barbara", "liskov"}},
	} {
		name, err := db.Scalar[string](ctx, engine, query, args...)
		fmt.Println(name, err)
	}
	_, err := engine.Exec(ctx, query, db.Named("first", "ada"), db.Named("lats", "lovelace"))
	fmt.Println(err)
	// Output:
	// ada lovelace <nil>
	// grace hopper <nil>
	// barbara liskov <nil>
	// db: bind: the argument "lats" is no parameter of the statement, which has only :first, :last [SQL: select :first || ' ' || :last]
}

func ExampleError() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	engine.Exec(ctx, "insert into users(name) values ('ada')")
	_, err := engine.Exec(ctx, "insert into users(name) values (:name)", db.Named("name", "ada"))
	var e *db.Error
	fmt.Println(errors.Is(err, db.ErrUnique), errors.As(err, &e))
	fmt.Println(e.Table, e.Column, e.Code)
	fmt.Println(e)
	// Output:
	// true true
	// users name SQLITE_CONSTRAINT_UNIQUE (2067)
	// db: exec on sqlite: constraint failed: UNIQUE constraint failed: users.name (2067) [SQL: insert into users(name) values (:name)] [name string]
}

func ExampleURL() {
	u, err := db.ParseURL("postgres://ada:secret@db1:5432,db2/app?sslmode=require")
	fmt.Println(u, err)
	fmt.Println(u.Dialect, u.Hosts[1].Name, u.Database, u.Option("sslmode"))
	// Output:
	// postgres://ada:***@db1:5432,db2/app?sslmode=require <nil>
	// postgres db2 app require
}

func ExampleReportLeaks() {
	ctx := context.Background()
	leaked := make(chan db.Leak)
	engine, err := db.Open(ctx, "sqlite://", db.ReportLeaks(time.Millisecond, func(l db.Leak) { leaked <- l }))
	if err != nil {
		fmt.Println(err)
		return
	}
	conn, _ := engine.Connect(ctx)
	l := <-leaked
	fmt.Println("checked out", time.Since(l.Since) > 0, len(l.Stack()) > 0)
	conn.Close()
	engine.Close(ctx)
	// Output: checked out true true
}

// company is SQLite with other defaults.
type company struct{ sqlite.Dialect }

func (company) Name() string { return "company" }

func (c company) Connector(u *db.URL) (backend.Connector, error) {
	if !u.Options.Has("synchronous") {
		u.Options.Set("synchronous", "normal")
	}
	return c.Dialect.Connector(u)
}

func ExampleRegister() {
	backend.Register(company{})
	ctx := context.Background()
	engine, err := db.Open(ctx, "company://")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	mode, err := db.Scalar[int](ctx, engine, "pragma synchronous")
	fmt.Println(engine.Dialect().Name(), mode, err)
	// Output: company 1 <nil>
}
