package db_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/seed1239206e/repaint/db"
)

func ExampleOnEvents() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://", db.OnEvents(db.Events{
		AfterExecute: func(ctx context.Context, x *db.Execution) {
			fmt.Println(x.Token, x.Statement, x.Rows)
		},
		Error: func(ctx context.Context, err *db.Error) error {
			if errors.Is(err, db.ErrUndefinedTable) {
				return fmt.Errorf("run the migrations first: %w", err)
			}
			return nil
		},
	}), db.LogToken("report:"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	db.Scalar[bool](ctx, engine, "select true")
	_, err = engine.Exec(ctx, "delete from users")
	fmt.Println(err)
	// Output:
	// report: select true 1
	// report: delete from users 0
	// run the migrations first: db: exec on sqlite: SQL logic error: no such table: users (1) [SQL: delete from users]
}

func ExampleEvents_connect() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://", db.OnEvents(db.Events{
		Connect: func(ctx context.Context, conn *db.Conn) error {
			_, err := conn.Exec(ctx, "pragma case_sensitive_like=on")
			return err
		},
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	same, err := db.Scalar[bool](ctx, engine, "select 'A' like 'a'")
	fmt.Println(same, err)
	// Output: false <nil>
}

func ExampleLog() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "took" {
				return slog.Attr{} // not the same each time
			}
			return a
		}}))
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://", db.Log(logger))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	conn, _ := engine.Connect(ctx, db.LogToken("import"), db.HideParameters())
	defer conn.Close()
	conn.Query(ctx, "select :password", db.Named("password", "secret"))
	// Output: level=DEBUG msg="db query" token=import sql="select :password" rows=1
}

func ExampleExecution() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://", db.OnEvents(db.Events{
		BeforeExecute: func(ctx context.Context, x *db.Execution) error {
			x.Data = "from before" // for AfterExecute
			return nil
		},
		AfterExecute: func(ctx context.Context, x *db.Execution) {
			fmt.Println(x, x.Rows, x.Duration > 0, x.Data)
		},
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	db.Scalar[int](ctx, engine, "select :n + 1", db.Named("n", 1))
	// Output: query [SQL: select :n + 1] [n int] 1 true from before
}

func ExampleTxEvent() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://", db.OnEvents(db.Events{
		Begin:    func(ctx context.Context, x db.TxEvent) { fmt.Println("begin, read-only:", x.Options.ReadOnly) },
		Rollback: func(ctx context.Context, x db.TxEvent) { fmt.Println("rollback:", x.Err) },
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	tx, err := engine.BeginTx(ctx, db.ReadOnly())
	if err == nil {
		err = tx.Rollback(ctx)
	}
	fmt.Println(err)
	// Output:
	// begin, read-only: true
	// rollback: <nil>
	// <nil>
}

func ExampleConnInfo() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://", db.OnEvents(db.Events{
		Checkout: func(ctx context.Context, conn db.ConnInfo) { fmt.Println("out:", conn.ID) },
		Checkin:  func(ctx context.Context, conn db.ConnInfo) { fmt.Println("back:", conn.ID) },
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	conn, err := engine.Connect(ctx) // Open has tried the connection already
	if err == nil {
		err = conn.Close()
	}
	fmt.Println(err)
	// Output:
	// out: 1
	// back: 1
	// out: 1
	// back: 1
	// <nil>
}
