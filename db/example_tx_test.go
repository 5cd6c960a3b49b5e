package db_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed1239206e/repaint/db"
)

func ExampleAutoBegin() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)

	conn, err := engine.Connect(ctx, db.AutoBegin())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close() // rolls back what isn't committed
	conn.Exec(ctx, "insert into users(name) values ('ada')")
	conn.Commit(ctx)
	conn.Exec(ctx, "insert into users(name) values ('nobody')")
	conn.Rollback(ctx)
	names, err := db.All[string](ctx, conn, "select name from users")
	fmt.Println(names, err)
	// Output: [ada] <nil>
}

func ExampleIsolation() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://", db.Isolation(db.RepeatableRead)) // for all transactions
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	err = engine.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		return nil
	}, db.Isolation(db.Serializable)) // for this transaction
	fmt.Println(err)
	// Output: <nil>
}

func ExampleRetry() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	// After a deadlock or serialization failure the function runs again.
	err := db.Retry(ctx, engine, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, "insert into users(name) values ('ada')")
		return err
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleRetryPolicy() {
	policy := db.RetryPolicy{Attempts: 3, Wait: time.Millisecond, Retrying: func(attempt int, err error) {
		fmt.Println("attempt", attempt, "failed:", errors.Is(err, db.ErrConflict))
	}}
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	attempt := 0
	err := policy.InTx(ctx, engine, func(ctx context.Context, tx *db.Tx) error {
		if attempt++; attempt == 1 {
			return fmt.Errorf("an optimistic lock: %w", db.ErrSerialization)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// attempt 1 failed: true
	// <nil>
}
