package db_test

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/seed1239206e/repaint/db"
)

// In a transaction, statements on the driver's own connection are part of it.
func ExampleTx_Raw() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)

	err := engine.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		return tx.Raw(ctx, func(ctx context.Context, conn any) error {
			_, err := conn.(driver.ExecerContext).ExecContext(ctx, "insert into users(name) values ('raw')", nil)
			return err
		})
	})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(db.Scalar[int](ctx, engine, "select count(*) from users where name = 'raw'"))
	// Output: 1 <nil>
}

func ExampleEngine_Driver() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	_, ok := engine.Driver().(driver.Connector) // a *pg.DB on PostgreSQL
	fmt.Println(ok)
	// Output: true
}
