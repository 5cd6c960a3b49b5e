package db_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed1239206e/repaint/db"
)

func ExampleOption() {
	ctx := context.Background()
	opts := []db.Option{db.PoolSize(8), db.PoolTimeout(2 * time.Second), db.ShowParameters()}
	engine, err := db.Open(ctx, "sqlite://?pool_size=4", opts...) // PoolSize takes precedence
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(engine.Close(ctx))
	// Output: <nil>
}

func ExampleConnOption() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	opts := []db.ConnOption{db.AutoBegin(), db.LogToken("import")}
	conn, err := engine.Connect(ctx, opts...)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = conn.Exec(ctx, "insert into users(name) values ('ada')")
	fmt.Println(err)
	fmt.Println(conn.Close()) // without Commit
	fmt.Println(db.Scalar[int](ctx, engine, "select count(*) from users"))
	// Output:
	// <nil>
	// <nil>
	// 0 <nil>
}

// A ConnSetting applies to one Conn, or to the whole Engine.
func ExampleConnSetting() {
	quiet := db.HideParameters() // a db.ConnSetting
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://", quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	_, err = db.Scalar[int](ctx, engine, "select :pin from missing", db.Named("pin", 1234))
	fmt.Println(err)
	// Output: db: query on sqlite: undefined table, code SQLITE_ERROR (1), table missing (the message is hidden, because it may have values of parameters in it) [SQL: select :pin from missing]
}

// A Setting applies to one transaction, to one Conn, or to the whole Engine.
func ExampleSetting() {
	reads := db.ReadOnly() // a db.Setting
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	conn, err := engine.Connect(ctx, reads)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	_, err = conn.Exec(ctx, "delete from users")
	fmt.Println(errors.Is(err, db.ErrReadOnly))
	// Output: true
}

func ExampleTxOption() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	opts := []db.TxOption{db.ReadOnly(), db.Isolation(db.Serializable)}
	err := engine.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := db.Scalar[int](ctx, tx, "select count(*) from users")
		fmt.Println(n)
		return err
	}, opts...)
	fmt.Println(err)
	// Output:
	// 0
	// <nil>
}

// The stack of a Leak begins where the Conn was checked out.
func ExampleLeak() {
	ctx := context.Background()
	leaked := make(chan db.Leak)
	engine, err := db.Open(ctx, "sqlite://", db.ReportLeaks(time.Millisecond, func(l db.Leak) { leaked <- l }))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	conn, err := engine.Connect(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	l := <-leaked
	fmt.Println(l.Since.Before(time.Now()), l.Collected, l.Stack() != "")
	// Output: true false true
}
